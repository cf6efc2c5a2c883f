// Package find decides which policy decides a request. [Update] makes a [Snapshot]
// of the compiled policies and of the objects of Gateway API; [Snapshot.Find]
// returns the policy of a request from it, or the answer where no policy decides.
//
// The same Snapshot says of each policy what keeps it from deciding: which of its
// entries other policies have ([Snapshot.Conflicts]), what became of its targets
// ([Snapshot.Status]), and whether any request is left ([Snapshot.Programmed]).
package find

import (
	"context"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/match"
	"github.com/agentauth-dev/agentauth/authz/policy"
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
	// policy is the number of the policy that decides, or
	// whose target is gone.
	policy int
	// answer is nil unless the outcome is answered.
	answer *authz.Decision
	// served: a Gateway API route serves the request. namespaces are those of all
	// routes that may serve it.
	served     bool
	namespaces []string
	// usual: no server reads the path otherwise.
	usual bool
	// unclaimed: the answer is that of a request that no policy claims, and none is
	// meant to guard.
	unclaimed bool
}

func decidedBy(policy int) found { return found{outcome: policyFound, policy: policy} }

func answerWith(d authz.Decision) found { return found{outcome: answered, answer: &d} }

// same says whether two findings lead to one decision.
func (f found) same(other found) bool { return f.outcome == other.outcome && f.policy == other.policy }

func ambiguousRequest(cause string) found {
	return answerWith(policy.BadRequest(&authz.BadRequestError{
		Problem: "the " + cause + " can be read in two ways that lead to different policies"}))
}

func tooLate() found {
	return answerWith(policy.Unavailable(authz.Unavailable, "the policy could not be found in time", 0))
}

func hostDisputed() found {
	return answerWith(policy.Unavailable(authz.HostDisputed, "two namespaces claim the host; see the conditions of their policies", 0))
}

// Finding is the policy that decides a request, and what the hosts of the request
// know beside it; or the answer, if no policy decides.
type Finding struct {
	Policy *policy.Policy
	Host   policy.Host
	Answer *authz.Decision
	// unclaimed: no policy that is enforced claims the request. namespaces are those of
	// all routes that may serve it.
	unclaimed  bool
	namespaces []string
}

// Find finds what decides a request. Shadowed policies decide none.
func (s *Snapshot) Find(ctx context.Context, r *authz.Request, trace *authz.Trace) Finding {
	if d := s.answer(ctx, r, trace); d != nil {
		return Finding{Answer: d}
	}
	f := s.find(ctx, r, trace)
	switch f.outcome {
	case policyFound:
		p := s.policies[f.policy]
		return Finding{Policy: p.Stages, Host: s.host(r, p, &f)}
	case targetGone:
		d := targetGoneOf(s.policies[f.policy])
		return Finding{Answer: &d}
	case answered:
		instead := s.metadata.instead(r, f.answer)
		d := s.withClaimants(*instead, r.Host)
		return Finding{Answer: &d, unclaimed: f.unclaimed && instead == f.answer, namespaces: f.namespaces}
	case nobody:
	}
	d := policy.NoPolicy()
	return Finding{Answer: &d}
}

func targetGoneOf(p *Policy) authz.Decision {
	d := policy.Unavailable(authz.PolicyInvalid, "the policy's target is not there; see its conditions", 0)
	d.Policy, d.Version = p.Stages.Name(), p.Stages.Version()
	return d
}

// find returns what decides a request. Its outcome is never nobody.
func (s *Snapshot) find(ctx context.Context, r *authz.Request, trace *authz.Trace) found {
	name, named := r.ContextExtensions[ContextPolicy]
	view := match.View{Method: r.Method, Path: r.RawPath, Query: r.RawQuery, Headers: r, ExactCase: s.options.ExactCase, Ctx: ctx,
		Partial: r.Recorded.Lacks("request.headers")}
	var f found
	if named {
		f = s.named(r, name, trace)
	} else {
		f = s.byPath(r, view, trace)
	}
	switch {
	case f.outcome == answered:
		return f
	case !s.admits(f, r):
		return notAdmitted(r, trace)
	case named:
		return f
	}
	other := f
	if !f.usual || len(r.PathReadings) > 0 {
		other = s.elsewhere(r, view, f)
	}
	switch {
	case other.outcome == answered:
		refused(trace, other.answer.Detail)
		return other
	case f.outcome != nobody && !other.same(f):
		return twoReadings(trace)
	case f.outcome != nobody:
		return f
	}
	s.none(trace, r, view, f)
	unclaimed := (s.options.AllowUnmatched || s.trial != nil) && !s.closed && !s.guards(r, f)
	out := answerWith(policy.NoPolicy())
	if s.options.AllowUnmatched && unclaimed {
		if !other.same(f) {
			return twoReadings(trace)
		}
		out = answerWith(policy.Unmatched(r, s.unmatchedHost(r, f.namespaces)))
	}
	out.unclaimed, out.namespaces = unclaimed && other.same(f), f.namespaces
	return out
}

