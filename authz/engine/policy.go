package engine

import (
	"context"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/authn"
	"github.com/agentauth-dev/agentauth/authz/expr"
	"github.com/agentauth-dev/agentauth/authz/match"
)

// policy is one compiled policy. It never changes.
type policy struct {
	name, namespace string // name is namespace/name
	hostnames       []string
	entries         []match.Entry // without their owner
	// invalid policies answer 503 on their routes.
	invalid bool

	methods []method
	// places are all that any method reads, each once.
	places []authn.Place
	// tokens: some method is for JWTs.
	tokens bool
	rules  []rule

	forward  bool
	headers  []value           // names in lower case
	names    map[string]string // their names by alias
	metadata []value

	unauthenticated, unauthorized *v1alpha1.Denial

	origin origin
}

// method is one way to authenticate.
type method struct {
	name     string
	kind     kind
	required bool
	// places are indexes into the policy's places.
	places []int
	auth   authn.Authenticator
	// scopes are required of its identity.
	scopes []string
	// challenge is what a 401 offers, "" for anonymous.
	challenge string
	// tlsOnly: neither offered nor accepted over plaintext.
	tlsOnly bool
}

type kind uint8

const (
	basicKind kind = iota
	jwtKind
	apiKeyKind
	anonymousKind
)

type rule struct {
	name          string
	when, require *expr.Program // when may be nil
}

// value is a named expression that yields a string.
type value struct {
	name    string
	program *expr.Program
}

// decide walks the policy once: who, what, and what the upstream learns.
func (p *policy) decide(ctx context.Context, r *authz.Request, rec *recorder) authz.Decision {
	if p.invalid {
		rec.add("match", "policy %s is not valid, so its routes answer 503", p.name)
		return unavailable(authz.PolicyInvalid, "the policy is not valid; see its conditions", 0)
	}
	who, err := p.authenticate(ctx, r, rec)
	if err != nil {
		return badRequest(err)
	}
	if !who.ok {
		return p.refuse(r, who)
	}
	d, ok := p.authorize(ctx, r, who, rec)
	if ok {
		d = p.respond(ctx, r, who, rec)
	}
	d.Identity, d.Method = who.identity, who.identity.Method
	return d
}
