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

func isZoned(function string, args int) bool {
	return strings.HasPrefix(function, "get") && args == 2
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

// containerWeight is what a list or map weighs beside what it holds.
const containerWeight = 5

// weight is about how long a value takes to be compared: all that it holds. It
// stops counting beyond what an expression may cost. What cannot be read ends
// the evaluation: to CEL's own maps and lists it is merely not equal.
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

// comparisonCost is of comparing two values: no longer than the lighter takes,
// and nothing of lists or maps of which one has more entries.
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

// membershipCost is of looking for a value in a list or map.
func membershipCost(v, in ref.Val) uint64 {
	list, ok := in.(traits.Lister)
	switch {
	case !ok:
		return traversal(lengthOf(v))
	case isContainer(v):
		return weight(list)
	}
	return 1 + lengthOf(list)
}

// setsCost is of looking for each entry of one list in another.
func setsCost(a, b ref.Val) uint64 {
	return cost.SafeAdd(1, cost.SafeMultiply(weight(a), lengthOf(b)))
}
