package audit

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/go-json-experiment/json"
)

// Read reads records. A line that is no record of this [Schema] is an error, with its
// number; what is behind it is read all the same.
func Read(r io.Reader) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for number, line := range lines(r) {
			record, err := parse(line.text)
			if line.err != nil {
				err = line.err
			}
			if err != nil {
				err = fmt.Errorf("line %d: %w", number, err)
			}
			if !yield(record, err) {
				return
			}
		}
	}
}

func parse(line []byte) (r Record, err error) {
	if err := json.Unmarshal(line, &r); err != nil {
		return Record{}, fmt.Errorf("expected an audit record, a JSON object: %w", err)
	}
	if r.Schema != Schema {
		return Record{}, fmt.Errorf("expected schema %s, got %q", Schema, brief(r.Schema))
	}
	return r, nil
}

// textLine is a line without its line break.
type textLine struct {
	text []byte
	err  error
}

// lines are the lines of r with their numbers, from 1. It ends behind an error of r.
func lines(r io.Reader) iter.Seq2[int, textLine] {
	return func(yield func(int, textLine) bool) {
		scan := bufio.NewScanner(r)
		scan.Buffer(make([]byte, 0, 64<<10), maxLine+1)
		scan.Split(splitLines)
		n := 0
		for scan.Scan() {
			if n++; !yield(n, textLine{text: scan.Bytes()}) {
				return
			}
		}
		err := scan.Err()
		if errors.Is(err, bufio.ErrTooLong) {
			err = fmt.Errorf("expected at most %d bytes in a line, got more", maxLine)
		}
		if err != nil {
			yield(n+1, textLine{err: err})
		}
	}
}

// splitLines splits at \n alone: a \r is a part of a line.
func splitLines(data []byte, end bool) (advance int, token []byte, err error) {
	for i, c := range data {
		if c == '\n' {
			return i + 1, data[:i], nil
		}
	}
	if end && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}
