package expr

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/interpreter"
)

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

// tooCostly is a failure of the evaluation as a whole.
var errTooCostly error = failure(fmt.Sprintf("the expression costs more than %d units on this request", MaxCost))

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
