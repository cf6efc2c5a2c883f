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
func (e *Engine) find(ctx context.Context, s *Snapshot, r *authz.Request, rec *recorder) found {
	if name, named := r.ContextExtensions[ContextPolicy]; named {
		return e.named(s, r, name, rec)
	}
	view := match.View{Method: r.Method, Path: r.RawPath, Query: r.RawQuery, Headers: headers{r}, Ctx: ctx}
	var f found
	if s.attached != nil {
		f = e.findAttached(ctx, s, r, rec)
	} else {
		f = s.byRoutes(r, view, rec)
	}
	if !f.none {
		return f
	}
	refused := s.refused.LookupAll(r.Host, view)
	if _, ok := refused.Owner(); ok || refused.Ambiguous || refused.Late {
		rec.add("match", "host %s is not its namespace's", r.Host)
		return answered(hostDisputed())
	}
	rec.add("match", "no policy matches %s %s on host %s", r.Method, r.Path, r.Host)
	if e.options.AllowUnmatched && (s.attached == nil || f.served || !s.attached.guards(r.Host)) {
		d := authz.Decision{Outcome: authz.Allow, Reason: authz.Unmatched}
		s.removeReserved(r, found{}, &d)
		return answered(d)
	}
	return answered(noPolicy())
}

// byRoutes asks the policies' own `routes` alone.
func (s *Snapshot) byRoutes(r *authz.Request, view match.View, rec *recorder) found {
	look := s.index.LookupAll(r.Host, view)
	switch owner, ok := look.Owner(); {
	case look.Late:
		rec.add("match", "the check's time ran out")
		return tooLate()
	case look.Ambiguous:
		rec.add("match", "the %s can be read in two ways that lead to different policies", look.Cause)
		return ambiguousRequest(look.Cause)
	case ok && owner == len(s.policies):
		rec.add("match", "host %s is in force for nobody: two namespaces claim it", r.Host)
		return answered(hostDisputed())
	case ok:
		p := s.policies[owner]
		rec.add("match", "policy %s has the most specific match for %s %s on host %s", p.name, r.Method, r.Path, r.Host)
		return found{targetHolder: targetHolder{policy: p}}
	}
	return found{none: true}
}

func hostDisputed() authz.Decision {
	return unavailable(authz.HostDisputed, "two namespaces claim the host, or one that may not use it; see the conditions of their policies", 0)
}

// named finds the policy that the proxy's configuration names. A selector that
// may not be used here never leads to a weaker policy.
func (e *Engine) named(s *Snapshot, r *authz.Request, name string, rec *recorder) found {
	if !e.options.OneTenant && !e.options.ContextPolicy || r.Route != nil {
		rec.add("match", "the context extension %s is not read here, or came beside route metadata", ContextPolicy)
		return answered(unavailable(authz.SelectorRefused,
			"the context extension "+ContextPolicy+" is not read here, or came beside route metadata", 0))
	}
	ns, n, _ := strings.Cut(name, "/")
	if p := s.byName[types.NamespacedName{Namespace: ns, Name: n}]; p != nil {
		rec.add("match", "policy %s is named by the context extension %s", p.name, ContextPolicy)
		return found{targetHolder: targetHolder{policy: p}}
	}
	rec.add("match", "the context extension %s names a policy that does not exist", ContextPolicy)
	return answered(noPolicy())
}

// headers shows a request's headers to the index.
type headers struct{ r *authz.Request }

func (h headers) Header(name string) (string, bool) {
	v, n := h.r.Header(name)
	return v, n > 0
}
