package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"slices"
)

// Verifier verifies that lines are those that were written, in their order. The zero
// value begins with any line.
type Verifier struct {
	// Seq and Hash are those of the last line.
	Seq  uint64
	Hash string
	// First is the number of the first line, Lines how many there are. Begun says that
	// the stream began with it: that no line was before.
	First uint64
	Lines int
	Begun bool
	// Missing is how many records the stream itself says are missing, Torn how many
	// lines were cut when a process ended, and are followed by the start of the next.
	Missing uint64
	Torn    int

	// Anchors are the hashes of lines that must be there, by their numbers.
	Anchors map[uint64]string

	seen  map[uint64]bool
	text  hash.Hash // of the last whole line, and of what stands behind it
	torn  int       // lines behind the last whole one
	known bool      // there was a record
	last  int       // the number of the last line in its file
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
	for n, line := range lines(r) {
		if line.err != nil {
			return fmt.Errorf("line %d: %w", n, line.err)
		}
		if err := v.line(n, line.text); err != nil {
			return err
		}
		v.last = n
	}
	return nil
}

// End says whether the last file may end as it does: not with a line that is none.
func (v *Verifier) End() error {
	if v.torn > 0 {
		return &BrokenError{v.last, "an audit record", "a line that is none, and no start of a process behind it"}
	}
	return nil
}

func (v *Verifier) line(n int, text []byte) error {
	record, err := parse(text)
	if err != nil {
		return v.cut(n, text, err)
	}
	switch {
	case v.Lines == 0: // whatever was before
	case record.Prev != v.Hash:
		return &BrokenError{n, "prev " + short(v.Hash) + ", the digest of the line before", short(record.Prev) + ": a line was changed, removed, added or moved"}
	case v.torn > 0 && record.Event.Action != ActionStart:
		return &BrokenError{n - 1, "an audit record", "a line that is none, and no start of a process behind it"}
	case v.known && record.Seq != v.Seq+1:
		return &BrokenError{n, fmt.Sprintf("seq %d", v.Seq+1), fmt.Sprint(record.Seq)}
	}
	if !v.known {
		v.known, v.First = true, record.Seq
		v.Begun = record.Seq == 1 && (record.Prev == "" || v.torn > 0)
	}
	v.Torn, v.torn = v.Torn+v.torn, 0
	if record.Event.Action == ActionDropped {
		v.Missing += record.Agentauth.Missing
	}
	v.text = sha256.New()
	v.Seq = record.Seq
	v.took(text)
	return v.anchored(n)
}

// cut takes a line that is none, as a crash leaves one: the start of the next process has
// the digest of it and of the record before.
func (v *Verifier) cut(n int, text []byte, err error) error {
	if !v.known && !cutLine(text) {
		return &BrokenError{n, "an audit record", "a line that is none: " + err.Error()}
	}
	v.torn++
	if v.text == nil {
		v.text = sha256.New()
	} else {
		v.text.Write([]byte("\n"))
	}
	v.took(text)
	return nil
}

func (v *Verifier) took(text []byte) {
	v.text.Write(text)
	v.Hash = hex.EncodeToString(v.text.Sum(nil))
	v.Lines++
}

// anchored compares the last line with its anchor.
func (v *Verifier) anchored(n int) error {
	wanted, ok := v.Anchors[v.Seq]
	switch {
	case !ok:
		return nil
	case v.Hash != wanted:
		return &BrokenError{n, "the line of the anchor, " + short(wanted), short(v.Hash)}
	case v.seen == nil:
		v.seen = map[uint64]bool{}
	}
	v.seen[v.Seq] = true
	return nil
}

func short(digest string) string {
	if len(digest) > 12 {
		return digest[:12] + "…"
	}
	return fmt.Sprintf("%q", digest)
}
