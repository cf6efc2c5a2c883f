package expr

import (
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"
)

// environment is what an expression of a kind can say. Environments are made
// once and do not change.
func environment(k Kind) (*cel.Env, error) {
	if k == Claim {
		return claimEnv()
	}
	return requestEnv()
}

var requestEnv = sync.OnceValues(func() (*cel.Env, error) {
	return newEnv(
		cel.Variable("request", requestType),
		cel.Variable("identity", identityType),
		cel.Variable("identities", cel.MapType(cel.StringType, identityType)),
		cel.Variable("context", textMap),
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
	return cel.NewEnv(append([]cel.EnvOption{
		cel.CustomTypeProvider(provider{registry}),
		cel.CustomTypeAdapter(adapter{}),
		cel.OptionalTypes(),
		cel.CrossTypeNumericComparisons(true),
		cel.DefaultUTCTimeZone(true),
		cel.ExpressionNodeLimit(maxNodes),
		cel.ParserRecursionLimit(maxDepth),
		// Costs of strings are counted from version 5 on.
		ext.Strings(ext.StringsVersion(5)),
		ext.Sets(),
		pathPrefix,
		pathPrefixCost,
	}, variables...)...)
}
