package engine

import (
	"errors"
	"strings"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/authn"
)

// refuse says why nobody was authenticated: 503 if a method could not tell,
// 403 for a password over plaintext, else 401.
func (p *policy) refuse(r *authz.Request, w *who) authz.Decision {
	reject := -1
	for i := range w.results {
		res := &w.results[i]
		if u := res.unavailable; u != nil {
			d := unavailable(u.Reason, u.Detail, u.RetryAfter)
			d.Method = p.methods[i].name
			return d
		}
		beside := !p.methods[i].required && w.sufficient
		if res.rejected != nil && !beside && (reject < 0 || res.rejected.Reason == authz.PlaintextRefused) {
			reject = i
		}
	}
	d := authz.Decision{Outcome: authz.Deny, Status: 401}
	switch {
	case reject >= 0:
		d.Reason, d.Detail = w.results[reject].rejected.Reason, w.results[reject].rejected.Detail
		d.Method = p.methods[reject].name
	default:
		d.Reason, d.Detail = p.unclaimed(w)
	}
	if d.Reason == authz.PlaintextRefused {
		d.Status = 403
		answer(&d, "A password was sent over plaintext. Use https.", "", p.unauthorized)
		return d
	}
	d.Headers = p.challenges(r, w)
	detail := "The credential was not accepted. Get a new one, or another, and send it as www-authenticate says."
	if d.Reason == authz.NoCredential {
		detail = "A credential is required. Send one as www-authenticate says."
	}
	answer(&d, detail, "", p.unauthenticated)
	return d
}

// unclaimed finds the reason where no method rejected anything: a credential
// that came and that no method knows, or none at all.
func (p *policy) unclaimed(w *who) (authz.Reason, string) {
	for i, place := range p.places {
		if !w.occupied[i] || w.claimed(place) {
			continue
		}
		if f := w.found[i]; f != nil {
			_, err := f.Token()
			var malformed *authn.Rejected
			switch {
			case err == nil:
				return authz.IssuerMismatch, "the " + place.String() + " holds a JWT, and no method accepts those of its issuer"
			case errors.As(err, &malformed):
				return malformed.Reason, malformed.Detail
			}
		}
		return authz.UnknownCredential, "no method knows what the " + place.String() + " holds"
	}
	return authz.NoCredential, "no method that is needed found a credential"
}

// claimed says whether some method made sense of what the header, cookie or
// query parameter holds.
func (w *who) claimed(place authn.Place) bool {
	for i := range w.results {
		r := &w.results[i]
		if r.place != nil && r.place.In == place.In && r.place.Name == place.Name &&
			(r.identity != nil || r.rejected != nil) {
			return true
		}
	}
	return false
}

// challenges offers, in order, every method that could have been used
// (RFC 9110 11.6.1). There is always one.
func (p *policy) challenges(r *authz.Request, w *who) []authz.Header {
	var out []authz.Header
	seen := map[string]bool{}
	for i := range p.methods {
		m, res := &p.methods[i], &w.results[i]
		c := m.challenge
		if c == "" || res.identity != nil || m.tlsOnly && !r.TLS {
			continue
		}
		if m.kind == jwtKind && res.place != nil {
			c += ` error="invalid_token"` // RFC 6750 3.1
		}
		if !seen[c] {
			seen[c] = true
			out = append(out, authz.Header{Name: "www-authenticate", Value: c})
		}
	}
	if out == nil {
		out = []authz.Header{{Name: "www-authenticate", Value: "Bearer"}}
	}
	return out
}

// keyChallenge is the challenge of a method for API keys: it names the first
// place, or is the scheme there, as the policy spells it.
func keyChallenge(from []v1alpha1.Place) string {
	if len(from) == 0 {
		return `ApiKey header="x-api-key"`
	}
	switch p := from[0]; {
	case p.Cookie != nil:
		return `ApiKey cookie="` + p.Cookie.Name + `"`
	case p.Query != nil:
		return `ApiKey query="` + p.Query.Name + `"`
	case p.Header.Scheme != "":
		return p.Header.Scheme
	default:
		return `ApiKey header="` + strings.ToLower(p.Header.Name) + `"`
	}
}
