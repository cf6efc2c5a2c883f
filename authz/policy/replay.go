package policy

import (
	"context"
	"slices"

	"github.com/agentauth-dev/agentauth/authz"
)

// This file decides a request anew from its record: the identity is the recorded one,
// and no credential is looked for. What depends on a part that the record lacks is not
// guessed: see [authz.Recorded].

// recorded is what a record says of the request; nil: the request itself came.
func (x *exchange) recorded() *authz.Recorded { return x.request.Recorded }

// unknown ends a decision that cannot be told.
func (x *exchange) unknown(why string) bool { return x.decide(x.unknownDecision(why)) }

func (x *exchange) unknownDecision(why string) authz.Decision {
	x.recorded().Fail(why)
	return Unavailable(authz.Unavailable, "the record does not say enough: "+why, 0)
}

// replay takes the recorded identity for what its method established. Every other
// Required method is taken to have succeeded too, as it did when the record was made.
func (a *authenticate) replay(x *exchange) bool {
	rec := x.recorded()
	if rec.Identity == nil {
		return a.replayNobody(x)
	}
	found := false
	for i := range a.methods {
		m := &a.methods[i]
		switch {
		case m.Name == rec.Identity.Method:
			x.credentials.results[i].identity, found = rec.Identity, true
			x.trace.Add(m.step(&x.credentials.results[i]))
		case m.Required && len(m.Scopes) > 0:
			return x.unknown("the scopes of the identity of method " + m.Name)
		case m.Required:
			x.credentials.results[i].identity = &authz.Identity{Method: m.Name}
		}
	}
	if !found && len(a.places) == 0 {
		return a.replayNobody(x) // it takes every request, whatever credential came
	}
	if !found {
		return x.unknown("what the method " + rec.Identity.Method + " of the record is here: the policy has none of that name")
	}
	x.identity, x.identities = rec.Identity, append(x.identities, rec.Identity)
	return false
}

// replayNobody is for a request that nobody was authenticated for: whether it would
// still need a credential.
func (a *authenticate) replayNobody(x *exchange) bool {
	reason := x.recorded().Reason
	for i := range a.methods {
		m := &a.methods[i]
		if len(m.places) > 0 {
			continue
		}
		if reason != authz.NoCredential && len(a.places) > 0 {
			return x.unknown("whether a credential came, or what became of it: the method " + m.Name + " takes a request without any")
		}
		if m.check(context.Background(), x.request, nil, &x.credentials.results[i], a.revoked); a.conclude(x) {
			return false
		}
	}
	denial := a.another
	switch {
	case !slices.Contains(authz.Unauthenticated(), reason):
		return x.unknown("whether a credential came: none was looked for, or it could not be checked")
	case reason == authz.NoCredential:
		denial = a.none
	case reason == authz.PlaintextRefused:
		denial = a.plaintext
	}
	d := authz.Decision{Outcome: authz.Deny, Reason: reason}
	denial.answer(&d)
	return x.decide(d)
}

// replayValue says whether an error comes of what the record lacks, so that a value for
// the upstream cannot be told. asked is how much was asked for in vain before.
func (x *exchange) replayValue(asked int, err error) bool {
	rec := x.recorded()
	if rec == nil || err == nil || rec.Asked() == asked {
		return false
	}
	rec.Values++
	return true
}
