package expr

import (
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// Costs of functions that cost one unit in CEL's own model, or whose types are
// known only at run time.
const (
	// zoneCost is the cost of a calendar function with a time zone: Go reads the
	// zone from a file.
	zoneCost = 500
	// formatCost is the cost of writing or reading a time or a floating-point
	// number.
	formatCost = 10
)

// conversions have a cost that is linear in their text.
var conversions = []string{
	overloads.TypeConvertInt, overloads.TypeConvertUint, overloads.TypeConvertDouble,
	overloads.TypeConvertTimestamp, overloads.TypeConvertDuration, overloads.TypeConvertString, overloads.TypeConvertBytes,
}

// traversal is the cost of reading a text once.
func traversal(length uint64) uint64 {
	return 1 + cost.SafeMultiplyByFactor(length, cost.StringTraversalCostFactor)
}

func isZoned(function string, args int) bool {
	return strings.HasPrefix(function, "get") && args == 2
}

// costOptions make a program count its cost.
func (e estimator) costOptions() []cel.ProgramOption {
	return []cel.ProgramOption{
		cel.CostTracking(e), cel.CostLimit(MaxCost),
		cel.CostTrackerOptions(cost.WithSizingStrategy(byteSizes{cost.DefaultSizingStrategy()})),
	}
}

// CallCost implements cost.ActualCostEstimator. It looks at the function: CEL
// gives no overload for values whose types the type check did not know.
func (e estimator) CallCost(function, _ string, args []ref.Val, _ ref.Val) *uint64 {
	n, ok := e.callCost(function, args)
	if !ok {
		return nil
	}
	return &n
}

// callCost is estimateCall at run time, with the values.
func (e estimator) callCost(function string, args []ref.Val) (uint64, bool) {
	switch {
	case function == compiledMatches && len(args) == 2:
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

// byteSizes measures texts in bytes: counting the characters of a text takes as
// long as most functions on it.
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

// lengthOf is the length of a text in bytes, or of a list or map in entries. The
// length of other values is 1.
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

// containerWeight is the weight of a list or map without its contents.
const containerWeight = 5

// weight is the cost of comparing a value with all its contents. It stops at
// MaxCost. A value that cannot be read ends the evaluation: CEL's own maps and
// lists would take it for unequal.
func weight(v ref.Val) uint64 { return weighed(v, 0) }

func weighed(v ref.Val, sum uint64) uint64 {
	if sum > MaxCost {
		return sum
	}
	switch v := v.(type) {
	case types.String, types.Bytes:
		return sum + traversal(lengthOf(v))
	case *types.Optional:
		if v.HasValue() {
			return weighed(v.GetValue(), sum+1)
		}
	case *object: // compared by reference, or by two texts
	case traits.Lister:
		for it := v.Iterator(); it.HasNext() == types.True && sum <= MaxCost; {
			sum = weighed(readOrAbort(it.Next()), sum)
		}
		return sum + containerWeight
	case traits.Mapper:
		for it := v.Iterator(); it.HasNext() == types.True && sum <= MaxCost; {
			key := readOrAbort(it.Next())
			sum = weighed(readOrAbort(v.Get(key)), weighed(key, sum))
		}
		return sum + containerWeight
	}
	return sum + 1
}

func isComparison(function string) bool {
	switch function {
	case operators.Equals, operators.NotEquals,
		operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		return true
	}
	return false
}

// comparisonCost is the cost of comparing two values: the weight of the lighter
// one. Lists and maps of different lengths are unequal at once.
func comparisonCost(a, b ref.Val) uint64 {
	switch {
	case !isContainer(a) || !isContainer(b):
		return traversal(min(lengthOf(a), lengthOf(b)))
	case a.Type() != b.Type() || lengthOf(a) != lengthOf(b):
		return 1
	}
	return min(weight(a), weight(b))
}

func isContainer(v ref.Val) bool {
	switch v.(type) {
	case traits.Lister, traits.Mapper, *types.Optional:
		return true
	}
	return false
}

// membershipCost is the cost of finding a value in a list or map.
func membershipCost(v, in ref.Val) uint64 {
	list, ok := in.(traits.Lister)
	switch {
	case !ok:
		return traversal(lengthOf(v))
	case isContainer(v):
		return weight(list)
	}
	return 1 + cost.SafeMultiply(lengthOf(list), 1+lengthOf(v)/comparedAtOnce)
}

// comparedAtOnce is how many bytes of two texts are compared in the time of one
// unit.
const comparedAtOnce = 1 << 10

// setsCost is the cost of finding each entry of one list in another. A call with anything
// else fails at once: a text's length says nothing of its cost.
func setsCost(a, b ref.Val) uint64 {
	_, ok1 := a.(traits.Lister)
	if _, ok2 := b.(traits.Lister); !ok1 || !ok2 {
		return 1
	}
	return cost.SafeAdd(1, cost.SafeMultiply(weight(a), lengthOf(b)))
}
