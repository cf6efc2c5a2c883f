package expr

import (
	"fmt"
	"math"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/types"
)

// MaxCost is what an expression may cost, in CEL's units: about 100 ns each at
// most. It bounds the estimate when the expression is compiled and the cost when
// it is evaluated.
const MaxCost = 1_000_000

// What the estimate assumes beyond the limits of what can be read. A request
// that exceeds it is bounded by the cost of the evaluation.
const (
	// assumedEntries are the entries of a list, or keys of a map.
	assumedEntries = 128
	// assumedName is the length of the name of a header or parameter: all of
	// them together are no longer than what they come in.
	assumedName = 256
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
		size = assumedLength(node)
	case types.BytesKind:
		size = MaxBody
	case types.ListKind, types.MapKind:
		size = assumedEntries
	case types.DynKind, types.AnyKind, types.TypeParamKind:
		size = assumedLength(node)
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

func assumedLength(node cost.AstNode) uint64 {
	path := node.Path()
	if len(path) == 0 {
		return MaxClaim
	}
	ofRequest, ofIdentity := path[0] == "request", path[0] == "identity"
	switch last := path[len(path)-1]; {
	case last == "@items":
		if isIndex := node.Expr() != nil && node.Expr().Kind() == ast.CallKind; isIndex && !(ofIdentity && len(path) == 3) {
			return MaxClaim
		}
		return MaxEntry
	case ofRequest && last == "@keys":
		return assumedName
	case ofRequest:
		return MaxValue
	case ofIdentity && len(path) == 2:
		return MaxEntry
	}
	return MaxClaim
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
