package expr

import (
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

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
