package authn

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/apikey"
)

// APIKey checks API keys.
type APIKey struct {
	Method string
	// From are the places of the key; none is the header x-api-key.
	From []Place
	Keys *apikey.Table
}

// Reads implements [Authenticator]. A key has no comma, so one in a header comes
// from joined fields.
func (a *APIKey) Reads() Reads {
	places := []Place{{In: InHeader, Name: "x-api-key", List: true}}
	if len(a.From) > 0 {
		places = slices.Clone(a.From)
	}
	for i := range places {
		places[i].List = true
	}
	return Reads{Places: places}
}

// Challenge implements [Authenticator]. It names the first place, or is the
// scheme there as the policy spells it.
func (a *APIKey) Challenge(*authz.Request, bool) string {
	place := a.Reads().Places[0]
	switch place.In {
	case InCookie:
		return `ApiKey cookie="` + place.Name + `"`
	case InQuery:
		return `ApiKey query="` + place.Name + `"`
	default:
		return cmp.Or(place.Scheme, `ApiKey header="`+place.Name+`"`)
	}
}

// Check implements [Authenticator].
func (a *APIKey) Check(r *authz.Request, v *Verified) error {
	if ends := v.Identity.ExpiresAt; !ends.IsZero() && !r.Time.Before(ends) {
		return reject(authz.CredentialExpired, "the key "+v.Identity.CredentialID+" ended at "+ends.UTC().Format(time.RFC3339))
	}
	return nil
}

// Verify implements [Authenticator].
func (a *APIKey) Verify(_ context.Context, p *Presented) (*Verified, error) {
	if p.Malformed != "" {
		return nil, reject(authz.CredentialMalformed, p.Malformed)
	}
	id, ok := a.Keys.Find(p.Value)
	if !ok {
		return nil, ErrNotMine
	}
	v := &Verified{Identity: id}
	v.Identity.Method = a.Method
	return v, nil
}
