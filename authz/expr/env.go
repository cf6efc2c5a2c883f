package expr

import (
	"slices"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"
)

// environment is what an expression of a kind can say. Environments are made
// once and do not change.
func environment(k Kind) (*cel.Env, error) {
	if k == Claim || k == Subject {
		return claimEnv()
	}
	return requestEnv()
}

var requestEnv = sync.OnceValues(func() (*cel.Env, error) {
	return newEnv(
		cel.Variable("request", requestType),
		cel.Variable("identity", identityType),
		cel.Variable("identities", cel.MapType(cel.StringType, identityType)),
		cel.Variable("context", stringMap),
		cel.Variable("metadata", anyMap),
	)
})

var claimEnv = sync.OnceValues(func() (*cel.Env, error) {
	return newEnv(cel.Variable("claims", anyMap))
})

func newEnv(variables ...cel.EnvOption) (*cel.Env, error) {
	registry, err := types.NewRegistry()
	if err != nil {
		return nil, err
	}
	options := []cel.EnvOption{
		cel.CustomTypeProvider(provider{registry}),
		cel.CustomTypeAdapter(adapter{}),
		cel.OptionalTypes(),
		cel.CrossTypeNumericComparisons(true),
		cel.DefaultUTCTimeZone(true),
		cel.ExpressionNodeLimit(maxNodes),
		cel.ParserRecursionLimit(maxDepth),
		// Costs of strings are counted from version 5 on.
		ext.Strings(ext.StringsVersion(5)),
		searchCost,
		pathPrefix,
		pathPrefixCost,
	}
	return cel.NewEnv(slices.Concat(options, sets, variables)...)
}

// searchCost is of functions that split their arguments into characters before
// they look for one in the other. CEL's own is nothing for one that is empty.
var searchCost = func() cel.EnvOption {
	var models []cost.OverloadModel
	for _, id := range []string{"string_index_of_string", "string_index_of_string_int", "string_last_index_of_string", "string_last_index_of_string_int"} {
		models = append(models, cost.MemberOverload(id, cost.EvalCost(cost.Sum(
			cost.Const(cost.CallCost),
			cost.Scale(cost.Sum(cost.Target(), cost.Arg(0), cost.Mul(cost.Target(), cost.Arg(0))), cost.StringTraversalCostFactor)))))
	}
	return cel.CostModel(models...)
}()
