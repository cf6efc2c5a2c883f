package expr

import (
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

const pathPrefixID = "path_prefix_string_string"

// pathPrefix is startsWith for paths: "/v1" is no prefix of "/v10".
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

// hasPathPrefix compares whole segments; a '/' at the end of the prefix says
// nothing more. A prefix that no path can have is an error: a `when` that never
// holds would turn its rule off.
func hasPathPrefix(path, prefix string) (bool, error) {
	if !strings.HasPrefix(prefix, "/") {
		return false, failure("pathPrefix expects a prefix that starts with '/'")
	}
	rest, ok := strings.CutPrefix(path, strings.TrimSuffix(prefix, "/"))
	return ok && (rest == "" || rest[0] == '/'), nil
}
