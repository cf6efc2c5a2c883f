package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gopkg.in/natefinch/lumberjack.v2"
)

// FileOptions say when a file is replaced and how long old ones are kept.
type FileOptions struct {
	// MaxSize is the size in MiB at which a file is replaced; default 100.
	MaxSize int
	// MaxAge is for how many days old files are kept; 0: for ever.
	MaxAge int
	// MaxBackups is how many old files are kept; 0: all.
	MaxBackups int
	// Gone is told that somebody else removed, moved or cut the file while it was written.
	// What is written behind that is in a file of that name again. nil is nobody.
	Gone func()
}

// File is a sink that appends to a file (mode 0600 if it is made), and replaces it when
// it is large: the old one gets the time in its name. The chain goes on over files and
// processes. Two that write one file would overwrite each other's lines, so a file beside
// it is locked, which stays.
func File(path string, o FileOptions) (_ Sink, err error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return Sink{}, irregular(path)
	}
	dir, name := filepath.Split(path)
	if dir != "" {
		if err := os.MkdirAll(dir, 0o750); err != nil {
			return Sink{}, fmt.Errorf("the audit file: %w", err)
		}
	}
	mine, err := lock(filepath.Join(dir, "."+name+".lock"))
	if err != nil {
		return Sink{}, fmt.Errorf("the audit file %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			_ = mine.Close()
		}
	}()
	last, err := lastLines(path)
	if err != nil {
		return Sink{}, err
	}
	f := &file{path: path, gone: o.Gone, to: &lumberjack.Logger{Filename: path, MaxSize: o.MaxSize, MaxAge: o.MaxAge, MaxBackups: o.MaxBackups}}
	if _, err := f.Write(nil); err != nil { // an error at the start, not with the first record
		return Sink{}, fmt.Errorf("the audit file cannot be written: %w", err)
	}
	return Sink{Name: "file", Line: f, Last: last, Close: func() error { return errors.Join(f.to.Close(), mine.Close()) }}, nil
}

func irregular(path string) error {
	return fmt.Errorf("the audit file %s: expected a regular file, which can be replaced; write to stdout instead", path)
}

type file struct {
	path string
	to   *lumberjack.Logger
	gone func()

	is     os.FileInfo // what was written to, when it was looked at last
	size   int64       // at least, with what was written since
	looked time.Time
}

// betweenLooks is how often it is looked whether the file is still there. A line that is
// written to a file that was removed is nowhere.
const betweenLooks = 100 * time.Millisecond

// look opens the file anew where it is another one than it was, or was cut.
func (f *file) look() {
	if f.is == nil || time.Since(f.looked) < betweenLooks {
		return
	}
	f.looked = time.Now()
	info, err := os.Stat(f.path)
	same := err == nil && os.SameFile(info, f.is)
	if same && info.Size() >= f.size {
		return
	}
	mine := false // it was large
	if !same {
		backup, err := os.Stat(newestBackup(f.path))
		mine = err == nil && os.SameFile(backup, f.is)
	}
	_, f.is = f.to.Close(), nil
	if !mine && f.gone != nil {
		f.gone()
	}
}

// Write writes a line whole or not at all: what a full disk took of it is cut off again,
// so that the next line stands behind a whole one.
func (f *file) Write(line []byte) (int, error) {
	f.look()
	n, err := f.to.Write(line)
	if err == nil {
		f.size += int64(n)
		if f.is == nil {
			f.opened()
		}
		return n, nil
	}
	if n > 0 {
		_ = f.to.Close() // it is opened again behind what is left
		if info, failed := os.Stat(f.path); failed == nil && info.Size() >= int64(n) {
			if failed = os.Truncate(f.path, info.Size()-int64(n)); failed != nil {
				err = errors.Join(err, failed)
			}
		}
	}
	return 0, err
}

// opened looks at the file that was written to. It is closed, since only a file that was
// there is opened to append to: a line behind a hole is none.
func (f *file) opened() {
	if info, err := os.Stat(f.path); err == nil && f.to.Close() == nil {
		f.is, f.size, f.looked = info, info.Size(), time.Now()
	}
}

// lastLines are the last whole line that was written to a file, or to the newest of those
// that it replaced, and what stands behind it, without the line break at the end; nil if
// there is nothing. A last line without a line break gets one.
func lastLines(path string) ([]byte, error) {
	last, whole, err := tailOf(path, os.O_RDWR|os.O_APPEND)
	if err != nil || whole {
		return last, err
	}
	before, found, err := tailOf(newestBackup(path), os.O_RDONLY)
	switch {
	case err != nil || !found:
		return last, err
	case len(last) == 0:
		return before, nil
	default:
		return slices.Concat(before, []byte("\n"), last), nil
	}
}

// tailOf is the end of one file, from its last whole line on; all of the file where it
// has none.
func tailOf(path string, flag int) (tail []byte, whole bool, _ error) {
	f, err := os.OpenFile(path, flag, 0) // #nosec G304 -- the operator names it
	if errors.Is(err, os.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("the audit file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, false, err
	}
	if !info.Mode().IsRegular() {
		return nil, false, irregular(path)
	}
	from := max(0, info.Size()-2*(maxLine+2))
	tail, err = io.ReadAll(io.NewSectionReader(f, from, info.Size()-from))
	if err != nil || len(tail) == 0 {
		return nil, false, err
	}
	ended := tail[len(tail)-1] == '\n'
	tail = bytes.TrimSuffix(tail, []byte("\n"))
	if at := lastWhole(tail); at >= 0 {
		tail, whole = tail[at:], true
	} else if from > 0 || !cutLine(tail) {
		return nil, false, fmt.Errorf("the audit file %s holds what is no audit record; write to another file", path)
	}
	if !ended && flag != os.O_RDONLY { // only where it is one of ours
		_, err = f.WriteString("\n")
	}
	return tail, whole, err
}

// lastWhole is where the last line begins that is a record; -1 if there is none.
func lastWhole(text []byte) int {
	for end := len(text); end >= 0; {
		at := bytes.LastIndexByte(text[:end], '\n') + 1
		if _, err := parse(text[at:end]); err == nil {
			return at
		}
		end = at - 1
	}
	return -1
}

// newestBackup is the last file that a file replaced; "" if there is none.
func newestBackup(path string) (newest string) {
	ext := filepath.Ext(path)
	prefix := strings.TrimSuffix(filepath.Base(path), ext) + "-"
	list, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return ""
	}
	for _, one := range list { // by name, and so by time
		when, isOne := strings.CutPrefix(one.Name(), prefix)
		if _, err := time.Parse(backupTime, strings.TrimSuffix(when, ext)); isOne && err == nil && strings.HasSuffix(when, ext) {
			newest = filepath.Join(filepath.Dir(path), one.Name())
		}
	}
	return newest
}

// backupTime is how lumberjack writes the time in the name of a file that was replaced.
const backupTime = "2006-01-02T15-04-05.000"

// Writer is a sink that writes to w, which is not closed.
func Writer(name string, w io.Writer) Sink { return Sink{Name: name, Line: w} }
