package authn

import (
	"cmp"
	"context"
	"slices"
	"strings"
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
	v.holder.Used(r.Time)
	if ends := v.Identity.ExpiresAt; !ends.IsZero() && !r.Time.Before(ends) {
		return reject(authz.CredentialExpired, "the key "+v.Identity.CredentialID+" of "+v.holder.String()+" ended at "+ends.UTC().Format(time.RFC3339))
	}
	return nil
}

// Verify implements [Authenticator].
func (a *APIKey) Verify(_ context.Context, p *Presented) (*Verified, error) {
	if p.Malformed != "" {
		return nil, reject(authz.CredentialMalformed, p.Malformed)
	}
	id, holder, ok := a.Keys.Find(p.Value)
	if !ok {
		return nil, a.unknown(p)
	}
	v := &Verified{Identity: id, holder: holder}
	v.Identity.Method = a.Method
	return v, nil
}

// unknown is [NotMine] for a credential that is no key.
func (a *APIKey) unknown(p *Presented) error {
	switch {
	case p.Place.In == InQuery && strings.Contains(p.Value, " "):
		return spoiledKey{a, "the key has a space, which is what a + in a query means: send it as %2B, or make keys of hex digits (openssl rand -hex 32)"}
	case apikey.IsDigest(p.Value):
		return spoiledKey{a, "the digest of a key came: send the key itself"}
	}
	return (*unknownKey)(a)
}

// unknownKey is the method, as the error that it does not know a key: it costs
// nothing.
type unknownKey APIKey

func (e *unknownKey) Error() string        { return ErrNotMine.Error() }
func (e *unknownKey) Is(target error) bool { return target == ErrNotMine }

// Came implements [NotMine].
func (e *unknownKey) Came() string { return "the selector found " + e.Keys.Found().String() }

// spoiledKey is an unknownKey of which it is seen what is wrong.
type spoiledKey struct {
	method *APIKey
	hint   string
}

func (e spoiledKey) Error() string        { return ErrNotMine.Error() }
func (e spoiledKey) Is(target error) bool { return target == ErrNotMine }

// Came implements [NotMine].
func (e spoiledKey) Came() string { return e.hint + "; " + (*unknownKey)(e.method).Came() }
