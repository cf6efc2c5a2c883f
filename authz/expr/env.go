package expr

import (
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"
)

// Kind says what an expression reads and what it must yield.
type Kind uint8

const (
	_ Kind = iota
	// Bool is a condition: when and require.
	Bool
	// String is the value of a header. Nothing (null, optional.none() or "") is
	// allowed.
	String
	// Claim maps the claims of a token: it yields a text, a whole number, a
	// list of these, or nothing.
	Claim
	// Subject maps the claims of a token to its subject: a text, a whole
	// number, or nothing.
	Subject
	// JSON is a value of metadata: whatever JSON can say, or nothing.
	JSON
	// Actor maps the claims of a token to its actor: a subject, as a text or a whole
	// number; a map of subject and issuer; or nothing.
	Actor
)

// results are the types that an expression of a kind may have. The value of a
// dyn expression is checked after the evaluation.
var results = map[Kind][]*cel.Type{
	Bool: {cel.BoolType},
	String: {cel.StringType, cel.NullType,
		cel.OptionalType(cel.StringType), cel.OptionalType(cel.DynType)},
	Subject: {cel.StringType, cel.IntType, cel.NullType,
		cel.OptionalType(cel.StringType), cel.OptionalType(cel.IntType), cel.OptionalType(cel.DynType)},
	Claim: {cel.StringType, cel.IntType, cel.NullType,
		cel.ListType(cel.StringType), cel.ListType(cel.IntType), cel.ListType(cel.DynType),
		cel.OptionalType(cel.StringType), cel.OptionalType(cel.IntType), cel.OptionalType(cel.DynType),
		cel.OptionalType(cel.ListType(cel.StringType)), cel.OptionalType(cel.ListType(cel.IntType)), cel.OptionalType(cel.ListType(cel.DynType))},
}

// yields says whether an expression of type t may be of this kind.
func (k Kind) yields(t *cel.Type) bool {
	if t.Kind() == types.DynKind {
		return true
	}
	if k == JSON {
		if t.Kind() == types.OpaqueKind && strings.HasPrefix(t.TypeName(), "optional_type") {
			t = t.Parameters()[0]
		}
		return isJSON(t)
	}
	if k == Actor {
		return Subject.yields(t) || isTextMap(t)
	}
	for _, want := range results[k] {
		if t.IsExactType(want) {
			return true
		}
	}
	return k.takesEmpty(t)
}

// isTextMap says whether t is a map by text, or an optional one.
func isTextMap(t *cel.Type) bool {
	if t.Kind() == types.OpaqueKind && strings.HasPrefix(t.TypeName(), "optional_type") {
		t = t.Parameters()[0]
	}
	return t.Kind() == types.MapKind && t.Parameters()[0].Kind() == types.StringKind
}

// takesEmpty reports whether t is the type of [] or optional.none(), which have
// no type of their entries, and the kind allows them.
func (k Kind) takesEmpty(t *cel.Type) bool {
	return (t.Kind() == types.ListKind && k == Claim || k != Bool && strings.HasPrefix(t.TypeName(), "optional_type")) &&
		len(t.Parameters()) == 1 && t.Parameters()[0].Kind() == types.TypeParamKind
}

// expected names the types of a kind in error messages.
func (k Kind) expected() string {
	switch k {
	case Bool:
		return "bool"
	case String:
		return "string"
	case Subject:
		return "string or int"
	case Actor:
		return "a string, or a map with subject and issuer"
	case JSON:
		return "a value of JSON (string, number, bool, null, or a list or map of them; write times as string(...))"
	default:
		return "string, int or a list of them"
	}
}

// readsClaims says whether expressions of a kind read `claims`, and nothing else.
func (k Kind) readsClaims() bool { return k == Claim || k == Subject || k == Actor }

// environment has the variables and functions of a kind. Environments are made
// once and do not change.
func environment(k Kind) (*cel.Env, error) {
	if k.readsClaims() {
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
		cel.Variable(mcpName, mcpType),
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
		ext.Network(),
		searchCost,
		pathPrefix,
		pathPrefixCost,
	}
	return cel.NewEnv(slices.Concat(options, sets, variables)...)
}
