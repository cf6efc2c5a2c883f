package expr

import (
	"fmt"
	"math"
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
)

// estimator gives CEL's cost model the sizes of values and the costs of calls.
type estimator struct{ *inspection }

var _ cost.Estimator = estimator{}

// Sizes that the estimate assumes, and no limit guarantees. The counted cost
// bounds an evaluation of larger values.
const (
	// assumedEntries is the number of entries of a list or map.
	assumedEntries = maxEntries
	// assumedName is the length of a header's or parameter's name, on average:
	// all names together are bounded by the size of a request.
	assumedName = 256
)

// bound estimates the cost of an expression, and refuses one that could cost too
// much.
func (e estimator) bound(env *cel.Env, a *cel.Ast) (uint64, error) {
	estimate, err := env.EstimateCost(a, e, guarded...)
	if err != nil {
		return 0, fmt.Errorf("the cost of the expression cannot be estimated: %w", err)
	}
	if estimate.Max <= MaxCost {
		return estimate.Max, nil
	}
	amount := fmt.Sprintf("up to %d units", estimate.Max)
	if estimate.Max == math.MaxUint64 {
		amount = "more units than can be counted"
	}
	hint := "read, join or match shorter texts"
	if e.loops {
		hint = "let the loop read, join or match shorter texts, or compare its list by `in`"
	}
	if e.nested {
		hint = "compare lists by `in` or sets.intersects rather than by loops within loops"
	}
	return 0, fmt.Errorf("expected an expression that costs at most %d units, got one that costs %s: %s", MaxCost, amount, hint)
}

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

// assumedLength is the longest text that can be read at the path of a node.
func assumedLength(node cost.AstNode) uint64 {
	path := node.Path()
	if len(path) == 0 {
		return MaxClaim
	}
	if last := path[len(path)-1]; last != "@items" && slices.Contains(path, "@items") {
		return MaxEntry
	}
	ofRequest, ofIdentity, ofMCP := path[0] == "request", path[0] == "identity", path[0] == mcpName
	switch last := path[len(path)-1]; {
	case last == "@items":
		if isIndex := node.Expr() != nil && node.Expr().Kind() == ast.CallKind; isIndex && !(ofIdentity && len(path) == 3) {
			return MaxClaim
		}
		return MaxEntry
	case ofRequest && last == "@keys":
		return assumedName
	case ofRequest, ofMCP && len(path) == 2:
		return MaxValue
	case ofIdentity && len(path) == 2:
		return MaxEntry
	}
	return MaxClaim
}

// EstimateCallCost implements cost.Estimator.
func (e estimator) EstimateCallCost(function, _ string, target *cost.AstNode, args []cost.AstNode) *cost.CallEstimate {
	if target != nil {
		args = append([]cost.AstNode{*target}, args...)
	}
	n, ok := e.estimateCall(function, args)
	if !ok {
		return nil
	}
	return cost.NewCallEstimate(cost.RangedCostEstimate(0, n), nil)
}

func (e estimator) size(node cost.AstNode) uint64 { return cost.EstimateSize(e, node).Max }

// guarded are the estimates of functions whose results a guard bounds.
var guarded = []cost.Option{
	cost.OverloadCostEstimate("list_join", estimateJoin), cost.OverloadCostEstimate("list_join_string", estimateJoin),
	cost.OverloadCostEstimate("string_split_string", estimateSplit), cost.OverloadCostEstimate("string_split_string_int", estimateSplit),
}

func estimateJoin(e cost.Estimator, list *cost.AstNode, _ []cost.AstNode) *cost.CallEstimate {
	entries := cost.EstimateSize(e, *list).Max
	text := cost.RangedSizeEstimate(0, min(maxText, cost.SafeMultiply(entries, MaxEntry+maxInserted)))
	return cost.NewCallEstimate(cost.RangedCostEstimate(0, cost.SafeAdd(entries, traversal(text.Max))), &text)
}

// estimateSplit takes MaxEntry for the length of a part: all parts together are no
// longer than the text.
func estimateSplit(e cost.Estimator, text *cost.AstNode, _ []cost.AstNode) *cost.CallEstimate {
	length := cost.EstimateSize(e, *text).Max
	part, list := cost.RangedSizeEstimate(0, min(length, MaxEntry)), cost.RangedSizeEstimate(0, min(maxEntries, cost.SafeAdd(length, 1)))
	list.Elem = &part
	return cost.NewCallEstimate(cost.RangedCostEstimate(0, cost.SafeAdd(list.Max, traversal(length))), &list)
}

// estimateCall knows the functions that CEL's own model estimates too low; it is
// false for the others.
func (e estimator) estimateCall(function string, args []cost.AstNode) (uint64, bool) {
	size := func(i int) uint64 { return e.size(args[i]) }
	switch {
	case function == "matches" && len(args) == 2:
		pattern, _ := literal(args[1].Expr())
		return e.regexCost(size(0), pattern), true
	case function == overloads.Size:
		return traversal(size(0)), true
	case function == operators.Equals || function == operators.NotEquals:
		if t := args[0].Type(); t != nil && (t.Kind() == types.ListKind || t.Kind() == types.MapKind) {
			return 1 + min(size(0), size(1)), true
		}
	case isSets(function):
		return cost.SafeAdd(1, cost.SafeMultiply(size(0), size(1))), true
	case isZoned(function, len(args)):
		return zoneCost, true
	case slices.Contains(conversions[:5], function):
		return formatCost + traversal(size(0)), true
	}
	return 0, false
}
