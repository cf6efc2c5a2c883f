package policy

import (
	"context"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/authn"
)

// tellHolder says in the decision whose credential is refused: that of a method, or with
// -1 that which no method knows. Of a credential that was verified it is the identity,
// else what the credential says itself. Where the decision is about no credential, it is
// the identity of one that holds and does not suffice.
func (a *authenticate) tellHolder(ctx context.Context, x *exchange, at int, d *authz.Decision) {
	c := &x.credentials
	if at >= 0 {
		m, r := &a.methods[at], &c.results[at]
		if r.verified != nil {
			d.Refused = r.verified.Refused(ctx)
		} else if p := c.presented(r.place); p != nil {
			d.Claimed = authn.Claimed(m.Authenticator, p)
		}
		if d.Claimed != nil {
			d.Claimed.Method = m.Name
		}
		return
	}
	if i := a.unknown(c); i >= 0 {
		if c.found[i] != nil {
			d.Claimed = authn.Claimed(nil, c.found[i])
		}
		return
	}
	for i := range c.results {
		if id := c.results[i].identity; id != nil {
			d.Refused = (&authn.Verified{Identity: *id}).Refused(ctx)
			return
		}
	}
}

// noteRevoked notes a credential that was revoked and came beside one that is accepted:
// it decides nothing, and whoever revoked it wants to know that it is used.
func (a *authenticate) noteRevoked(ctx context.Context, x *exchange) {
	for i := range x.credentials.results {
		r := &x.credentials.results[i]
		if r.rejected != nil && r.rejected.Reason == authz.CredentialRevoked && r.verified != nil {
			x.refused = r.verified.Refused(ctx)
			x.whyRefused = "another credential came, of method " + a.methods[i].Name + ", and was refused: " + r.rejected.Detail
			return
		}
	}
}

// tellRevoked says in the decision which credential was refused beside the identity.
func (x *exchange) tellRevoked() {
	if x.refused == nil {
		return
	}
	d := &x.decision
	d.Refused = x.refused
	if d.Detail != "" {
		d.Detail += "; "
	}
	d.Detail += x.whyRefused
}

// presented is what a place holds; nil if there is none.
func (c *credentials) presented(place *authn.Place) *authn.Presented {
	for _, p := range c.found {
		if p != nil && &p.Place == place {
			return p
		}
	}
	return nil
}
