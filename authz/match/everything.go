package match

import (
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// MatchesEveryPath says whether a regular expression matches every path, as
// "/.*" does, and ".*", "(/[^#]*)?", "/(|.+)". Where that takes long to find out
// the answer is no.
func MatchesEveryPath(pattern string) bool {
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return false
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil || len(program.Inst) > MaxProgram {
		return false
	}
	a := automaton{program: program, budget: maxSteps}
	first := a.step(a.closure([]uint32{uint32(program.Start)}, syntax.EmptyBeginText|syntax.EmptyBeginLine), '/')
	todo, seen := [][]uint32{first}, map[string]bool{}
	for len(todo) > 0 {
		state := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		key := stateKey(state)
		if seen[key] {
			continue
		}
		seen[key] = true
		if !a.accepts(state) {
			return false
		}
		for _, c := range pathBytes {
			if todo = append(todo, a.step(state, rune(c))); a.budget < 0 {
				return false
			}
		}
	}
	return true
}

// maxSteps bounds the instructions that are looked at, some milliseconds.
const maxSteps = 200_000

// pathBytes are those that a path may have as it is sent.
var pathBytes = func() (out []byte) {
	for c := range utf8.RuneSelf {
		if pchar[c] || c == '/' || c == '%' {
			out = append(out, byte(c))
		}
	}
	return out
}()

// automaton runs a program over all texts at once: a state is a set of instructions.
type automaton struct {
	program *syntax.Prog
	budget  int
}

// closure adds to a set what is reached without a character, where the conditions
// hold on what is empty.
func (a *automaton) closure(from []uint32, holds syntax.EmptyOp) []uint32 {
	var out []uint32
	todo := slices.Clone(from)
	for len(todo) > 0 {
		pc := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if a.budget--; a.budget < 0 {
			return nil
		}
		if slices.Contains(out, pc) {
			continue
		}
		out = append(out, pc)
		switch i := &a.program.Inst[pc]; i.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			todo = append(todo, i.Out, i.Arg)
		case syntax.InstCapture, syntax.InstNop:
			todo = append(todo, i.Out)
		case syntax.InstEmptyWidth:
			if syntax.EmptyOp(i.Arg)&^holds == 0 {
				todo = append(todo, i.Out)
			}
		default: // it takes a character, or is an end
		}
	}
	slices.Sort(out)
	return out
}

// step is the state behind a character. In a text there is neither begin nor end;
// boundaries of words are taken to hold nowhere.
func (a *automaton) step(state []uint32, c rune) []uint32 {
	var next []uint32
	for _, pc := range state {
		switch i := &a.program.Inst[pc]; i.Op {
		case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
			if i.MatchRune(c) {
				next = append(next, i.Out)
			}
		default:
		}
	}
	return a.closure(next, 0)
}

// accepts says whether a text that ends here matches.
func (a *automaton) accepts(state []uint32) bool {
	return slices.ContainsFunc(a.closure(state, syntax.EmptyEndText|syntax.EmptyEndLine), func(pc uint32) bool {
		return a.program.Inst[pc].Op == syntax.InstMatch
	})
}

func stateKey(state []uint32) string {
	var b strings.Builder
	for _, pc := range state {
		b.WriteRune(rune(pc))
	}
	return b.String()
}
