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
	entries []entry
	seen    map[string]bool // files and directories, without symbolic links
}

// entry is a manifest, a directory or a problem.
type entry struct {
	path    string      // as problems name it
	real    string      // without symbolic links
	info    fs.FileInfo // of a manifest
	problem *authz.Problem
}

// list finds the manifests of directories and the files that are named.
func list(paths []string) *listing {
	l := &listing{seen: map[string]bool{}}
	for _, path := range paths {
		info, err := os.Stat(path)
		switch {
		case err != nil:
			l.problem(unreadable(path, err))
		case info.IsDir():
			before := len(l.entries)
			l.walk(path, resolve(path))
			if !slices.ContainsFunc(l.entries[before:], func(e entry) bool { return e.info != nil || e.problem != nil }) {
				l.problem(warning(path, "no manifest (*.yaml, *.yml, *.json) is in this directory: without any policy every request is denied, or let through where --unmatched says so"))
			}
		default:
			l.file(path, resolve(path), info)
		}
	}
	return l
}

// walk lists a directory and those below. A directory is listed once, however
// many links lead to it, so loops of symbolic links end.
func (l *listing) walk(dir, resolved string) {
	if !l.first(dir, resolved) {
		return
	}
	l.entries = append(l.entries, entry{path: dir, real: resolved})
	files, err := os.ReadDir(dir) // sorted by name
	if err != nil {
		l.problem(unreadable(dir, err))
		return
	}
	for _, f := range files {
		path, manifest := filepath.Join(dir, f.Name()), isManifest(f.Name())
		// Hidden are editors' files and, in a mounted ConfigMap, ..data and the
		// directory it leads to: links outside of it lead to what is in them.
		if strings.HasPrefix(f.Name(), ".") || f.Type().IsRegular() && !manifest {
			continue
		}
		info, err := os.Stat(path)
		target := filepath.Join(resolved, f.Name())
		if f.Type()&fs.ModeSymlink != 0 {
			target = resolve(path)
		}
		switch {
		case err != nil && manifest:
			l.problem(unreadable(path, err))
		case err != nil:
		case info.IsDir():
			l.walk(path, target)
		case manifest:
			l.file(path, target, info)
		}
	}
}

func (l *listing) file(path, resolved string, info fs.FileInfo) {
	switch {
	case !info.Mode().IsRegular():
		l.problem(problem(path, "expected a regular file; remove it, or give it another name"))
	case info.Size() > maxFile:
		l.problem(problem(path, "expected at most 1 MiB and the file is larger; split it"))
	case l.first(path, resolved):
		l.entries = append(l.entries, entry{path: path, real: resolved, info: info})
	}
}

// first reports whether a file or directory was not seen before.
func (l *listing) first(path, resolved string) bool {
	if l.seen[resolved] {
		return false
	}
	if len(l.seen) == maxFiles {
		l.problem(problem(path, "expected at most 20,000 files and directories in all, and this is one more; is this the right directory?"))
	}
	l.seen[resolved] = true
	return len(l.seen) <= maxFiles
}

func (l *listing) problem(p authz.Problem) {
	l.entries = append(l.entries, entry{path: p.File, problem: &p})
}

// paths are the files, and what could not be listed.
func (l *listing) paths() (out []string) {
	for _, e := range l.entries {
		if e.info != nil || e.problem != nil {
			out = append(out, e.path)
		}
	}
	return out
}

// changed is the first file or directory in which two listings differ; "" if
// they are equal.
func changed(a, b *listing) string {
	for i, e := range b.entries {
		if i >= len(a.entries) || !a.entries[i].same(e) {
			return e.path
		}
	}
	if n := len(b.entries); n < len(a.entries) {
		return a.entries[n].path
	}
	return ""
}

func (e entry) same(o entry) bool {
	if e.path != o.path || e.real != o.real || (e.info == nil) != (o.info == nil) || (e.problem == nil) != (o.problem == nil) {
		return false
	}
	return (e.problem == nil || *e.problem == *o.problem) && (e.info == nil || sameInfo(e.info, o.info))
}

func sameInfo(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && a.Mode() == b.Mode() &&
		changedAt(a).Equal(changedAt(b))
}

// writtenAt reports whether the time of a file is within a step of now.
func (l *listing) writtenAt(now time.Time) bool {
	return slices.ContainsFunc(l.entries, func(e entry) bool {
		return e.info != nil &&
			(now.Sub(e.info.ModTime()).Abs() < timeStep || now.Sub(changedAt(e.info)).Abs() < timeStep)
	})
}

// resolve is a path without symbolic links.
func resolve(path string) string {
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		path = resolved
	}
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return path
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

func problem(file, message string) authz.Problem {
	return authz.Problem{Severity: authz.Invalid, Position: authz.Position{File: file}, Message: message}
}

func warning(file, message string) authz.Problem {
	return authz.Problem{Severity: authz.Warning, Position: authz.Position{File: file}, Message: message}
}