// unmatchedHost is what the hosts know of a request that no policy decides.
func (s *Snapshot) unmatchedHost(r *authz.Request, routes []string) policy.Host {
	h := policy.Host{Shared: s.reserved.unmatched(r, routes), TrustForwarded: s.options.TrustForwarded}
	if s.trial != nil {
		h.Shared = append(slices.Clip(h.Shared), s.trial.reserved.unmatched(r, routes)...)
	}
	return h
}

// byPath finds what decides a request with a path.
func (s *Snapshot) byPath(r *authz.Request, view match.View, trace *authz.Trace) found {
	var f found
	if s.hasRoutes {
		f = s.findAttached(r, view, trace)
	} else {
		f = s.byRoutes(r, view, trace)
	}
	if f.outcome != nobody {
		return f
	}
	lost := s.refused.LookupAll(r.Host, view)
	if _, ok := lost.Owner(); ok || lost.Ambiguous || lost.Late {
		refused(trace, "host "+r.Host+" is not its namespace's")
		return hostDisputed()
	}
	return f
}

func twoReadings(trace *authz.Trace) found {
	refused(trace, "the path can be read in two ways that lead to different policies")
	return ambiguousRequest("path")
}

// guards says whether a policy is meant to guard a request that none decides.
func (s *Snapshot) guards(r *authz.Request, f found) bool {
	return !f.served && s.attached.Guards(r.Host) || r.Route == nil && s.attached.GuardsUnserved(r.Host, f.namespaces)
}

// byRoutes finds the policy by the `routes` of policies alone.
func (s *Snapshot) byRoutes(r *authz.Request, view match.View, trace *authz.Trace) found {
	look := s.index.LookupAll(r.Host, view)
	f := s.foundBy(look)
	f.usual = look.Usual
	switch {
	case trace == nil:
	case look.Late:
		refused(trace, "the check's time ran out")
	case look.Ambiguous:
		refused(trace, "the "+look.Cause+" can be read in two ways that lead to different policies")
	case f.outcome == answered:
		refused(trace, "host "+r.Host+" is in force for nobody: two namespaces claim it")
	case f.outcome == policyFound:
		trace.Add(authz.Step{Stage: authz.StageMatch, Name: s.policies[f.policy].Stages.Name(), Outcome: authz.StepFound, Read: asked(trace, r)})
	}
	return f
}

// foundBy is the policy, or the answer, that a lookup leads to.
func (s *Snapshot) foundBy(r match.Result) found {
	owner, ok := r.Owner()
	switch {
	case r.Late:
		return tooLate()
	case r.Ambiguous:
		return ambiguousRequest(r.Cause)
	case !ok:
		return found{}
	case owner == disputedOwner:
		return hostDisputed()
	}
	return decidedBy(owner)
}

// named finds the policy that the proxy's configuration names. A selector that
// may not be used here never leads to a weaker policy.
func (s *Snapshot) named(r *authz.Request, name string, trace *authz.Trace) found {
	if !s.options.OneTenant && !s.options.ContextPolicy || r.Route != nil {
		const why = "the context extension " + ContextPolicy + " is not read here, or came beside route metadata"
		refused(trace, why)
		return answerWith(policy.Unavailable(authz.SelectorRefused, why, 0))
	}
	ns, n, _ := strings.Cut(name, "/")
	if p, ok := s.byName[types.NamespacedName{Namespace: ns, Name: n}]; ok {
		trace.Add(authz.Step{Stage: authz.StageMatch, Name: s.policies[p].Stages.Name(), Outcome: authz.StepNamed, Read: "the context extension " + ContextPolicy})
		return decidedBy(p)
	}
	refused(trace, "the context extension "+ContextPolicy+" names a policy that does not exist, or that is not enforced")
	none := answerWith(policy.NoPolicy())
	none.unclaimed = true
	return none
}

// refused records why the request is answered without a policy.
func refused(trace *authz.Trace, why string) {
	trace.Add(authz.Step{Stage: authz.StageMatch, Outcome: authz.StepRefused, Detail: why})
}

// asked is what was looked up; "" where nobody collects steps.
func asked(trace *authz.Trace, r *authz.Request) string {
	if trace == nil {
		return ""
	}
	return r.Method + " " + r.Path + " on host " + r.Host
}
