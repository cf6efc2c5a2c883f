package expr

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
)

// maxMessage bounds error messages, which may repeat parts of the expression.
const maxMessage = 300

// interruptEvery is how many steps of loops pass between two looks at the
// context.
const interruptEvery = 100

// Program is a compiled expression. It may be used by several goroutines. The
// zero value, and nil, fail to evaluate.
type Program struct {
	kind     Kind
	program  cel.Program
	contents *inspection
}

// Compile checks an expression: at most [MaxLength] bytes, of the right type,
// and estimated to cost at most [MaxCost]. Errors are one line and begin with
// line:column, both from 1.
func Compile(kind Kind, src string) (*Program, error) {
	switch {
	case results[kind] == nil:
		return nil, fmt.Errorf("expected a kind of expression, got %d", kind)
	case len(src) > MaxLength:
		return nil, errorAt(1, 0, fmt.Sprintf("expected an expression of at most %d bytes, got %d", MaxLength, len(src)))
	case strings.TrimSpace(src) == "":
		return nil, errorAt(1, 0, fmt.Sprintf("expected %s, got an empty expression", kind.expected()))
	case !utf8.ValidString(src):
		return nil, errorAt(1, 0, "expected an expression in UTF-8")
	}
	env, err := environment(kind)
	if err != nil {
		return nil, err
	}
	checked, issues := env.Compile(src)
	if err := firstOf(issues); err != nil {
		return nil, err
	}
	contents := inspect(checked.NativeRep())
	if contents.err != nil {
		return nil, contents.err
	}
	root := checked.NativeRep().Expr().ID()
	if t := checked.OutputType(); !kind.yields(t) {
		return nil, contents.at(root, fmt.Sprintf("expected %s, got %s", kind.expected(), cel.FormatCELType(t)))
	}
	e := estimator{contents}
	if err := e.bound(env, checked); err != nil {
		return nil, contents.at(root, err.Error())
	}
	program, err := plan(env, checked, e)
	if err != nil {
		return nil, contents.at(root, err.Error())
	}
	contents.lists, contents.types = nil, nil
	return &Program{kind: kind, program: program, contents: contents}, nil
}

func plan(env *cel.Env, checked *cel.Ast, e estimator) (cel.Program, error) {
	options := []cel.ProgramOption{cel.EvalOptions(cel.OptOptimize), e.regexOption()}
	if e.countCost {
		options = append(options, e.costOptions()...)
	}
	if e.loops {
		options = append(options, cel.InterruptCheckFrequency(interruptEvery))
	}
	return env.Program(checked, options...)
}

// firstOf is the first error of a check: the others mostly follow from it.
func firstOf(issues *cel.Issues) error {
	if issues.Err() == nil {
		return nil
	}
	first := slices.MinFunc(issues.Errors(), func(a, b *cel.Error) int {
		return cmp.Or(cmp.Compare(lineOf(a), lineOf(b)), cmp.Compare(a.Location.Column(), b.Location.Column()))
	})
	message, _, _ := strings.Cut(first.Message, " expecting {")
	message = strings.TrimSuffix(message, " (in container '')")
	if strings.Contains(message, "recursion") {
		message = fmt.Sprintf("expected an expression that is nested at most %d deep", maxDepth)
	}
	return errorAt(first.Location.Line(), first.Location.Column(), message)
}

// place orders errors by line. One without a line comes last, unless it is why
// the parser gave up.
func lineOf(e *cel.Error) int {
	switch {
	case strings.Contains(e.Message, "recursion"):
		return 0
	case e.Location.Line() < 1:
		return math.MaxInt
	}
	return e.Location.Line()
}

// placed makes an error of one line. Columns come counted from 0; what concerns
// the whole comes without a place.
func errorAt(line, column int, message string) error {
	message = strings.Join(strings.Fields(message), " ")
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage], "") + " ..."
	}
	return fmt.Errorf("%d:%d: %s", max(line, 1), max(column, 0)+1, message)
}
