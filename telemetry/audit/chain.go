package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
)

// chain is the place of the next line: its number, and the digest of the line before.
type chain struct {
	seq  uint64
	prev string
}

// unplaced is how a record begins that has no place yet.
var unplaced = []byte(`{"seq":0,"prev":"",`)

// line gives a record its place.
func (c *chain) line(record []byte) ([]byte, error) {
	rest, ok := bytes.CutPrefix(record, unplaced)
	if !ok {
		return nil, fmt.Errorf("a record begins with %.20q, expected %q: a defect of agentauth", record, unplaced)
	}
	out := make([]byte, 0, len(record)+96)
	out = strconv.AppendUint(append(out, `{"seq":`...), c.seq+1, 10)
	out = append(append(append(out, `,"prev":"`...), c.prev...), `",`...)
	return append(append(out, rest...), '\n'), nil
}

// wrote goes on behind a line, without its line break.
func (c *chain) wrote(line []byte) {
	c.seq++
	c.prev = digest(line)
}

func digest(line []byte) string {
	sum := sha256.Sum256(line)
	return hex.EncodeToString(sum[:])
}

// continued is the chain behind what was written before: its last whole line, and the
// lines behind it that were cut, as in a crash. These have no number, and are a part of
// the chain all the same: the digest is one of all of it.
func continued(last []byte) (chain, error) {
	if len(last) == 0 {
		return chain{}, nil
	}
	whole, _, _ := bytes.Cut(last, []byte("\n"))
	c := chain{prev: digest(last)}
	if r, err := parse(whole); err == nil {
		c.seq = r.Seq
	} else if !cutLine(whole) {
		return chain{}, errors.New("it holds what is no audit record; write to another file")
	}
	return c, nil
}

// cutLine says whether a line may be what a crash left of one.
func cutLine(line []byte) bool {
	const begin = `{"seq":`
	n := min(len(line), len(begin))
	return string(line[:n]) == begin[:n] || len(bytes.Trim(line, "\x00")) == 0
}

// maxLine bounds a line in bytes: all texts and lists of a record at their bounds, with
// every character escaped.
const maxLine = 1 << 20
