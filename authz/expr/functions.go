package expr

import (
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

const pathPrefixID = "path_prefix_string_string"

// pathPrefix is startsWith for paths: "/v1" is not a prefix of "/v10".
var pathPrefix = cel.Function("pathPrefix",
	cel.Overload(pathPrefixID, []*cel.Type{cel.StringType, cel.StringType}, cel.BoolType,
		cel.BinaryBinding(func(path, prefix ref.Val) ref.Val {
			p, ok1 := path.(types.String)
			q, ok2 := prefix.(types.String)
			if !ok1 || !ok2 {
				return types.WrapErr(failure("pathPrefix compares two strings"))
			}
			is, err := hasPathPrefix(string(p), string(q))
			if err != nil {
				return types.WrapErr(err)
			}
			return types.Bool(is)
		})))

var pathPrefixCost = cel.CostModel(cost.Overload(pathPrefixID,
	cost.EvalCost(cost.Scale(cost.Arg(1), cost.StringTraversalCostFactor))))

// hasPathPrefix compares whole segments and ignores a '/' at the end of the
// prefix. A prefix that no path can have is an error: a `when` that is never
// true would turn its rule off.
func hasPathPrefix(path, prefix string) (bool, error) {
	if !strings.HasPrefix(prefix, "/") {
		return false, failure("pathPrefix expects a prefix that starts with '/'")
	}
	rest, ok := strings.CutPrefix(path, strings.TrimSuffix(prefix, "/"))
	return ok && (rest == "" || rest[0] == '/'), nil
}

// sets are CEL's functions on sets. These here refuse two long lists before they
// compare them: CEL counts the cost of a call only after it.
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
			}
			affordable(setsCost(a, b))
			return of(first, second)
		})))
}

// searchCost is the cost of functions that split both arguments into characters
// before they search. In CEL's own model an empty argument makes them free.
var searchCost = func() cel.EnvOption {
	var models []cost.OverloadModel
	for _, id := range []string{"string_index_of_string", "string_index_of_string_int", "string_last_index_of_string", "string_last_index_of_string_int"} {
		models = append(models, cost.MemberOverload(id, cost.EvalCost(cost.Sum(
			cost.Const(cost.CallCost),
			cost.Scale(cost.Sum(cost.Target(), cost.Arg(0), cost.Mul(cost.Target(), cost.Arg(0))), cost.StringTraversalCostFactor)))))
	}
	return cel.CostModel(models...)
}()
