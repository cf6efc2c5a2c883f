package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

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
}

// File is a sink that appends to a file (mode 0600 if it is made), and replaces it when
// it is large: the old one gets the time in its name. The chain goes on over files and
// processes.
func File(path string, o FileOptions) (Sink, error) {
	last, err := lastLine(path)
	if err != nil {
		return Sink{}, err
	}
	f := &file{path: path, to: &lumberjack.Logger{Filename: path, MaxSize: o.MaxSize, MaxAge: o.MaxAge, MaxBackups: o.MaxBackups}}
	if _, err := f.to.Write(nil); err != nil { // an error at the start, not with the first record
		return Sink{}, fmt.Errorf("the audit file cannot be written: %w", err)
	}
	return Sink{Name: "file", Line: f, Last: last, Close: f.to.Close}, nil
}

type file struct {
	path string
	to   *lumberjack.Logger
}

// Write writes a line whole or not at all: what a full disk took of it is cut off again,
// so that the next line stands behind a whole one.
func (f *file) Write(line []byte) (int, error) {
	n, err := f.to.Write(line)
	if err == nil {
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

// lastLine is the last line of a file, without its line break; nil if there is none. A
// last line without a line break gets one.
func lastLine(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the audit file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("the audit file %s: expected a regular file, which can be replaced; write to stdout instead", path)
	}
	from := max(0, info.Size()-maxLine-2)
	tail, err := io.ReadAll(io.NewSectionReader(f, from, info.Size()-from))
	if err != nil || len(tail) == 0 {
		return nil, err
	}
	if tail[len(tail)-1] != '\n' {
		if _, err := f.Write([]byte("\n")); err != nil {
			return nil, err
		}
		tail = append(tail, '\n')
	}
	tail = tail[:len(tail)-1]
	return tail[bytes.LastIndexByte(tail, '\n')+1:], nil
}

// Writer is a sink that writes to w, which is not closed.
func Writer(name string, w io.Writer) Sink { return Sink{Name: name, Line: w} }
