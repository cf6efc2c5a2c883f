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
	"method":       text("identity.method", func(i *authz.Identity) string { return i.Method }),
	"issuer":       text("identity.issuer", func(i *authz.Identity) string { return i.Issuer }),
	"subject":      text("identity.subject", func(i *authz.Identity) string { return i.Subject }),
	"credentialId": text("identity.credentialId", func(i *authz.Identity) string { return i.CredentialID }),
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
	"issuer":  text("identity.actor.issuer", func(a *authz.Actor) string { return a.Issuer }),
	"subject": text("identity.actor.subject", func(a *authz.Actor) string { return a.Subject }),
}
