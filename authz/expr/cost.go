package expr

import (
	"fmt"
	"math"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// MaxCost is what an expression may cost, in CEL's units: about 50 ns each. It
// bounds the estimate when the expression is compiled and the cost when it is
// evaluated.
const MaxCost = 1_000_000

// Sizes that the estimate assumes, in bytes and entries. A request that
// exceeds them is bounded by the cost of the evaluation.
const (
	assumedHeader  = 8 << 10
	assumedText    = 16 << 10 // all claims together
	assumedBody    = 64 << 10
	assumedEntries = 256
	// assumedEntry is a name or an entry of a list: all of them together are
	// no longer than what they come in.
	assumedEntry = 1 << 10
)

// regexFactor is the cost of one instruction on one byte. CEL's own model goes
// by the length of the pattern, which says little: ten characters can make a
// thousand instructions, each about 10 ns a byte.
const regexFactor = 0.1

// estimator tells CEL's cost model the sizes of what an expression reads.
type estimator struct{ *inspection }

var _ cost.Estimator = estimator{}

// EstimateSize implements cost.Estimator.
func (e estimator) EstimateSize(node cost.AstNode) *cost.SizeEstimate {
	if node.Type() == nil {
		return nil
	}
	return e.sizeOf(node, node.Type())
}

func (e estimator) sizeOf(node cost.AstNode, t *types.Type) *cost.SizeEstimate {
	var size uint64
	switch t.Kind() {
	case types.StringKind:
		size = assumedLength(node.Path())
	case types.BytesKind:
		size = assumedBody
	case types.ListKind, types.MapKind:
		size = assumedEntries
	case types.DynKind, types.AnyKind, types.TypeParamKind:
		size = assumedLength(node.Path())
		if node.Expr() != nil && e.lists[node.Expr().ID()] {
			size = assumedEntries
		}
	case types.StructKind:
		size = 1
	case types.OpaqueKind:
		if len(t.Parameters()) != 1 {
			return nil
		}
		inner := e.sizeOf(node, t.Parameters()[0])
		if inner == nil {
			return nil
		}
		out := cost.RangedSizeEstimate(0, cost.SafeAdd(inner.Max, 1))
		out.Elem = inner
		return &out
	default:
		return nil
	}
	out := cost.RangedSizeEstimate(0, size)
	return &out
}

func assumedLength(path []string) uint64 {
	if n := len(path); n > 0 && (path[n-1] == "@items" || path[n-1] == "@keys") {
		return assumedEntry
	}
	if len(path) > 2 && path[0] == "request" {
		return assumedHeader
	}
	return assumedText
}

// EstimateCallCost implements cost.Estimator.
func (e estimator) EstimateCallCost(_, overload string, target *cost.AstNode, args []cost.AstNode) *cost.CallEstimate {
	switch overload {
	case overloads.Matches, overloads.MatchesString:
	default:
		return nil
	}
	var text cost.AstNode
	switch {
	case target != nil && len(args) == 1:
		text = *target
	case target == nil && len(args) == 2:
		text = args[0]
	default:
		return nil
	}
	pattern, _ := literal(args[len(args)-1].Expr())
	length := cost.EstimateSize(e, text).Max
	return cost.NewCallEstimate(cost.RangedCostEstimate(0, e.regexCost(length, pattern)), nil)
}

func (e estimator) regexCost(length uint64, pattern string) uint64 {
	return cost.SafeMultiplyByFactor(cost.SafeMultiply(cost.SafeAdd(length, 1), e.regexes[pattern]), regexFactor)
}

// tracking counts regular expressions, when evaluated, as they were estimated.
func (e estimator) tracking() []cost.TrackerOption {
	if len(e.regexes) == 0 {
		return nil
	}
	track := func(args []ref.Val, _ ref.Val) *uint64 {
		if len(args) != 2 {
			return nil
		}
		pattern, _ := args[1].(types.String)
		n := e.regexCost(cost.ActualSize(args[0]), string(pattern))
		return &n
	}
	return []cost.TrackerOption{
		cost.OverloadTracker(overloads.Matches, track),
		cost.OverloadTracker(overloads.MatchesString, track),
	}
}

// bound refuses an expression that could cost too much.
func (e estimator) bound(env *cel.Env, a *cel.Ast) error {
	estimate, err := env.EstimateCost(a, e)
	if err != nil {
		return fmt.Errorf("the cost of the expression cannot be estimated: %w", err)
	}
	if estimate.Max <= MaxCost {
		return nil
	}
	amount := fmt.Sprintf("up to %d units", estimate.Max)
	if estimate.Max == math.MaxUint64 {
		amount = "more units than can be counted"
	}
	return fmt.Errorf("expected an expression that costs at most %d units, got one that costs %s: compare lists by `in` or sets.intersects rather than by loops within loops", MaxCost, amount)
}
