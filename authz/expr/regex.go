package expr

import (
	"fmt"
	"math"
	"regexp"
	"regexp/syntax"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
)

// regex is the regular expression of a matches().
type regex struct {
	compiled *regexp.Regexp
	// size is the number of instructions of the compiled program.
	size uint64
}

// checkRegex bounds the sizes of the compiled patterns: the time of a match is
// linear in that size. Its own time is bounded too: what takes long to parse or
// to compile is refused before.
func (i *inspection) checkRegex(e ast.Expr) {
	pattern, ok := literal(e)
	if !ok {
		i.refuse(e, "matches() expects its regular expression as a literal")
		return
	}
	if _, known := i.regexes[pattern]; known || i.err != nil {
		return
	}
	if i.classes += wideClasses(pattern); i.classes > maxClasses {
		i.refuse(e, fmt.Sprintf("expected regular expressions of at most %d Unicode classes (\\p; a range beyond ASCII after (?i) counts as eight), got %d: name the characters that are meant", maxClasses, i.classes))
		return
	}
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		i.refuse(e, "matches() expects a regular expression in RE2 syntax: "+err.Error())
		return
	}
	if n := instructions(tree); n > 16*MaxRegex { // compiling it to count them takes long
		i.refuseSize(e, n)
		return
	}
	compiled, err := regexp.Compile(pattern)
	if err != nil {
		i.refuse(e, "matches() expects a regular expression in RE2 syntax: "+err.Error())
		return
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil {
		i.refuse(e, "matches() expects a regular expression in RE2 syntax: "+err.Error())
		return
	}
	n := len(program.Inst)
	if i.instructions += n; n > MaxRegex {
		i.refuseSize(e, n)
	} else if i.instructions > maxRegexes {
		i.refuse(e, fmt.Sprintf("expected regular expressions of at most %d instructions in sum when compiled, got %d: use fewer or shorter ones", maxRegexes, i.instructions))
	}
	if i.regexes == nil {
		i.regexes = map[string]regex{}
	}
	i.regexes[pattern] = regex{compiled, uint64(n)}
}

func (i *inspection) refuseSize(e ast.Expr, n int) {
	i.refuse(e, fmt.Sprintf("matches() expects a regular expression of at most %d instructions when compiled, got %d: use smaller repeat counts, or + and *", MaxRegex, n))
}

var (
	folding   = regexp.MustCompile(`\(\?[A-Za-z]*i`)
	wideRange = regexp.MustCompile(`-(\\[x0-7]|[^\x00-\x7f])`)
)

// wideClasses counts what takes the parser of regular expressions long: 30 us
// for a Unicode class, and a millisecond for a wide range without regard to case.
func wideClasses(pattern string) int {
	n := strings.Count(pattern, `\p`) + strings.Count(pattern, `\P`)
	if folding.MatchString(pattern) {
		n += 8 * len(wideRange.FindAllStringIndex(pattern, maxClasses))
	}
	return n
}

// instructions is about the size of the compiled program of a pattern.
func instructions(re *syntax.Regexp) int {
	n := 1
	if re.Op == syntax.OpLiteral || re.Op == syntax.OpConcat || re.Op == syntax.OpRepeat {
		n = len(re.Rune)
	}
	for _, sub := range re.Sub {
		n += instructions(sub)
	}
	if re.Op == syntax.OpRepeat {
		n *= max(1, re.Min, re.Max)
	}
	return min(n, math.MaxInt32)
}

// regexFactor is the cost of one instruction of a compiled pattern on one byte,
// about 10 ns. CEL's own model uses the length of the pattern, but a pattern of
// ten characters can have a thousand instructions.
const regexFactor = 0.1

func (e estimator) regexCost(length uint64, pattern string) uint64 {
	return e.regexes[pattern].cost(length)
}

// cost is the cost of a match with a text.
func (r regex) cost(length uint64) uint64 {
	return cost.SafeMultiplyByFactor(cost.SafeMultiply(cost.SafeAdd(length, 1), r.size), regexFactor)
}

// compiledMatches is the name of matches() with a compiled pattern. CEL's own
// optimization would replace a call of the name that it knows.
const compiledMatches = "matches@compiled"

// regexOption evaluates matches() with a pattern that was compiled before, and
// aborts before a text that alone would cost too much.
func (e estimator) regexOption() cel.ProgramOption {
	return cel.CustomDecoratorV2(func(i interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
		call, ok := i.(interpreter.InterpretableCall)
		if !ok || call.Function() != overloads.Matches || len(call.Args()) != 2 {
			return i, nil
		}
		pattern, ok := call.Args()[1].(interpreter.InterpretableConst)
		if !ok {
			return nil, failure("matches() expects its regular expression as a literal")
		}
		source, _ := pattern.Value().(types.String)
		compiled := e.regexes[string(source)].compiled
		return interpreter.NewCall(call.ID(), compiledMatches, "", call.Args(), func(values ...ref.Val) ref.Val {
			text, ok := values[0].(types.String)
			if !ok {
				return types.MaybeNoSuchOverloadErr(values[0])
			}
			affordable(e.regexCost(uint64(len(text)), string(source)))
			return types.Bool(compiled.MatchString(string(text)))
		}), nil
	})
}
