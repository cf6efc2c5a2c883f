package expr

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/interpreter"

	"github.com/agentauth-dev/agentauth/authz"
)

// failure is an error with a text of this package. The text never holds a value
// that an expression has read, so it may be logged.
type failure string

func (f failure) Error() string { return string(f) }

// errTooCostly ends an evaluation whose cost is over MaxCost.
var errTooCostly error = failure(fmt.Sprintf("the expression costs more than %d units on this request", MaxCost))

// firstOf is the first error of the type check; the others mostly follow from it.
func firstOf(kind Kind, src string, issues *cel.Issues) error {
	all := issues.Errors() // issues.Err() writes each out, with its line
	if len(all) == 0 {
		return nil
	}
	first := slices.MinFunc(all, func(a, b *cel.Error) int {
		return cmp.Or(cmp.Compare(lineOf(a), lineOf(b)), cmp.Compare(a.Location.Column(), b.Location.Column()))
	})
	message, _, _ := strings.Cut(first.Message, " expecting {")
	message = strings.TrimSuffix(message, " (in container '')")
	if strings.Contains(message, "recursion") {
		message = fmt.Sprintf("expected an expression that is nested at most %d deep", maxDepth)
	}
	if say := hint(kind, src, first.Location.Line(), first.Location.Column(), message); say != "" {
		message = authz.Cut(message, maxMessage/2) + ": " + say
	}
	return errorAt(first.Location.Line(), first.Location.Column(), message)
}

// lineOf orders errors. An error without a line comes last. The error that made
// the parser stop comes first.
func lineOf(e *cel.Error) int {
	switch {
	case strings.Contains(e.Message, "recursion"):
		return 0
	case e.Location.Line() < 1:
		return math.MaxInt
	}
	return e.Location.Line()
}

// maxMessage bounds error messages, which may repeat parts of the expression.
const maxMessage = 300

// errorAt makes an error of one line of text. Lines count from 1 and columns
// from 0; an error of the whole expression has no line.
func errorAt(line, column int, message string) error {
	message = strings.Join(strings.Fields(message), " ")
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage], "") + " ..."
	}
	return fmt.Errorf("%d:%d: %s", max(line, 1), max(column, 0)+1, message)
}

// failed turns CEL's error into one that may be logged. CEL's errors repeat the
// value that failed: for int(request.headers["authorization"]) a credential.
func (f *full) failed(ctx context.Context, err error) error {
	// The context comes first: an expression around an interrupted loop may have
	// replaced its error by another.
	if ended := ctx.Err(); ended != nil {
		return fmt.Errorf("the expression was interrupted: %w", ended)
	}
	var cancelled interpreter.EvalCancelledError
	switch {
	case !errors.As(err, &cancelled):
	case cancelled.Cause == interpreter.CostLimitExceeded:
		return errTooCostly
	default:
		return failure(cancelled.Message) // of abort
	}
	message := f.safeText(err)
	var celErr *types.Err
	if !errors.As(err, &celErr) || celErr.NodeID() == 0 || isShared(celErr) {
		return errors.New(message)
	}
	return f.contents.at(celErr.NodeID(), message)
}

// celErrors are the errors of CEL that have a safe meaning, by their beginnings.
var celErrors = []struct{ begins, means string }{
	{"no such overload", "a value has a type that the operator or function does not take"},
	{"index out of", "the index is out of range"},
	{"invalid substring range", "the index is out of range"},
	{"division by zero", "division by zero"},
	{"modulus by zero", "division by zero"},
	{"integer overflow", "a number is out of range"},
	{"unsigned integer overflow", "a number is out of range"},
	{"range error", "a number is out of range"},
	{"duration overflow", "a duration is out of range"},
	{"timestamp overflow", "a time is out of range"},
	{"optional.none() dereference", "optional.none() has no value"},
}

// safeText describes an error without the values that CEL puts in.
func (f *full) safeText(err error) string {
	var own failure
	if errors.As(err, &own) {
		return string(own)
	}
	text := err.Error()
	if key, ok := strings.CutPrefix(text, "no such key: "); ok {
		if f.contents.has(key) {
			return text
		}
		return "no such key"
	}
	for _, k := range celErrors {
		if strings.HasPrefix(text, k.begins) {
			return k.means
		}
	}
	return "a conversion or function failed"
}

// isShared reports whether all programs share CEL's error value: its node may be
// one of another program.
func isShared(err *types.Err) bool {
	return err == types.NoSuchOverloadErr() || err.Error() == "timestamp overflow"
}
