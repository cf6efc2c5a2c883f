package engine

import (
	"context"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/match"
)

// ContextPolicy is the context extension that names a policy outright.
const ContextPolicy = "agentauth.dev/policy"

// find returns the policy of a request, or the decision where there is none.
func (e *Engine) find(ctx context.Context, s *Snapshot, r *authz.Request, rec *recorder) (*policy, authz.Decision, bool) {
	if name, named := r.ContextExtensions[ContextPolicy]; named {
		return e.named(s, r, name, rec)
	}
	view := match.View{Method: r.Method, Path: r.RawPath, Query: r.RawQuery, Headers: headers{r}, Ctx: ctx}
	found := s.index.LookupAll(r.Host, view)
	if found.Late {
		rec.add("match", "the check's time ran out")
		return nil, unavailable(authz.Unavailable, "the policy could not be found in time", 0), false
	}
	if found.Ambiguous {
		rec.add("match", "the %s can be read in two ways that lead to different policies", found.Cause)
		return nil, badRequest(&authz.BadRequestError{
			Problem: "the " + found.Cause + " can be read in two ways that lead to different policies"}), false
	}
	if owner, ok := found.Owner(); ok {
		if owner == len(s.policies) {
			return nil, hostDisputed(r, rec), false
		}
		p := s.policies[owner]
		rec.add("match", "policy %s has the most specific match for %s %s on host %s", p.name, r.Method, r.Path, r.Host)
		return p, authz.Decision{}, true
	}
	refused := s.refused.LookupAll(r.Host, view)
	if _, ok := refused.Owner(); ok || refused.Ambiguous || refused.Late {
		return nil, hostDisputed(r, rec), false
	}
	rec.add("match", "no policy matches %s %s on host %s (host known: %t)", r.Method, r.Path, r.Host, found.HostKnown)
	if e.options.AllowUnmatched {
		d := authz.Decision{Outcome: authz.Allow, Reason: authz.Unmatched}
		s.removeClaimed(r, nil, &d)
		return nil, d, false
	}
	return nil, noPolicy(), false
}

func hostDisputed(r *authz.Request, rec *recorder) authz.Decision {
	rec.add("match", "host %s is in force for nobody: two namespaces claim it, or one that may not use it", r.Host)
	return unavailable(authz.HostDisputed, "two namespaces claim the host, or one that may not use it; see the conditions of their policies", 0)
}

// named finds the policy that the proxy's configuration names. A selector that
// may not be used here never leads to a weaker policy.
func (e *Engine) named(s *Snapshot, r *authz.Request, name string, rec *recorder) (*policy, authz.Decision, bool) {
	if !e.options.OneTenant && !e.options.ContextPolicy || r.Route != nil {
		rec.add("match", "the context extension %s is not read here, or came beside route metadata", ContextPolicy)
		return nil, unavailable(authz.SelectorRefused,
			"the context extension "+ContextPolicy+" is not read here, or came beside route metadata", 0), false
	}
	ns, n, _ := strings.Cut(name, "/")
	if p := s.byName[types.NamespacedName{Namespace: ns, Name: n}]; p != nil {
		rec.add("match", "policy %s is named by the context extension %s", p.name, ContextPolicy)
		return p, authz.Decision{}, true
	}
	rec.add("match", "the context extension %s names a policy that does not exist", ContextPolicy)
	return nil, noPolicy(), false
}

// headers shows a request's headers to the index.
type headers struct{ r *authz.Request }

func (h headers) Header(name string) (string, bool) {
	v, n := h.r.Header(name)
	return v, n > 0
}
