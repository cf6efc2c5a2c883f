package policydir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/agentauth-dev/agentauth/authz"
)

// listing is which manifests there are, as of one moment.
type listing struct {
	files    []found
	dirs     []string // all that were read, without symbolic links
	problems []authz.Problem
	seen     map[string]bool // files and directories, without symbolic links
}

// found is a manifest that was found but not read.
type found struct {
	path string // as it is told
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
			l.walk(path)
			if len(l.files)+len(l.problems) == before {
				l.problems = append(l.problems, warning(path, "no manifest (*.yaml, *.yml, *.json) is in this directory: every request is denied"))
			}
		default:
			l.file(path, info)
		}
	}
	return l
}

// walk reads a directory and those below. Each is read once, whichever way
// leads there, so loops of symbolic links end.
func (l *listing) walk(dir string) {
	if !l.first(dir) {
		return
	}
	l.dirs = append(l.dirs, l.real(dir))
	entries, err := os.ReadDir(dir) // sorted by name
	if err != nil {
		l.problem(dir, err)
		return
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		manifest := isManifest(e.Name())
		// Hidden are editors' files and, in a mounted ConfigMap, ..data and the
		// directory it leads to: what is in them is linked to from outside.
		if strings.HasPrefix(e.Name(), ".") || e.Type().IsRegular() && !manifest {
			continue
		}
		info, err := os.Stat(path)
		switch {
		case err != nil && manifest:
			l.problem(path, err)
		case err != nil:
		case info.IsDir():
			l.walk(path)
		case manifest:
			l.file(path, info)
		}
	}
}

func (l *listing) file(path string, info fs.FileInfo) {
	switch {
	case !info.Mode().IsRegular():
		l.problems = append(l.problems, problem(path, "expected a regular file; remove it, or give it another name"))
	case info.Size() > maxFile:
		l.problems = append(l.problems, problem(path, "expected at most 1 MiB and the file is larger; split it"))
	case l.first(path):
		l.files = append(l.files, found{path: path, real: l.real(path), info: info})
	}
}

// first reports whether a file or directory was not seen before.
func (l *listing) first(path string) bool {
	resolved := l.real(path)
	if l.seen[resolved] {
		return false
	}
	if len(l.seen) == maxFiles {
		l.problems = append(l.problems, problem(path, "expected at most 20,000 files and directories in all, and this is one more; is this the right directory?"))
	}
	l.seen[resolved] = true
	return len(l.seen) <= maxFiles
}

func (l *listing) real(path string) string {
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		path = resolved
	}
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return path
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

// changed names a file or directory in which two listings differ; "" if they
// are the same.
func changed(a, b *listing) string {
	if file := firstDifference(a.files, b.files, func(f found) string { return f.path }, sameFile); file != "" {
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

func sameFile(a, b found) bool {
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
