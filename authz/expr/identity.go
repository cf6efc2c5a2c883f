package expr

import (
	"time"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/agentauth-dev/agentauth/authz"
)

var (
	identityType = types.NewObjectType("Identity")
	actorType    = types.NewObjectType("Actor")
)

// identity is the identity of an Input, and actor who acts for it: the Input
// itself, as with a request.
type (
	identity Input
	actor    Input
)

var identityFields = fields{
	"method":       identityText("identity.method", func(i *authz.Identity) string { return i.Method }),
	"issuer":       identityText("identity.issuer", func(i *authz.Identity) string { return i.Issuer }),
	"subject":      identityText("identity.subject", func(i *authz.Identity) string { return i.Subject }),
	"credentialId": identityText("identity.credentialId", func(i *authz.Identity) string { return i.CredentialID }),
	"audiences":    identityTexts("identity.audiences", func(i *authz.Identity) []string { return i.Audiences }),
	"scopes":       identityTexts("identity.scopes", func(i *authz.Identity) []string { return i.Scopes }),
	"groups":       identityTexts("identity.groups", func(i *authz.Identity) []string { return i.Groups }),
	"claims": field("identity.claims", anyMap,
		func(i *identity) bool { return len(i.Identity.Claims) > 0 },
		func(i *identity) (any, error) { return i.Identity.Claims, nil }),
	"actor": optional("identity.actor", actorType,
		func(i *identity) bool { return i.Identity.Actor != nil },
		func(i *identity) any { return (*actor)(i) }),
	"expiresAt": instant("identity.expiresAt", func(i *identity) time.Time { return i.Identity.ExpiresAt }),
}

var actorFields = fields{
	"issuer":  text("identity.actor.issuer", MaxEntry, func(a *actor) (string, *cache) { return a.Identity.Actor.Issuer, a.cache }),
	"subject": text("identity.actor.subject", MaxEntry, func(a *actor) (string, *cache) { return a.Identity.Actor.Subject, a.cache }),
}

func identityText(path string, get func(*authz.Identity) string) *types.FieldType {
	return text(path, MaxEntry, func(i *identity) (string, *cache) { return get(i.Identity), i.cache })
}

// identityTexts is a list that may be empty. CEL hands out its entries as they
// are, so that all of them are looked at first.
func identityTexts(path string, get func(*authz.Identity) []string) *types.FieldType {
	return field(path, types.NewListType(types.StringType),
		func(i *identity) bool { return len(get(i.Identity)) > 0 },
		func(i *identity) (any, error) {
			list := get(i.Identity)
			return types.NewStringList(types.DefaultTypeAdapter, list), i.cache.readable(path, list)
		})
}

// others is the adapter of the identities by method.
type identityMap struct{ cache *cache }

func (o identityMap) NativeToValue(v any) ref.Val {
	i, ok := v.(*authz.Identity)
	switch {
	case !ok:
		return adapter{}.NativeToValue(v)
	case i == nil:
		return types.WrapErr(failure("there is no such identity"))
	}
	return adapter{}.NativeToValue(&identity{Identity: i, cache: o.cache})
}
