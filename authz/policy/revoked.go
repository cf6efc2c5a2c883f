package policy

import (
	"strconv"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/authn"
	"github.com/agentauth-dev/agentauth/authz/revoke"
)

// revoked are the revocations that hold for the policies of a namespace.
type revoked struct {
	*revoke.InForce
	namespace string
}

// check finds out whether a credential was revoked, on every use. It must be complete:
// a revocation names the subject and the actor too. The error is a *authn.Rejected.
func (r revoked) check(of *authz.Request, v *authn.Verified) error {
	if !r.Any() {
		return nil
	}
	c := v.Revocable()
	e := r.Hit(r.namespace, &c, of.Time)
	if e == nil {
		return nil
	}
	detail := "revoked until " + e.Until.UTC().Format(time.RFC3339) + " by " + e.Where() + ", which names " + e.What()
	if e.NamesActor() && c.ActorUnnamed() {
		detail += ", or may name (the token names an actor in a form that cannot be read)"
	}
	if e.Reason != "" {
		detail += ": " + strconv.Quote(e.Reason)
	}
	return &authn.Rejected{Reason: authz.CredentialRevoked, Detail: detail}
}
