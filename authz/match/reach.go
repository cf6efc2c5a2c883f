package match

import (
	"regexp/syntax"
	"unicode"
)

// Alphabet is what texts of a kind are made of.
type Alphabet struct {
	// first are the ranges of the first rune, nil for those of rest. Texts with
	// first are never empty.
	first, rest []rune
	// lines says that a text may have several lines.
	lines bool
}

// Alphabets of what regular expressions match.
var (
	// Paths are paths as sent: no control character, space, '?' or '#'.
	Paths = Alphabet{first: []rune{'/', '/'}, rest: []rune{'!', '"', '$', '>', '@', '~', 0x80, unicode.MaxRune}}
	// Fields are values of headers.
	Fields = Alphabet{rest: []rune{'\t', '\t', ' ', '~', 0x80, unicode.MaxRune}}
	// Params are values of query parameters.
	Params = Alphabet{rest: []rune{0, unicode.MaxRune}, lines: true}
)

// NeverMatches says whether a regular expression, which must match a whole text,
// matches no text of an alphabet. It says no where it does not know.
func NeverMatches(pattern string, of Alphabet) bool {
	if len(pattern) > MaxPattern {
		return false
	}
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return false
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil || len(prog.Inst) > MaxProgram {
		return false
	}
	w := reaching{prog: prog, of: of, seen: map[reached]bool{}}
	w.enter(reached{pc: uint32(prog.Start)})
	for len(w.open) > 0 {
		at := w.open[len(w.open)-1]
		w.open = w.open[:len(w.open)-1]
		if w.step(at) {
			return false
		}
	}
	return true
}

// reached is an instruction and what is known of the text: whether a rune came, and
// whether none may come any more.
type reached struct {
	pc            uint32
	begun, closed bool
}

// reaching visits the places that some text leads to, each once.
type reaching struct {
	prog *syntax.Prog
	of   Alphabet
	seen map[reached]bool
	open []reached
}

func (w *reaching) enter(p reached) {
	if !w.seen[p] {
		w.seen[p] = true
		w.open = append(w.open, p)
	}
}

// step follows an instruction. It says whether the text may end here.
func (w *reaching) step(p reached) (matches bool) {
	i := &w.prog.Inst[p.pc]
	next := p
	next.pc = i.Out
	switch i.Op {
	case syntax.InstMatch:
		return p.begun || w.of.first == nil
	case syntax.InstFail:
	case syntax.InstAlt, syntax.InstAltMatch:
		w.enter(next)
		next.pc = i.Arg
		w.enter(next)
	case syntax.InstCapture, syntax.InstNop:
		w.enter(next)
	case syntax.InstEmptyWidth:
		w.empty(syntax.EmptyOp(i.Arg), p, next)
	default: // a rune
		if !p.closed && w.may(i, p.begun) {
			next.begun = true
			w.enter(next)
		}
	}
	return false
}

// empty follows an assertion. One on words is taken to hold.
func (w *reaching) empty(op syntax.EmptyOp, p, next reached) {
	begins, ends := syntax.EmptyBeginText, syntax.EmptyEndText
	if !w.of.lines {
		begins, ends = begins|syntax.EmptyBeginLine, ends|syntax.EmptyEndLine
	}
	if op&begins != 0 && p.begun {
		return
	}
	next.closed = p.closed || op&ends != 0
	w.enter(next)
}

// may says whether an instruction takes some rune that may come.
func (w *reaching) may(i *syntax.Inst, begun bool) bool {
	ranges := w.of.rest
	if !begun && w.of.first != nil {
		ranges = w.of.first
	}
	switch {
	case i.Op == syntax.InstRuneAny, i.Op == syntax.InstRuneAnyNotNL:
		return true
	case len(i.Rune) == 1:
		r := i.Rune[0]
		for other := r; ; {
			if i.MatchRune(other) && overlaps(ranges, other, other) {
				return true
			}
			if other = unicode.SimpleFold(other); other == r {
				return false
			}
		}
	}
	for k := 0; k+1 < len(i.Rune); k += 2 {
		if overlaps(ranges, i.Rune[k], i.Rune[k+1]) {
			return true
		}
	}
	return false
}

// overlaps says whether a range and one of the others have a rune in common.
func overlaps(ranges []rune, low, high rune) bool {
	for k := 0; k+1 < len(ranges); k += 2 {
		if low <= ranges[k+1] && high >= ranges[k] {
			return true
		}
	}
	return false
}
