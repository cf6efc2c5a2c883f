package engine

import (
	"cmp"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/report"
)

// Report says what is in force of one policy, and what is wrong with it.
type Report = report.Report

// reported is what a Report says of a policy beside what the policy says itself.
type reported struct {
	Conditions *[4]metav1.Condition
	*told
}

// told is what few Reports say: the keys that selectors found, and when one of these
// ends, and the Report with it.
type told struct {
	problems  []authz.Problem
	ancestors []gatewayv1.PolicyAncestorStatus
	found     []string
	until     time.Time
}

// nothingTold is what most Reports say beside their conditions.
var nothingTold = &told{}

// on is the Report on a policy.
func (r reported) on(p *compiled) Report {
	return Report{Policy: p.Name, Generation: p.origin.source.Generation, Shadow: p.Shadow, Conditions: r.Conditions[:], Ancestors: r.ancestors, Problems: r.problems}
}

// report makes the Reports of all policies, the older first. It takes over those
// of policies of which nothing changed.
func (s *Snapshot) report(prev *Snapshot, now time.Time) []Report {
	s.reports, s.unreachable = make([]reported, len(s.policies)), s.findUnreachable()
	same := map[[4]metav1.Condition]*[4]metav1.Condition{} // most policies have the same
	for _, n := range s.find.Order() {
		if s.find.Same(prev.find, n) && s.sameKeys(prev, n) && !s.stale(s.policies[n], prev.reports[n], now) {
			s.reports[n] = prev.reports[n]
		} else {
			r, t := s.reportOn(n, now)
			all := [4]metav1.Condition(r.Conditions)
			if same[all] == nil {
				same[all] = &all
			}
			if s.reports[n] = (reported{same[all], nothingTold}); r.Problems != nil || r.Ancestors != nil || t.found != nil {
				t.problems, t.ancestors = r.Problems, r.Ancestors
				s.reports[n].told = &t
			}
		}
	}
	return s.Reports()
}

// reportOn makes the Report of a policy at a time.
func (s *Snapshot) reportOn(n int, now time.Time) (r Report, t told) {
	p, lost, st, programmed := s.policies[n], s.find.Conflicts(n), s.find.Status(n), s.find.Programmed(n)
	r = Report{Policy: p.Name, Generation: p.origin.source.Generation, Shadow: p.Shadow}
	problems, keys := authz.Problems{Most: authz.MaxPolicyProblems}, s.keysOf(p, now)
	if p.origin.problems != nil {
		problems = p.origin.problems.Clone()
	}
	for _, problem := range keys.warnings {
		problems.Add(problem)
	}
	t.found, t.until = keys.counts, keys.next
	for _, problem := range s.unreachable[n] {
		problems.Add(problem)
	}
	if over := s.find.Policy(n).Over; over != "" {
		problems.Add(authz.Problem{Severity: authz.Invalid, Field: "spec.routes", Message: over})
	}
	accepted, refs := v1alpha1.ReasonAccepted, v1alpha1.ReasonResolvedRefs
	if lost != nil {
		accepted = v1alpha1.ReasonPartiallyConflicted
		if lost.Lost == lost.Entries {
			accepted = v1alpha1.ReasonConflicted
		}
		if lost.Ungranted == lost.Entries {
			accepted = v1alpha1.ReasonNotPermitted
		}
		for _, m := range lost.Messages {
			problems.Add(authz.Problem{Severity: authz.Conflicting, Message: m})
		}
	}
	if st != nil && lost == nil {
		accepted = st.Reason()
	}
	if st != nil {
		for _, problem := range st.Problems() {
			problems.Add(problem)
		}
	}
	if s.find.Policy(n).Invalid {
		accepted = v1alpha1.ReasonInvalid
	}
	r.Problems = problems.All()
	for _, problem := range r.Problems {
		if problem.Severity == authz.Unresolved && refs == v1alpha1.ReasonResolvedRefs {
			refs = cmp.Or(problem.Reason, v1alpha1.ReasonRefInvalid)
		}
	}
	ok, fine, inForce := report.Accepted(accepted), "valid, and its routes are decided by it", "compiled and in force"
	if p.Shadow {
		fine, inForce = "valid, and what it would decide of its routes is recorded", "compiled, and recorded only: mode Shadow"
	}
	if ok {
		r.Problems = append(append(r.Problems, programmed.Problems...), slices.Concat(s.find.Hides(n), s.find.Unreachable(n))...)
		switch {
		case programmed.Rejects:
			accepted, ok = programmed.Reason, false
		case programmed.Partly:
			accepted = v1alpha1.ReasonPartiallyConflicted
		case !programmed.Decides:
			fine = "valid; see Programmed"
		}
	}
	accepts := r.Condition(v1alpha1.ConditionAccepted, ok, accepted, fine, func(p authz.Problem) bool { return !p.OfReferences() })
	resolves := r.Condition(v1alpha1.ConditionResolvedRefs, refs == v1alpha1.ReasonResolvedRefs, refs, keys.beside("every reference resolves"), authz.Problem.OfReferences)
	programs := r.Condition(v1alpha1.ConditionProgrammed, true, v1alpha1.ReasonProgrammed, inForce, nil)
	switch {
	case !ok:
		programs = r.Condition(v1alpha1.ConditionProgrammed, false, v1alpha1.ReasonNotAccepted, "see Accepted", nil)
	case !programmed.Decides:
		programs = r.Condition(v1alpha1.ConditionProgrammed, false, programmed.Reason, programmed.Message, nil)
	}
	r.Conditions = r.WithReady(accepts, resolves, programs)
	if st != nil {
		r.AddAncestors(st.Ancestors())
	}
	return r, t
}
