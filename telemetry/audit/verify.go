package audit

import (
	"fmt"
	"io"
	"slices"
)

// Verifier verifies that lines are those that were written, in their order. The zero
// value begins with any line.
type Verifier struct {
	// Seq and Hash are those of the last line.
	Seq  uint64
	Hash string
	// First is the number of the first line, Lines how many there are.
	First uint64
	Lines int
	// Missing is how many records the stream itself says are missing, Torn how many
	// lines were cut when a process ended, and are followed by the start of the next.
	Missing uint64
	Torn    int

	// Anchors are the hashes of lines that must be there, by their numbers.
	Anchors map[uint64]string

	seen map[uint64]bool
	torn bool // the last line
}

// NotSeen are the numbers of the Anchors that no line had, in order.
func (v *Verifier) NotSeen() (out []uint64) {
	for seq := range v.Anchors {
		if !v.seen[seq] {
			out = append(out, seq)
		}
	}
	slices.Sort(out)
	return out
}

// BrokenError says where a chain is broken.
type BrokenError struct {
	Line           int
	Expected, Came string
}

func (e *BrokenError) Error() string {
	return fmt.Sprintf("line %d: expected %s, got %s", e.Line, e.Expected, e.Came)
}

// File verifies the lines of one file, which stand behind those of the file before. The
// error is a *[BrokenError], or one of reading.
func (v *Verifier) File(r io.Reader) error {
	number := 0
	for n, line := range lines(r) {
		if number = n; line.err != nil {
			return fmt.Errorf("line %d: %w", n, line.err)
		}
		if err := v.line(n, line.text); err != nil {
			return err
		}
	}
	if v.torn {
		return &BrokenError{number, "an audit record", "a line that is none, and no start of a process behind it"}
	}
	return nil
}

func (v *Verifier) line(n int, text []byte) error {
	record, err := parse(text)
	if err != nil {
		if v.torn || v.Lines == 0 {
			return &BrokenError{n, "an audit record", "a line that is none: " + err.Error()}
		}
		v.torn, v.Hash = true, digest(text)
		v.Lines++
		return nil
	}
	begins := record.Event.Action == ActionStart
	switch {
	case v.Lines == 0:
		v.First = record.Seq
	case record.Prev != v.Hash:
		return &BrokenError{n, "prev " + short(v.Hash) + ", the digest of the line before", short(record.Prev) + ": a line was changed, removed, added or moved"}
	case v.torn && !begins:
		return &BrokenError{n - 1, "an audit record", "a line that is none, and no start of a process behind it"}
	case !v.torn && record.Seq != v.Seq+1:
		return &BrokenError{n, fmt.Sprintf("seq %d", v.Seq+1), fmt.Sprint(record.Seq)}
	}
	if v.torn {
		v.torn = false
		v.Torn++
	}
	if record.Event.Action == ActionDropped {
		v.Missing += record.Agentauth.Missing
	}
	v.Seq, v.Hash = record.Seq, digest(text)
	v.Lines++
	if wanted, ok := v.Anchors[v.Seq]; ok {
		if v.Hash != wanted {
			return &BrokenError{n, "the line of the anchor, " + short(wanted), short(v.Hash)}
		}
		if v.seen == nil {
			v.seen = map[uint64]bool{}
		}
		v.seen[v.Seq] = true
	}
	return nil
}

func short(digest string) string {
	if len(digest) > 12 {
		return digest[:12] + "…"
	}
	return fmt.Sprintf("%q", digest)
}
