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
)

// failure is an error of our own making. Its text holds no value that an
// expression has read, so that it may be shown as it is.
type failure string

func (f failure) Error() string { return string(f) }

// tooCostly is a failure of the evaluation as a whole.
var errTooCostly error = failure(fmt.Sprintf("the expression costs more than %d units on this request", MaxCost))

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

// maxMessage bounds error messages, which may repeat parts of the expression.
const maxMessage = 300

// placed makes an error of one line. Columns come counted from 0; what concerns
// the whole comes without a place.
func errorAt(line, column int, message string) error {
	message = strings.Join(strings.Fields(message), " ")
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage], "") + " ..."
	}
	return fmt.Errorf("%d:%d: %s", max(line, 1), max(column, 0)+1, message)
}

// failed makes of CEL's error one that can be logged. CEL's own repeat what
// they failed on, int(request.headers["authorization"]) a credential.
func (p *Program) failed(ctx context.Context, err error) error {
	// Whatever it failed of: a loop that was interrupted is an error among
	// others to what is around it.
	if ended := ctx.Err(); ended != nil {
		return fmt.Errorf("the expression was interrupted: %w", ended)
	}
	var cancelled interpreter.EvalCancelledError
	switch {
	case !errors.As(err, &cancelled):
	case cancelled.Cause == interpreter.CostLimitExceeded:
		return errTooCostly
	default:
		return failure(cancelled.Message) // of our own Iterator
	}
	message := p.safeText(err)
	var celErr *types.Err
	if !errors.As(err, &celErr) || celErr.NodeID() == 0 || isShared(celErr) {
		return errors.New(message)
	}
	return p.contents.at(celErr.NodeID(), message)
}

// known are the beginnings of CEL's errors that say what went wrong without
// saying of what.
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

func (p *Program) safeText(err error) string {
	var own failure
	if errors.As(err, &own) {
		return string(own)
	}
	text := err.Error()
	if key, ok := strings.CutPrefix(text, "no such key: "); ok {
		if p.contents.names[key] {
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

// sharedError says that CEL has one value of this error for all programs: the
// place it carries may be another's.
func isShared(err *types.Err) bool {
	return err == types.NoSuchOverloadErr() || err.Error() == "timestamp overflow"
}
