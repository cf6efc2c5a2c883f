package audit

import (
	"cmp"
	"fmt"
	"io"
	"slices"
)

// Unordered verifies the lines that a collector keeps: of several processes, in any order,
// and some of them twice. Each process began a chain of its own, which must be here from
// its first line on. A batch that was not acknowledged may have come all the same, though
// the stream says that its records are missing: its lines stand beside the chain, and
// nothing says that they are as they were written.
type Unordered struct {
	// Chains are the chains, Beside is how many lines stand beside them, and Twice how
	// many came again.
	Chains        []Chain
	Beside, Twice int

	lines map[string]*node // by digest
}

// Chain is what one process wrote.
type Chain struct {
	// Process wrote it; nil: its first record did not come.
	Process *Process
	// Lines is how many lines there are, Hash is that of the last one, and Missing is how
	// many records the chain says are missing.
	Lines, Missing uint64
	Hash           string
	// Stopped says that the process ended in order.
	Stopped bool
}

// node is a line without its text.
type node struct {
	where        string
	digest, prev string
	seq, missing uint64
	action       Action
	process      *Process
	next         []*node
	length       uint64 // of the longest chain from here on
	linked       bool   // it is in a chain
}

// File takes the lines of a file.
func (u *Unordered) File(name string, r io.Reader) error {
	if u.lines == nil {
		u.lines = map[string]*node{}
	}
	for n, line := range lines(r) {
		if line.err != nil {
			return fmt.Errorf("line %d: %w", n, line.err)
		}
		record, err := parse(line.text)
		if err != nil {
			return &BrokenError{n, "an audit record", "a line that is none: " + err.Error()}
		}
		one := &node{where: fmt.Sprintf("%s: line %d", name, n), digest: digest(line.text), prev: record.Prev, seq: record.Seq,
			missing: record.Agentauth.Missing, action: record.Event.Action, process: record.Agentauth.Process}
		if u.lines[one.digest] != nil {
			u.Twice++
			continue
		}
		u.lines[one.digest] = one
	}
	return nil
}

// End verifies what File took.
func (u *Unordered) End() error {
	all := make([]*node, 0, len(u.lines))
	for _, one := range u.lines {
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b *node) int { return cmp.Or(cmp.Compare(a.seq, b.seq), cmp.Compare(a.digest, b.digest)) })
	for _, one := range slices.Backward(all) {
		one.length++
		if before := u.lines[one.prev]; before != nil && before.seq+1 == one.seq {
			before.next = append(before.next, one)
			before.length = max(before.length, one.length)
		}
	}
	var gaps []*node // records that say what is missing
	for _, one := range all {
		if one.seq == 1 && one.prev == "" && (one.action == ActionStart || one.action == ActionDropped) {
			found, err := u.follow(one)
			if err != nil {
				return err
			}
			gaps = append(gaps, found...)
		}
	}
	return u.others(all, gaps)
}

// follow goes along the chain that begins with a line.
func (u *Unordered) follow(one *node) (gaps []*node, err error) {
	c := Chain{Process: one.process}
	for one != nil {
		one.linked = true
		c.Lines, c.Hash, c.Stopped = c.Lines+1, one.digest, one.action == ActionStop
		if one.action == ActionDropped {
			c.Missing += one.missing
			gaps = append(gaps, one)
		}
		if one, err = one.after(); err != nil {
			return nil, err
		}
	}
	u.Chains = append(u.Chains, c)
	return gaps, nil
}

// after is the line behind one; nil: it is the last. Behind a batch that was not
// acknowledged comes a record that says what is missing, in the place of its first line:
// of several the last one, which says that most is.
func (n *node) after() (*node, error) {
	switch len(n.next) {
	case 0:
		return nil, nil //nolint:nilnil // there is none
	case 1:
		return n.next[0], nil
	}
	best := slices.MaxFunc(n.next, func(a, b *node) int {
		return cmp.Or(cmp.Compare(a.gap(), b.gap()), cmp.Compare(a.length, b.length))
	})
	if best.gap() == 0 {
		return nil, fmt.Errorf("%s: expected one line %d behind it, got another at %s: a line was added or changed", n.next[0].where, n.seq+1, n.next[1].where)
	}
	return best, nil
}

// gap is how many records a line says are missing.
func (n *node) gap() uint64 {
	if n.action == ActionDropped {
		return n.missing
	}
	return 0
}

// mostBeside is how many lines a batch has at most, each record behind one that says what
// is missing. All batches that are said to be missing began with the same number.
const mostBeside = 2 * maxBatch

// others counts the lines beside the chains: each has a number of a record that is said
// to be missing, and that a batch can have had.
func (u *Unordered) others(all, gaps []*node) error {
	for _, one := range all {
		if one.linked {
			continue
		}
		if !slices.ContainsFunc(gaps, func(g *node) bool { return g.seq <= one.seq && one.seq-g.seq < min(g.missing, mostBeside) }) {
			return fmt.Errorf("%s: expected the line before line %d, with the digest %s, and a chain from its first line on: a line was changed, removed or added", one.where, one.seq, short(one.prev))
		}
		u.Beside++
	}
	return nil
}

// Has says whether a line is in a chain.
func (u *Unordered) Has(seq uint64, hash string) bool {
	one := u.lines[hash]
	return one != nil && one.linked && one.seq == seq
}
