package engine

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

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
	// Conditions are Ready, Accepted, ResolvedRefs and Programmed.
	Conditions []metav1.Condition
	// Ancestors are the Gateways of the policy's targets, with their conditions.
	// Their number is not bounded here.
	Ancestors []gatewayv1.PolicyAncestorStatus
	// Problems are the reasons of the conditions, one by one.
	Problems []authz.Problem
	// found are the keys that selectors found. until is when a key ends, and the
	// Report with it.
	found []string
	until time.Time
}

// report makes the Reports of all policies, the older first. It takes over those
// of policies of which nothing changed.
func (s *Snapshot) report(prev *Snapshot, now time.Time) []Report {
	s.reports, s.unreachable = make([]*Report, len(s.policies)), s.findUnreachable()
	same := map[[4]metav1.Condition][]metav1.Condition{} // most policies have the same
	for _, n := range s.find.Order() {
		if s.find.Same(prev.find, n) && s.sameKeys(prev, n) && !s.stale(s.policies[n], prev.reports[n], now) {
			s.reports[n] = prev.reports[n]
		} else {
			r := s.reportOn(n, now)
			all := [4]metav1.Condition(r.Conditions)
			if same[all] == nil {
				same[all] = r.Conditions
			}
			r.Conditions = same[all]
			s.reports[n] = &r
		}
	}
	return s.Reports()
}

// reportOn makes the Report of a policy at a time.
func (s *Snapshot) reportOn(n int, now time.Time) Report {
	p, lost, st, programmed := s.policies[n], s.find.Conflicts(n), s.find.Status(n), s.find.Programmed(n)
	r := Report{Policy: p.Name, Generation: p.origin.generation}
	problems, keys := p.origin.problems.Clone(), s.keysOf(p, now)
	for _, problem := range keys.warnings {
		problems.Add(problem)
	}
	r.found, r.until = keys.counts, keys.next
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
	ok, fine := isAccepted(accepted), "valid, and its routes are decided by it"
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
	accepts := r.condition(v1alpha1.ConditionAccepted, ok, accepted, fine, func(p authz.Problem) bool { return !p.OfReferences() })
	resolves := r.condition(v1alpha1.ConditionResolvedRefs, refs == v1alpha1.ReasonResolvedRefs, refs, keys.beside("every reference resolves"), authz.Problem.OfReferences)
	programs := r.condition(v1alpha1.ConditionProgrammed, true, v1alpha1.ReasonProgrammed, "compiled and in force", nil)
	switch {
	case !ok:
		programs = r.condition(v1alpha1.ConditionProgrammed, false, v1alpha1.ReasonNotAccepted, "see Accepted", nil)
	case !programmed.Decides:
		programs = r.condition(v1alpha1.ConditionProgrammed, false, programmed.Reason, programmed.Message, nil)
	}
	r.Conditions = r.withReady(accepts, resolves, programs)
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
		conditions := r.Conditions
		if accepts := conditions[1]; a.Overridden && accepts.Status == metav1.ConditionTrue {
			accepts.Status, accepts.Reason, accepts.Message = metav1.ConditionFalse, v1alpha1.ReasonOverridden, "a policy of the Gateway with precedence Override decides instead"
			conditions = r.withReady(accepts, conditions[2], r.condition(v1alpha1.ConditionProgrammed, false, v1alpha1.ReasonNotAccepted, "see Accepted", nil))
		}
		r.Ancestors = append(r.Ancestors, gatewayv1.PolicyAncestorStatus{
			AncestorRef:    gatewayv1.ParentReference{Group: &group, Kind: &kind, Namespace: &namespace, Name: gatewayv1.ObjectName(a.Gateway.Name)},
			ControllerName: v1alpha1.ControllerName, Conditions: slices.Clone(conditions),
		})
	}
}

// maxMessage is well below the limit of a condition (32 KiB).
const maxMessage = 4096

// condition makes a condition. Its message is the problems that it is of, the worst
// first, or fine if there are none.
func (r *Report) condition(kind string, ok bool, reason, fine string, of func(authz.Problem) bool) metav1.Condition {
	c := metav1.Condition{Type: kind, Status: metav1.ConditionFalse, Reason: reason, ObservedGeneration: r.Generation}
	if ok {
		c.Status = metav1.ConditionTrue
	}
	var lines []string
	for _, p := range worstFirst(r.Problems) {
		if of != nil && of(p) {
			lines = append(lines, p.String())
		}
	}
	if c.Message = authz.Cut(strings.Join(lines, "\n"), maxMessage); c.Message == "" {
		c.Message = fine
	}
	return c
}

// withReady puts Ready before the other conditions, the worst first. If one of
// them is not True, Ready is what the worst one is: an invalid policy answers 503
// whatever it refers to, and a policy with a reference that does not resolve
// answers 503 whoever asks.
func (r *Report) withReady(others ...metav1.Condition) []metav1.Condition {
	ready := r.condition(v1alpha1.ConditionReady, true, v1alpha1.ReasonReady, r.inForce(), nil)
	for _, c := range others {
		if c.Status != metav1.ConditionTrue {
			ready = c
			ready.Type = v1alpha1.ConditionReady
			break
		}
	}
	return append([]metav1.Condition{ready}, others...)
}

// maxFirst is how much of its first problem the message of a policy in force has.
const maxFirst = 256

// inForce is the message of a policy that is ready: its worst problem, and where
// the others are.
func (r *Report) inForce() string {
	problems := worstFirst(r.Problems)
	if len(problems) == 0 {
		return "in force"
	}
	message, what := "in force, with ", "warning"
	if worst := problems[0].Severity; worst.Level() == "error" || worst == authz.Overridden {
		message, what = "in force in part, with ", "problem"
	}
	if n := len(problems); n > 1 {
		message += fmt.Sprintf("%d %ss (see Accepted and ResolvedRefs): ", n, what)
	} else {
		message += "a " + what + ": "
	}
	return message + authz.Cut(problems[0].String(), maxFirst)
}

// worstFirst are problems in the order of their severities.
func worstFirst(list []authz.Problem) []authz.Problem {
	order := []authz.Severity{"", authz.Invalid, authz.Conflicting, authz.Unattached, authz.Overridden, authz.Unresolved, authz.Ambiguous, authz.Warning}
	out := slices.Clone(list)
	slices.SortStableFunc(out, func(a, b authz.Problem) int {
		return slices.Index(order, a.Severity) - slices.Index(order, b.Severity)
	})
	return out
}
