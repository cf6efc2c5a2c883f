package policy

import (
	"context"
	"maps"
	"slices"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/authn"
)

// ShadowMetadata is the name of what the proxy is told of a shadowed policy.
const ShadowMetadata = "shadow_decision"

// Trial is a shadowed policy that would decide a request, if it were enforced.
type Trial struct {
	Policy *Policy
	// Host is what the hosts of the request know, shadowed policies included.
	Host Host
	// Answer is what the policy answers without a look at its stages: metadata, or 503
	// where its target is gone; nil: its stages decide.
	Answer *authz.Decision
	// LetsThrough: no policy that is enforced claims the request, so that it goes on
	// whatever the shadowed policy decides. Enforced is what hosts know without shadowed
	// policies then.
	LetsThrough bool
	Enforced    Host
}

// Decide returns what becomes of the decision d without the shadowed policy: d itself,
// with a record, or the request is let through. The context is the trial's own.
func (t *Trial) Decide(ctx context.Context, r *authz.Request, d authz.Decision, trace *authz.Trace) authz.Decision {
	shadow := authz.Decision{}
	if t.Answer != nil {
		shadow = *t.Answer
	} else {
		shadow = t.Policy.Decide(ctx, r, t.Host, trace)
	}
	switch {
	case !t.LetsThrough:
	case ambiguous(&shadow) && d.Outcome != authz.Allow: // what goes on without the trial goes on with it
		d = shadow
	default:
		d = t.letThrough(r, &shadow)
	}
	d.Shadow = &shadow
	if _, own := d.Metadata[ShadowMetadata]; own && !t.LetsThrough {
		return d // what the policy that decides says stays
	}
	if d.Metadata = maps.Clone(d.Metadata); d.Metadata == nil {
		d.Metadata = make(map[string]any, 1)
	}
	d.Metadata[ShadowMetadata] = told(&shadow)
	return d
}

// ambiguous says whether a decision is no answer of the policy: the request has two
// meanings. A challenge comes from a policy (RFC 6750 3.1, a token in the query).
func ambiguous(d *authz.Decision) bool {
	return d.Reason == authz.BadRequest && !slices.ContainsFunc(d.Headers, func(h authz.Header) bool { return h.Name == "www-authenticate" })
}

// letThrough is the decision on a request that a shadowed policy alone claims. What
// nobody may send but agentauth is removed; credentials are not.
func (t *Trial) letThrough(r *authz.Request, shadow *authz.Decision) authz.Decision {
	d := authz.Decision{Outcome: authz.Allow, Reason: authz.Shadowed, Policy: t.Policy.name, Version: shadow.Version,
		Detail: "the policy has mode Shadow and no other policy decides: it would be " + shadow.Outcome.String() + " " + string(shadow.Reason)}
	if shadow.Outcome == authz.Allow {
		d.Metadata = shadow.Metadata
		for _, h := range shadow.Set { // and none that was written anew without a credential
			if t.Policy.shape().names.has(h.Name) {
				d.Set = append(d.Set, h)
			}
		}
	}
	m, credentials := removal{request: r}, t.Policy.credentialHeaders()
	m.names(t.Policy.shape().names)
	m.host(&t.Host)
	for _, n := range credentials {
		m.aliases(n)
	}
	m.more = slices.DeleteFunc(m.more, credentials.has)
	m.host(&t.Enforced)
	d.Remove = m.but(d.Set)
	return d
}

func (n Names) has(name string) bool {
	return slices.ContainsFunc(n, func(one Name) bool { return one.Name == name })
}

// credentialHeaders are the headers that hold credentials of the policy, or come with
// them.
func (p *Policy) credentialHeaders() (out Names) {
	s := &p.shape().strip
	for i, place := range s.places {
		if place.In == authn.InHeader {
			out = append(out, s.names[i])
		}
	}
	return append(out, s.beside...)
}

// told is what the proxy learns of the decision of a shadowed policy.
func told(d *authz.Decision) map[string]any {
	out := map[string]any{"policy": d.Policy, "decision": d.Outcome.String(), "reason": string(d.Reason)}
	if d.Status != 0 {
		out["status"] = float64(d.Status)
	}
	if d.Method != "" {
		out["method"] = d.Method
	}
	if d.Rule != "" {
		out["rule"] = d.Rule
	}
	return out
}
