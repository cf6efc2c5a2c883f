// Package report says to the author of a policy what is in force of it: as the
// conditions that Kubernetes shows, the worst problem first.
package report

import (
	"fmt"
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
	// Shadow: what the policy decides is recorded, and not enforced.
	Shadow bool
	// Conditions are Ready, Accepted, ResolvedRefs and Programmed.
	Conditions []metav1.Condition
	// Ancestors are the Gateways of the policy's targets, with their conditions.
	// Their number is not bounded here.
	Ancestors []gatewayv1.PolicyAncestorStatus
	// Problems are the reasons of the conditions, one by one.
	Problems []authz.Problem
}

// Accepted says whether a reason of the condition Accepted is one of True.
func Accepted(reason string) bool {
	return reason == v1alpha1.ReasonAccepted || reason == v1alpha1.ReasonPartiallyConflicted
}

// AddAncestors adds the Gateways of the targets. The conditions there are those of
// the policy, unless another policy overrides it there.
func (r *Report) AddAncestors(list []attach.Ancestor) {
	for _, a := range list {
		group, kind, namespace := gatewayv1.Group(v1alpha1.GatewayGroup), gatewayv1.Kind("Gateway"), gatewayv1.Namespace(a.Gateway.Namespace)
		conditions := r.Conditions
		if accepts := conditions[1]; a.Overridden && accepts.Status == metav1.ConditionTrue {
			accepts.Status, accepts.Reason, accepts.Message = metav1.ConditionFalse, v1alpha1.ReasonOverridden, "a policy of the Gateway with precedence Override decides instead"
			conditions = r.WithReady(accepts, conditions[2], r.Condition(v1alpha1.ConditionProgrammed, false, v1alpha1.ReasonNotAccepted, "see Accepted", nil))
		}
		r.Ancestors = append(r.Ancestors, gatewayv1.PolicyAncestorStatus{
			AncestorRef:    gatewayv1.ParentReference{Group: &group, Kind: &kind, Namespace: &namespace, Name: gatewayv1.ObjectName(a.Gateway.Name)},
			ControllerName: v1alpha1.ControllerName, Conditions: slices.Clone(conditions),
		})
	}
}

// MaxMessage is how long the message of a condition is, in bytes: well below the limit
// of Kubernetes (32 KiB).
const MaxMessage = 4096

// Condition makes a condition. Its message is the problems that it is of, the worst
// first, or fine if there are none.
func (r *Report) Condition(kind string, ok bool, reason, fine string, of func(authz.Problem) bool) metav1.Condition {
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
	if c.Message = authz.Cut(strings.Join(lines, "\n"), MaxMessage); c.Message == "" {
		c.Message = fine
	}
	return c
}

// WithReady puts Ready before the other conditions, the worst first. If one of
// them is not True, Ready is what the worst one is: an invalid policy answers 503
// whatever it refers to, and a policy with a reference that does not resolve
// answers 503 whoever asks.
func (r *Report) WithReady(others ...metav1.Condition) []metav1.Condition {
	ready := r.Condition(v1alpha1.ConditionReady, true, v1alpha1.ReasonReady, r.inForce(), nil)
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
	problems, fine := worstFirst(r.Problems), "in force"
	if r.Shadow {
		fine = "recorded only (mode Shadow)"
	}
	if len(problems) == 0 {
		return fine
	}
	message, what := fine+", with ", "warning"
	if worst := problems[0].Severity; worst.Level() == "error" || worst == authz.Overridden {
		message, what = fine+" in part, with ", "problem"
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
