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

// outcome says what find found.
type outcome uint8

const (
	// nobody: no policy decides.
	nobody outcome = iota
	// policyFound: a policy decides.
	policyFound
	// targetGone: a policy answers 503, since its target is gone.
	targetGone
	// answered: the answer is given, and no policy decides.
	answered
)

// found is what decides a request.
type found struct {
	outcome outcome
	// policy is the index in Snapshot.policies of the policy that decides, or
	// whose target is gone.
	policy int
	// answer is nil unless the outcome is answered.
	answer *authz.Decision
	// served: a Gateway API route serves the request. namespaces are those of all
	// routes that may serve it.
	served     bool
	namespaces []string
}

func decidedBy(policy int) found { return found{outcome: policyFound, policy: policy} }

func answerWith(d authz.Decision) found { return found{outcome: answered, answer: &d} }

// same says whether two findings lead to one decision.
func (f found) same(other found) bool { return f.outcome == other.outcome && f.policy == other.policy }

func ambiguousRequest(cause string) found {
	return answerWith(badRequest(&authz.BadRequestError{
		Problem: "the " + cause + " can be read in two ways that lead to different policies"}))
}

func tooLate() found {
	return answerWith(unavailable(authz.Unavailable, "the policy could not be found in time", 0))
}

func hostDisputed() found {
	return answerWith(unavailable(authz.HostDisputed, "two namespaces claim the host, or one that may not use it; see the conditions of their policies", 0))
}

// find returns the policy of a request, or the answer to it if no policy
// decides. Its outcome is never nobody.
func (e *Engine) find(ctx context.Context, s *Snapshot, r *authz.Request, rec *recorder) found {
	if name, named := r.ContextExtensions[ContextPolicy]; named {
		return e.named(s, r, name, rec)
	}
	view := match.View{Method: r.Method, Path: r.RawPath, Query: r.RawQuery, Headers: headers{r}, Ctx: ctx}
	var f found
	if s.attached.HasRoutes() {
		f = e.findAttached(s, r, view, rec)
	} else {
		f = s.byRoutes(r, view, rec)
	}
	if f.outcome != nobody {
		return f
	}
	refused := s.refused.LookupAll(r.Host, view)
	if _, ok := refused.Owner(); ok || refused.Ambiguous || refused.Late {
		rec.add("match", "host %s is not its namespace's", r.Host)
		return hostDisputed()
	}
	rec.add("match", "no policy matches %s %s on host %s", r.Method, r.Path, r.Host)
	if e.options.AllowUnmatched && (!s.attached.HasRoutes() || f.served || !s.attached.Guards(r.Host)) {
		d := authz.Decision{Outcome: authz.Allow, Reason: authz.Unmatched}
		s.removeReserved(r, found{}, &d)
		return answerWith(d)
	}
	return answerWith(noPolicy())
}

// byRoutes finds the policy by the `routes` of policies alone.
func (s *Snapshot) byRoutes(r *authz.Request, view match.View, rec *recorder) found {
	look := s.index.LookupAll(r.Host, view)
	owner, _ := look.Owner()
	f := s.foundBy(look)
	switch {
	case look.Late:
		rec.add("match", "the check's time ran out")
	case look.Ambiguous:
		rec.add("match", "the %s can be read in two ways that lead to different policies", look.Cause)
	case f.outcome == answered:
		rec.add("match", "host %s is in force for nobody: two namespaces claim it", r.Host)
	case f.outcome == policyFound:
		rec.add("match", "policy %s has the most specific match for %s %s on host %s", s.policies[owner].name, r.Method, r.Path, r.Host)
	}
	return f
}

// foundBy is what the result of a lookup leads to.
func (s *Snapshot) foundBy(r match.Result) found {
	owner, ok := r.Owner()
	switch {
	case r.Late:
		return tooLate()
	case r.Ambiguous:
		return ambiguousRequest(r.Cause)
	case !ok:
		return found{}
	case owner == len(s.policies): // see buildIndex
		return hostDisputed()
	}
	return decidedBy(owner)
}

// named finds the policy that the proxy's configuration names. A selector that
// may not be used here never leads to a weaker policy.
func (e *Engine) named(s *Snapshot, r *authz.Request, name string, rec *recorder) found {
	if !e.options.OneTenant && !e.options.ContextPolicy || r.Route != nil {
		rec.add("match", "the context extension %s is not read here, or came beside route metadata", ContextPolicy)
		return answerWith(unavailable(authz.SelectorRefused,
			"the context extension "+ContextPolicy+" is not read here, or came beside route metadata", 0))
	}
	ns, n, _ := strings.Cut(name, "/")
	if p, ok := s.byName[types.NamespacedName{Namespace: ns, Name: n}]; ok {
		rec.add("match", "policy %s is named by the context extension %s", s.policies[p].name, ContextPolicy)
		return decidedBy(p)
	}
	rec.add("match", "the context extension %s names a policy that does not exist", ContextPolicy)
	return answerWith(noPolicy())
}

// headers shows a request's headers to the index.
type headers struct{ r *authz.Request }

func (h headers) Header(name string) (string, bool) {
	v, n := h.r.Header(name)
	return v, n > 0
}
