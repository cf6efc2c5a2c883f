package policy

import (
	"context"
	"slices"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
)

// guard refuses, before anybody is authenticated, what no client of a protected
// resource for agents sends: the Origin of a page that is not allowed (a page that
// rebinds DNS has one), and a token in the query, which ends up in logs.
type guard struct {
	resource *Resource
	denial   *denial
}

func newGuard(r *Resource, unauthorized *v1alpha1.Denial) *guard {
	return &guard{resource: r, denial: originRefused.of(unauthorized)}
}

func (s *guard) run(_ context.Context, x *exchange) bool {
	if rec := x.recorded(); rec.Lacks("request.headers") && rec.Reason == authz.OriginRefused {
		return x.unknown("the header origin")
	}
	if !s.allows(x.request) {
		return s.refuse(x, authz.OriginRefused, "the origin header is not one of mcp.allowedOrigins, or came more than once", s.denial)
	}
	if hasToken(x.request.Query) {
		return s.refuse(x, authz.BadRequest, "the query has access_token, and a token is taken from no query here", tokenInQuery,
			tokenChallenge(s.resource.scheme, "invalid_request", nil, s.resource.MetadataURL))
	}
	return false
}

// allows says whether a request is of no page, or of one that may call. Two fields
// are refused: readers differ in which of them counts.
func (s *guard) allows(r *authz.Request) bool {
	origin, fields := r.Header("origin")
	return fields == 0 || fields == 1 && slices.Contains(s.resource.allowedOrigins, origin)
}

// hasToken says whether some reader finds an access token in the query (RFC 6750 2.3).
func hasToken(q authz.Query) bool {
	const name = "access_token"
	for i := range q {
		if read := authz.Lower(authz.DecodeForm(q[i].RawName)); read == name || authz.IsAlternate(read, name) {
			return true
		}
	}
	return false
}

func (s *guard) refuse(x *exchange, reason authz.Reason, detail string, denial *denial, headers ...authz.Header) bool {
	x.trace.Add(authz.Step{Stage: authz.StageAuthenticate, Outcome: authz.StepRefused, Detail: detail})
	d := authz.Decision{Outcome: authz.Deny, Reason: reason, Detail: detail, Headers: headers}
	denial.answer(&d)
	return x.decide(d)
}
