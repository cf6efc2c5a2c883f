package expr

import (
	"time"

	"cel.dev/cel-go/common/types"

	"github.com/agentauth-dev/agentauth/authz"
)

var (
	identityType = types.NewObjectType("Identity")
	actorType    = types.NewObjectType("Actor")
)

var identityFields = fields{
	"method":       identityText("identity.method", func(i *authz.Identity) string { return i.Method }),
	"issuer":       identityText("identity.issuer", func(i *authz.Identity) string { return i.Issuer }),
	"subject":      identityText("identity.subject", func(i *authz.Identity) string { return i.Subject }),
	"credentialId": identityText("identity.credentialId", func(i *authz.Identity) string { return i.CredentialID }),
	"audiences":    texts("identity.audiences", func(i *authz.Identity) []string { return i.Audiences }),
	"scopes":       texts("identity.scopes", func(i *authz.Identity) []string { return i.Scopes }),
	"groups":       texts("identity.groups", func(i *authz.Identity) []string { return i.Groups }),
	"claims": field("identity.claims", anyMap,
		func(i *authz.Identity) bool { return len(i.Claims) > 0 },
		func(i *authz.Identity) (any, error) { return i.Claims, nil }),
	"actor": unset("identity.actor", actorType,
		func(i *authz.Identity) bool { return i.Actor != nil },
		func(i *authz.Identity) any { return i.Actor }),
	"expiresAt": instant("identity.expiresAt", func(i *authz.Identity) time.Time { return i.ExpiresAt }),
}

var actorFields = fields{
	"issuer":  text("identity.actor.issuer", MaxEntry, func(a *authz.Actor) (string, *memory) { return a.Issuer, nil }),
	"subject": text("identity.actor.subject", MaxEntry, func(a *authz.Actor) (string, *memory) { return a.Subject, nil }),
}

func identityText(path string, get func(*authz.Identity) string) *types.FieldType {
	return text(path, MaxEntry, func(i *authz.Identity) (string, *memory) { return get(i), nil })
}
