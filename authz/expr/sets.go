package expr

import (
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// The functions on sets are CEL's, but refuse two long lists before they
// compare them: the cost is only counted afterwards.
var sets = []cel.EnvOption{
	set("sets.contains", "list_sets_contains_list", contains),
	set("sets.equivalent", "list_sets_equivalent_list", func(a, b traits.Lister) ref.Val {
		if is := contains(a, b); is != types.True {
			return is
		}
		return contains(b, a)
	}),
	set("sets.intersects", "list_sets_intersects_list", func(a, b traits.Lister) ref.Val {
		for it := a.Iterator(); it.HasNext() == types.True; {
			if b.Contains(it.Next()) == types.True {
				return types.True
			}
		}
		return types.False
	}),
}

func isSets(function string) bool { return strings.HasPrefix(function, "sets.") }

func contains(list, sub traits.Lister) ref.Val {
	for it := sub.Iterator(); it.HasNext() == types.True; {
		if is := list.Contains(it.Next()); is != types.True {
			return is
		}
	}
	return types.True
}

func set(name, id string, of func(a, b traits.Lister) ref.Val) cel.EnvOption {
	list := cel.ListType(cel.TypeParamType("T"))
	return cel.Function(name, cel.Overload(id, []*cel.Type{list, list}, cel.BoolType,
		cel.BinaryBinding(func(a, b ref.Val) ref.Val {
			first, ok1 := a.(traits.Lister)
			second, ok2 := b.(traits.Lister)
			switch {
			case !ok1 || !ok2:
				return types.NoSuchOverloadErr()
			case setsCost(a, b) > MaxCost:
				return types.WrapErr(errTooCostly)
			}
			return of(first, second)
		})))
}
