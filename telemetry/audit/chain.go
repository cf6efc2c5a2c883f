package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json"
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

// continued is the chain behind the last line of what was written before. A line that was
// cut, as in a crash, is a part of the chain too: it has the number behind the last one
// that can be read, which nobody knows, so that the chain goes on with number 0.
func continued(last []byte) (chain, error) {
	if len(last) == 0 {
		return chain{}, nil
	}
	if len(last) > maxLine {
		return chain{}, fmt.Errorf("the last line has more than %d bytes: it is no audit record; write to another file", maxLine)
	}
	var r Record
	if err := json.Unmarshal(last, &r); err != nil {
		return chain{seq: 0, prev: digest(last)}, nil //nolint:nilerr // a torn line
	}
	return chain{seq: r.Seq, prev: digest(last)}, nil
}

// maxLine bounds a line in bytes: all texts and lists of a record at their bounds, with
// every character escaped.
const maxLine = 1 << 20
