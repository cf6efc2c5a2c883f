package policy

import (
	"context"
	"errors"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/expr"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// unit is what a unit of the cost of an expression takes at most.
const unit = 100 * time.Nanosecond

// evaluate calls fn, which evaluates p, within the budget of the decision: at
// once, or when it is the policy's turn.
func evaluate(ctx context.Context, p *expr.Program, fn func()) error {
	return work.BudgetOf(ctx).Run(ctx, atMost(p), fn)
}

// isBrief says whether p may be evaluated directly, before anybody looks at the
// clock, which takes longer.
func isBrief(ctx context.Context, p *expr.Program, in *expr.Input) bool {
	return work.BudgetOf(ctx).Brief(ctx, time.Duration(p.DirectCost(in))*unit) // #nosec G115 -- it is small
}

func atMost(p *expr.Program) time.Duration { return time.Duration(p.Cost()+p.MakingCost()) * unit }

func evalBool(ctx context.Context, p *expr.Program, in *expr.Input) (holds bool, err error) {
	if isBrief(ctx, p, in) {
		if holds, ok := p.DirectBool(in); ok {
			return holds, nil
		}
	}
	if late := evaluate(ctx, p, func() { holds, err = p.Bool(ctx, in) }); late != nil {
		return false, late
	}
	return holds, err
}

func evalString(ctx context.Context, p *expr.Program, in *expr.Input) (value string, present bool, err error) {
	if isBrief(ctx, p, in) {
		if value, ok := p.DirectString(in); ok {
			return value, value != "", nil
		}
	}
	if late := evaluate(ctx, p, func() { value, present, err = p.String(ctx, in) }); late != nil {
		return "", false, late
	}
	return value, present, err
}

func evalJSON(ctx context.Context, p *expr.Program, in *expr.Input) (value any, present bool, err error) {
	if late := evaluate(ctx, p, func() { value, present, err = p.JSON(ctx, in) }); late != nil {
		return nil, false, late
	}
	return value, present, err
}

// notEvaluated is the answer where an expression found no time; ok is false where
// it has no value for another reason.
func notEvaluated(ctx context.Context, err error) (d authz.Decision, ok bool) {
	switch {
	case errors.Is(err, work.ErrOverloaded):
		return Unavailable(authz.Overloaded, "too many heavy expressions are waiting, or this one takes longer than the time that is left", 0), true
	case ctx.Err() != nil:
		return Unavailable(authz.Unavailable, "the expressions could not be evaluated in time", 0), true
	}
	return authz.Decision{}, false
}
