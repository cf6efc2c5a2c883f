package engine

import (
	"cmp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/attach"
)

// Report says what is in force of one policy, and what is wrong with it.
type Report struct {
	Policy     types.NamespacedName
	Generation int64
	// Conditions are Accepted, ResolvedRefs and Programmed.
	Conditions []metav1.Condition
	// Ancestors are the Gateways of the policy's targets, with their conditions.
	// Their number is not bounded here.
	Ancestors []gatewayv1.PolicyAncestorStatus
	// Problems are the reasons of the conditions, one by one.
	Problems []authz.Problem
}

// report makes the Reports of all policies, the older first. It takes over those
// of policies of which nothing changed.
func (s *Snapshot) report(prev *Snapshot) []Report {
	s.reports = make([]Report, len(s.policies))
	out := make([]Report, 0, len(s.find.Order()))
	for _, n := range s.find.Order() {
		if s.find.Same(prev.find, n) {
			s.reports[n] = prev.reports[n]
		} else {
			s.reports[n] = s.reportOn(n)
		}
		out = append(out, s.reports[n])
	}
	return out
}

// reportOn makes the Report of a policy.
func (s *Snapshot) reportOn(n int) Report {
	p, lost, st, programmed := s.policies[n], s.find.Conflicts(n), s.find.Status(n), s.find.Programmed(n)
	r := Report{Policy: p.Name, Generation: p.origin.generation}
	problems := p.origin.problems.Clone()
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
	ok, fine := isAccepted(accepted), "valid, and its routes are decided by it"
	if ok {
		r.Problems = append(r.Problems, programmed.Problems...)
		switch {
		case programmed.Rejects:
			accepted, ok = programmed.Reason, false
		case programmed.Partly:
			accepted = v1alpha1.ReasonPartiallyConflicted
		case !programmed.Decides:
			fine = "valid; see Programmed"
		}
	}
	r.Conditions = []metav1.Condition{
		r.condition(v1alpha1.ConditionAccepted, ok, accepted, fine,
			authz.Invalid, authz.Conflicting, authz.Unattached, authz.Overridden, authz.Ambiguous),
		r.condition(v1alpha1.ConditionResolvedRefs, refs == v1alpha1.ReasonResolvedRefs, refs, "every reference resolves", authz.Unresolved, authz.Warning),
	}
	switch {
	case !ok:
		r.Conditions = append(r.Conditions, r.condition(v1alpha1.ConditionProgrammed, false, v1alpha1.ReasonNotAccepted, "see Accepted"))
	case !programmed.Decides:
		r.Conditions = append(r.Conditions, r.condition(v1alpha1.ConditionProgrammed, false, programmed.Reason, programmed.Message))
	default:
		r.Conditions = append(r.Conditions, r.condition(v1alpha1.ConditionProgrammed, true, v1alpha1.ReasonProgrammed, "compiled and in force"))
	}
	if st != nil {
		r.ancestors(st.Ancestors())
	}
	return r
}

func isAccepted(reason string) bool {
	return reason == v1alpha1.ReasonAccepted || reason == v1alpha1.ReasonPartiallyConflicted
}

// ancestors adds the Gateways of the targets. The conditions there are those of
// the policy, unless another policy overrides it there.
func (r *Report) ancestors(list []attach.Ancestor) {
	for _, a := range list {
		group, kind, namespace := gatewayv1.Group(v1alpha1.GatewayGroup), gatewayv1.Kind("Gateway"), gatewayv1.Namespace(a.Gateway.Namespace)
		conditions := slices.Clone(r.Conditions)
		if a.Overridden && conditions[0].Status == metav1.ConditionTrue {
			conditions[0].Status, conditions[0].Reason = metav1.ConditionFalse, v1alpha1.ReasonOverridden
			conditions[0].Message = "a policy of the Gateway with precedence Override decides instead"
			conditions[2].Status, conditions[2].Reason, conditions[2].Message = metav1.ConditionFalse, v1alpha1.ReasonNotAccepted, "see Accepted"
		}
		r.Ancestors = append(r.Ancestors, gatewayv1.PolicyAncestorStatus{
			AncestorRef:    gatewayv1.ParentReference{Group: &group, Kind: &kind, Namespace: &namespace, Name: gatewayv1.ObjectName(a.Gateway.Name)},
			ControllerName: v1alpha1.ControllerName, Conditions: conditions,
		})
	}
}

// maxMessage is well below the limit of a condition (32 KiB).
const maxMessage = 4096

// condition makes a condition. Its message is the problems of some severities, or
// fine if there are none.
func (r *Report) condition(kind string, ok bool, reason, fine string, of ...authz.Severity) metav1.Condition {
	c := metav1.Condition{Type: kind, Status: metav1.ConditionFalse, Reason: reason, ObservedGeneration: r.Generation}
	if ok {
		c.Status = metav1.ConditionTrue
	}
	var lines []string
	for _, p := range r.Problems {
		if slices.Contains(of, p.Severity) {
			lines = append(lines, p.String())
		}
	}
	if c.Message = authz.Cut(strings.Join(lines, "\n"), maxMessage); c.Message == "" {
		c.Message = fine
	}
	return c
}
