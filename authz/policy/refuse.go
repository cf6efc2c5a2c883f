package policy

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/authn"
)

// refuse is the decision where nobody was authenticated: 503 if a method could
// not tell, 403 for a password over plaintext, else 401.
func (a *authenticate) refuse(ctx context.Context, x *exchange) authz.Decision {
	c, reject := &x.credentials, -1
	for i := range c.results {
		r := &c.results[i]
		if u := r.unavailable; u != nil {
			d := Unavailable(u.Reason, u.Detail, u.RetryAfter)
			d.Method = a.methods[i].Name
			a.tellHolder(ctx, x, i, &d)
			return d
		}
		beside := !a.methods[i].Required && c.sufficient
		if r.rejected != nil && !beside && (reject < 0 || r.rejected.Reason == authz.PlaintextRefused) {
			reject = i
		}
	}
	d := authz.Decision{Outcome: authz.Deny}
	if reject >= 0 {
		d.Reason, d.Detail = c.results[reject].rejected.Reason, c.results[reject].rejected.Detail
		d.Method = a.methods[reject].Name
	} else {
		d.Reason, d.Detail = a.nothingRejected(x)
	}
	a.tellHolder(ctx, x, reject, &d)
	if d.Reason == authz.PlaintextRefused {
		a.plaintext.answer(&d)
		return d
	}
	denial := a.another
	if d.Reason == authz.NoCredential {
		denial = a.none
	}
	d.Headers = a.challenges(x, len(denial.headers))
	denial.answer(&d)
	return d
}

// nothingRejected is the reason where no method rejected a credential: a
// credential came that no method knows, or none came.
func (a *authenticate) nothingRejected(x *exchange) (reason authz.Reason, detail string) {
	c := &x.credentials
	came := func() string { return a.lookedIn(c) }
	reason, detail = authz.NoCredential, "no method that is needed found a credential"
	if i := a.unknown(c); i >= 0 {
		place, found := a.places[i], c.found[i]
		reason, detail = authz.UnknownCredential, "no method knows what the "+place.String()+" holds"
		came = func() string { return a.unowned(x, place, found) }
		if c.inactive(&place) {
			detail, came = "the "+place.String()+" holds a token that is not active, says the server that was asked", nil
		} else if found != nil {
			_, err := found.Token()
			var malformed *authn.Rejected
			switch {
			case err == nil:
				reason, detail = authz.IssuerMismatch, "the "+place.String()+" holds a JWT, and no method accepts those of its issuer"
			case errors.As(err, &malformed):
				reason, detail, came = malformed.Reason, malformed.Detail, malformed.Came
			}
		}
	}
	if x.trace != nil {
		step := authz.Step{Stage: authz.StageAuthenticate, Outcome: authz.StepRefused, Detail: detail}
		if came != nil {
			step.Came = came()
		}
		x.trace.Add(step)
	}
	return reason, detail
}

// unknown is the first place that holds what no method knows, -1 if there is none.
// A place that a credential was read from goes before one of another scheme.
func (a *authenticate) unknown(c *credentials) int {
	first := -1
	for i := range a.places {
		switch {
		case !c.occupied[i] || c.known(&a.places[i]):
		case c.found[i] != nil:
			return i
		case first < 0:
			first = i
		}
	}
	return first
}

// unowned says what came in a place beside what the methods that read it want.
func (a *authenticate) unowned(x *exchange, place authn.Place, found *authn.Presented) string {
	var all []authn.Authenticator
	var readers, told []string
	for i := range a.methods {
		all = append(all, a.methods[i].Authenticator)
		if slices.ContainsFunc(a.methods[i].places, func(p int) bool { return a.places[p] == place }) {
			readers = append(readers, a.methods[i].Name)
		}
	}
	for _, s := range x.trace.Steps { // what the methods said themselves
		if s.Outcome == authz.StepNotMine && s.Came != "" && slices.Contains(readers, s.Name) {
			told = append(told, "method "+s.Name+": "+s.Came)
		}
	}
	return cmp.Or(authn.Unowned(all, x.request, place, found), strings.Join(told, "; "),
		"methods that read the "+place.String()+": "+strings.Join(readers, ", "))
}

// lookedIn says where the methods that found nothing looked.
func (a *authenticate) lookedIn(c *credentials) string {
	var places []authn.Place
	for i := range a.methods {
		for _, p := range a.methods[i].places {
			if c.results[i].identity == nil && !c.occupied[p] && !slices.Contains(places, a.places[p]) {
				places = append(places, a.places[p])
			}
		}
	}
	return "no credential in: " + authn.Places(places)
}

// known says whether a method knew what the header, cookie or query parameter
// holds, or could not tell and needs nobody else for that: a password is no token
// because its table is missing.
func (c *credentials) known(place *authn.Place) bool {
	for i := range c.results {
		if r := &c.results[i]; r.at(place) && (r.identity != nil || r.rejected != nil || r.unavailable != nil && !r.asks) {
			return true
		}
	}
	return false
}

// inactive says whether a server was asked about what a place holds.
func (c *credentials) inactive(place *authn.Place) bool {
	return slices.ContainsFunc(c.results, func(r result) bool { return r.at(place) && errors.Is(r.notMine, authn.ErrInactive) })
}

// offer are the challenges of one method; "" is none.
func (m *method) offer(r *authz.Request, out *result) [2]string {
	if m.prover != nil {
		return m.prover.Offer(out.place, out.rejected)
	}
	return [2]string{m.Authenticator.Challenge(r, out.place != nil)}
}

// challenges offers, in order, every method that could have been used
// (RFC 9110 11.6.1). There is always one. The list has room for more headers.
func (a *authenticate) challenges(x *exchange, more int) []authz.Header {
	out := make([]authz.Header, 0, max(1, len(a.methods))+more)
	for i := range a.methods {
		if x.credentials.results[i].identity != nil {
			continue
		}
		for _, c := range a.methods[i].offer(x.request, &x.credentials.results[i]) {
			c = a.challenge(c, i)
			if c != "" && !slices.ContainsFunc(out, func(h authz.Header) bool { return h.Value == c }) {
				out = append(out, authz.Header{Name: "www-authenticate", Value: c})
			}
		}
	}
	switch {
	case a.resource != nil && !slices.ContainsFunc(out, func(h authz.Header) bool { return isOfToken(h.Value) }):
		// A client begins at the metadata, whatever the methods are.
		out = append(out, tokenChallenge(a.resource.scheme, "", nil, a.resource.MetadataURL))
	case len(out) == 0:
		out = append(out, authz.Header{Name: "www-authenticate", Value: "Bearer"})
	}
	return out
}
