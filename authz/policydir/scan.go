package policydir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
)

// listing is which manifests there are, as of one moment.
type listing struct {
	files    []listed
	dirs     []string // without symbolic links
	problems []authz.Problem
	seen     map[string]bool // files and directories, without symbolic links
}

// listed is a manifest that a listing has.
type listed struct {
	path string // as problems name it
	real string // without symbolic links
	info fs.FileInfo
}

// list finds the manifests of directories and the files that are named.
func list(paths []string) *listing {
	l := &listing{seen: map[string]bool{}}
	for _, path := range paths {
		info, err := os.Stat(path)
		switch {
		case err != nil:
			l.problem(path, err)
		case info.IsDir():
			before := len(l.files) + len(l.problems)
			l.walk(path, resolved(path))
			if len(l.files)+len(l.problems) == before {
				l.problems = append(l.problems, warning(path, "no manifest (*.yaml, *.yml, *.json) is in this directory: every request is denied"))
			}
		default:
			l.file(listed{path, resolved(path), info})
		}
	}
	return l
}

// walk lists a directory and those below. A directory is listed once, however
// many links lead to it, so loops of symbolic links end.
func (l *listing) walk(dir, real string) {
	if !l.first(dir, real) {
		return
	}
	l.dirs = append(l.dirs, real)
	entries, err := os.ReadDir(dir) // sorted by name
	if err != nil {
		l.problem(dir, err)
		return
	}
	for _, e := range entries {
		path, manifest := filepath.Join(dir, e.Name()), isManifest(e.Name())
		// Hidden are editors' files and, in a mounted ConfigMap, ..data and the
		// directory it leads to: links outside of it lead to what is in them.
		if strings.HasPrefix(e.Name(), ".") || e.Type().IsRegular() && !manifest {
			continue
		}
		info, err := os.Stat(path)
		target := filepath.Join(real, e.Name())
		if e.Type()&fs.ModeSymlink != 0 {
			target = resolved(path)
		}
		switch {
		case err != nil && manifest:
			l.problem(path, err)
		case err != nil:
		case info.IsDir():
			l.walk(path, target)
		case manifest:
			l.file(listed{path, target, info})
		}
	}
}

func (l *listing) file(f listed) {
	switch {
	case !f.info.Mode().IsRegular():
		l.problems = append(l.problems, problem(f.path, "expected a regular file; remove it, or give it another name"))
	case f.info.Size() > maxFile:
		l.problems = append(l.problems, problem(f.path, "expected at most 1 MiB and the file is larger; split it"))
	case l.first(f.path, f.real):
		l.files = append(l.files, f)
	}
}

// first reports whether a file or directory was not seen before.
func (l *listing) first(path, real string) bool {
	if l.seen[real] {
		return false
	}
	if len(l.seen) == maxFiles {
		l.problems = append(l.problems, problem(path, "expected at most 20,000 files and directories in all, and this is one more; is this the right directory?"))
	}
	l.seen[real] = true
	return len(l.seen) <= maxFiles
}

// resolved is a path without symbolic links.
func resolved(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return path
}

// writtenAt reports whether the time of a file is within a step of now.
func (l *listing) writtenAt(now time.Time) bool {
	return slices.ContainsFunc(l.files, func(f listed) bool { return now.Sub(f.info.ModTime()).Abs() < timeStep })
}

func (l *listing) problem(path string, err error) {
	l.problems = append(l.problems, unreadable(path, err))
}

func unreadable(path string, err error) authz.Problem {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return problem(path, fmt.Sprintf("cannot be read: %v", err))
}

func isManifest(name string) bool {
	switch filepath.Ext(name) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

// changed is the first file or directory in which two listings differ; "" if
// they are equal.
func changed(a, b *listing) string {
	if file := firstDifference(a.files, b.files, func(f listed) string { return f.path }, sameFile); file != "" {
		return file
	}
	same := func(a, b string) bool { return a == b }
	if dir := firstDifference(a.dirs, b.dirs, func(dir string) string { return dir }, same); dir != "" {
		return dir
	}
	return firstDifference(a.problems, b.problems, func(p authz.Problem) string { return p.File }, func(a, b authz.Problem) bool { return a == b })
}

func firstDifference[T any](a, b []T, name func(T) string, same func(a, b T) bool) string {
	for i := range min(len(a), len(b)) {
		if !same(a[i], b[i]) {
			return name(b[i])
		}
	}
	switch n := min(len(a), len(b)); {
	case len(a) > n:
		return name(a[n])
	case len(b) > n:
		return name(b[n])
	}
	return ""
}

func sameFile(a, b listed) bool {
	return a.path == b.path && a.real == b.real && sameInfo(a.info, b.info)
}

func sameInfo(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && a.Mode() == b.Mode()
}

func problem(file, message string) authz.Problem {
	return authz.Problem{Severity: authz.Invalid, Position: authz.Position{File: file}, Message: message}
}

func warning(file, message string) authz.Problem {
	return authz.Problem{Severity: authz.Warning, Position: authz.Position{File: file}, Message: message}
}
