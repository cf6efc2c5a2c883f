package expr

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"
)

// Costs of what CEL's own model takes for one unit, or does not find when the
// types are known only at run time.
const (
	// zoneCost is of a calendar function with a time zone, which is read from
	// a file.
	zoneCost = 500
	// formatCost is of writing or reading a time or a floating-point number.
	formatCost = 10
)

// conversions take as long as the text they read is.
var conversions = []string{
	overloads.TypeConvertInt, overloads.TypeConvertUint, overloads.TypeConvertDouble,
	overloads.TypeConvertTimestamp, overloads.TypeConvertDuration, overloads.TypeConvertString, overloads.TypeConvertBytes,
}

func traversal(length uint64) uint64 {
	return 1 + cost.SafeMultiplyByFactor(length, cost.StringTraversalCostFactor)
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

func (e estimator) estimateCall(function string, args []cost.AstNode) (uint64, bool) {
	size := func(i int) uint64 { return cost.EstimateSize(e, args[i]).Max }
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

func isZoned(function string, args int) bool {
	return strings.HasPrefix(function, "get") && args == 2
}

func (e estimator) regexCost(length uint64, pattern string) uint64 {
	return cost.SafeMultiplyByFactor(cost.SafeMultiply(cost.SafeAdd(length, 1), e.regexes[pattern]), regexFactor)
}

// counting is the options of a program whose cost is counted.
func (e estimator) costOptions() []cel.ProgramOption {
	return []cel.ProgramOption{
		cel.CostTracking(e), cel.CostLimit(MaxCost),
		cel.CostTrackerOptions(cost.WithSizingStrategy(byteSizes{cost.DefaultSizingStrategy()})),
	}
}

// CallCost implements cost.ActualCostEstimator. It goes by the function: CEL
// does not tell the overload of values whose types were not known before.
func (e estimator) CallCost(function, _ string, args []ref.Val, _ ref.Val) *uint64 {
	n, ok := e.callCost(function, args)
	if !ok {
		return nil
	}
	return &n
}

func (e estimator) callCost(function string, args []ref.Val) (uint64, bool) {
	switch {
	case function == "matches" && len(args) == 2:
		pattern, _ := args[1].(types.String)
		return e.regexCost(lengthOf(args[0]), string(pattern)), true
	case function == overloads.Size && len(args) == 1:
		if s, ok := args[0].(types.String); ok {
			return traversal(uint64(len(s))), true
		}
	case isComparison(function) && len(args) == 2:
		return comparisonCost(args[0], args[1]), true
	case function == operators.In && len(args) == 2:
		return membershipCost(args[0], args[1]), true
	case function == operators.Add && len(args) == 2:
		if isText(args[0]) {
			return traversal(lengthOf(args[0]) + lengthOf(args[1])), true
		}
	case isSets(function) && len(args) == 2:
		return setsCost(args[0], args[1]), true
	case isZoned(function, len(args)):
		return zoneCost, true
	case slices.Contains(conversions, function) && len(args) == 1:
		if isText(args[0]) {
			return traversal(lengthOf(args[0])), true
		}
		return formatCost, true
	}
	return 0, false
}

// byteSizes measures texts in bytes: counting characters takes as long as most
// functions that it would be the cost of.
type byteSizes struct{ cost.SizingStrategy }

// TrackSize implements cost.SizingStrategy.
func (byteSizes) TrackSize(_ cost.TrackContext, v ref.Val) (uint64, bool) { return lengthOf(v), true }

func isText(v ref.Val) bool {
	switch v.(type) {
	case types.String, types.Bytes:
		return true
	}
	return false
}

// lengthOf is the length of a text in bytes, of a list or map in entries, and
// else 1.
func lengthOf(v ref.Val) uint64 {
	switch v := v.(type) {
	case types.String:
		return uint64(len(v))
	case types.Bytes:
		return uint64(len(v))
	case *types.Optional:
		if v.HasValue() {
			return lengthOf(v.GetValue())
		}
	case traits.Sizer:
		n, _ := v.Size().(types.Int)
		return uint64(max(n, 0))
	}
	return 1
}

// matching is how matches() is evaluated: its pattern compiled before, and no
// text read that costs too much to read at all.
func (e estimator) regexOption() cel.ProgramOption {
	return cel.OptimizeRegex(&interpreter.RegexOptimization{
		Function: "matches", RegexIndex: 1,
		Factory: func(call interpreter.InterpretableCall, pattern string) (interpreter.InterpretableCall, error) {
			compiled, err := regexp.Compile(pattern)
			if err != nil {
				return nil, fmt.Errorf("matches() expects a regular expression in RE2 syntax: %w", err)
			}
			return interpreter.NewCall(call.ID(), call.Function(), call.OverloadID(), call.Args(), func(values ...ref.Val) ref.Val {
				if len(values) != 2 {
					return types.NoSuchOverloadErr()
				}
				text, ok := values[0].(types.String)
				switch {
				case !ok:
					return types.MaybeNoSuchOverloadErr(values[0])
				case e.regexCost(uint64(len(text)), pattern) > MaxCost:
					return types.WrapErr(errTooCostly)
				}
				return types.Bool(compiled.MatchString(string(text)))
			}), nil
		},
	})
}
