package match

import (
	"encoding/binary"
	"regexp/syntax"
	"slices"
)

// everythingSteps bounds what MatchesEveryPath does, in instructions that it visits:
// some milliseconds. An expression that takes more counts as one that some path does
// not match.
const everythingSteps = 1 << 18

// somePaths are paths that an expression which matches every path matches. Nearly
// every other expression fails on one of them, which is cheap.
var somePaths = []string{"/", "/a", "/Z9/~_-.", "/x/y/", "/%7C", "/!$&'()*+,;=:@"}

// MatchesEveryPath says whether a regular expression matches every path that a
// request may have: RFC 3986 section 3.3, without empty segments. MatchesEveryPath
// looks for a path that the expression does not match, and not at how the expression
// is written.
func MatchesEveryPath(pattern string) bool {
	p, err := shared.compile(pattern)
	if err != nil || slices.ContainsFunc(somePaths, func(path string) bool { return !p.regex.MatchString(path) }) {
		return false
	}
	tree, err := syntax.Parse("^(?:"+pattern+")$", syntax.Perl)
	if err != nil {
		return false
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return false
	}
	w := walk{prog: prog, left: everythingSteps, seen: map[string]bool{}}
	w.come(position{at: pathStart, before: -1, insts: []uint32{uint32(prog.Start)}})
	return w.matchesAll()
}

// grammar is where in a path a position is.
type grammar byte

const (
	pathStart grammar = iota
	behindSlash
	inSegment
	behindPercent // of an encoded byte
	behindDigit   // of an encoded byte, the first one
)

// segmentChars are the characters of a segment that are not encoded.
const segmentChars = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@"

// characters are what may follow in a path, and where they lead.
func (g grammar) characters(yield func(string, grammar)) {
	const digits = "0123456789ABCDEFabcdef"
	switch g {
	case behindPercent:
		yield(digits, behindDigit)
		return
	case behindDigit:
		yield(digits, inSegment)
		return
	case pathStart:
	case inSegment, behindSlash:
		yield(segmentChars, inSegment)
		yield("%", behindPercent)
	}
	if g != behindSlash {
		yield("/", behindSlash)
	}
}

// ends says whether a path may end here.
func (g grammar) ends() bool { return g == behindSlash || g == inSegment }

// position is what an expression may be doing behind the characters of a path so far.
type position struct {
	at     grammar
	before rune // the character before, or -1: \b and ^ ask for it
	insts  []uint32
}

// key is equal for positions behind which the same is matched.
func (p position) key() string {
	kind := byte(0)
	switch {
	case p.before < 0:
	case syntax.IsWordChar(p.before):
		kind = 1
	default:
		kind = 2
	}
	b := []byte{byte(p.at), kind}
	for _, i := range p.insts {
		b = binary.AppendUvarint(b, uint64(i))
	}
	return string(b)
}

// walk goes through all positions that some path leads to.
type walk struct {
	prog *syntax.Prog
	left int // instructions
	seen map[string]bool
	todo []position
}

func (w *walk) come(p position) {
	if key := p.key(); !w.seen[key] {
		w.seen[key] = true
		w.todo = append(w.todo, p)
	}
}

// matchesAll is false at the first path that does not match, and where there are
// more positions than time.
func (w *walk) matchesAll() bool {
	for len(w.todo) > 0 {
		p := w.todo[0]
		w.todo = w.todo[1:]
		if _, match := w.reach(p, -1); w.left < 0 || len(p.insts) == 0 || p.at.ends() && !match {
			return false
		}
		p.at.characters(func(chars string, to grammar) {
			for _, c := range chars {
				if w.left < 0 {
					return
				}
				w.come(position{to, c, w.step(p, c)})
			}
		})
	}
	return true
}

// step is what the expression may be doing behind one more character, in order.
func (w *walk) step(p position, c rune) (next []uint32) {
	reached, _ := w.reach(p, c)
	for _, i := range reached {
		inst := &w.prog.Inst[i]
		if runs(inst) && inst.MatchRune(c) {
			next = append(next, inst.Out)
		}
	}
	slices.Sort(next)
	return slices.Compact(next)
}

func runs(inst *syntax.Inst) bool {
	switch inst.Op {
	case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
		return true
	default:
		return false
	}
}

// reach is all that is reached without a character, if c comes next (-1: the end),
// and whether that is a match.
func (w *walk) reach(p position, c rune) (reached []uint32, match bool) {
	conditions := syntax.EmptyOpContext(p.before, c)
	been := make([]bool, len(w.prog.Inst))
	stack := slices.Clone(p.insts)
	for len(stack) > 0 {
		i := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if been[i] {
			continue
		}
		been[i] = true
		w.left--
		switch inst := &w.prog.Inst[i]; inst.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			stack = append(stack, inst.Out, inst.Arg)
		case syntax.InstCapture, syntax.InstNop:
			stack = append(stack, inst.Out)
		case syntax.InstEmptyWidth:
			if syntax.EmptyOp(inst.Arg)&^conditions == 0 {
				stack = append(stack, inst.Out)
			}
		case syntax.InstMatch:
			match = true
		case syntax.InstFail:
		default:
			reached = append(reached, i)
		}
	}
	return reached, match
}
