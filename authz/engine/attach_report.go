package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
)

// policyStatus is the outcome of each targetRef: attached, missing, lost to an
// older policy, or overridden.
type policyStatus struct {
	targets []targetStatus
	// gateways are the ancestors, and where another policy overrides this one.
	gateways  map[types.NamespacedName]bool
	ambiguous []string
}

// target is one of targetRefs.
type targetStatus struct {
	ref           v1alpha1.TargetReference
	missing, gone bool
	lostTo        *policy
	overridden    bool
}

func (a *attachments) status(p *policy) *policyStatus {
	st := a.statuses[p]
	if st == nil {
		st = &policyStatus{gateways: map[types.NamespacedName]bool{}}
		a.statuses[p] = st
	}
	return st
}

// statusOf is nil for a policy without targetRefs, and where nothing is
// attached at all.
func (a *attachments) statusOf(p *policy) *policyStatus {
	if a == nil {
		return nil
	}
	return a.statuses[p]
}

// hostsOf are the hostnames of what a policy targets.
func (a *attachments) hostsOf(p *policy) []hostUse {
	if a == nil {
		return nil
	}
	return slices.Collect(maps.Keys(a.hosts[p]))
}

// judgeTargets finds out, once all is known, on which hosts and Gateways each
// policy decides, and where it is overridden.
func (a *attachments) judgeTargets(policies []*policy) {
	byGateway := map[types.NamespacedName][]*gatewayRoute{}
	for _, g := range a.routes {
		for _, key := range g.gateways {
			byGateway[key] = append(byGateway[key], g)
		}
	}
	for _, p := range policies {
		st := a.statuses[p]
		if st == nil {
			continue
		}
		for i := range st.targets {
			t := &st.targets[i]
			s := targetOf(p, t.ref)
			if t.ref.Kind != v1alpha1.TargetGateway {
				if g := a.byKey[routeKey{string(t.ref.Kind), s.namespace, s.name}]; g != nil {
					a.judgeRoute(p, st, t, g)
				}
				continue
			}
			if t.missing {
				continue
			}
			gateway := nameIn(s.namespace, s.name)
			over := a.onGateway(gateway, "", true)
			if over == nil && t.ref.SectionName != "" {
				over = a.onGateway(gateway, t.ref.SectionName, true)
			}
			t.overridden = over != nil && over.policy != p
			st.on(gateway, t.overridden)
			for _, g := range byGateway[gateway] {
				for _, at := range g.attached {
					if at.on.gateway == gateway && (t.ref.SectionName == "" || at.on.name == t.ref.SectionName) {
						a.decidesOn(p, g, at.hostnames)
					}
				}
			}
		}
	}
	a.judgeOrders()
}

func (a *attachments) judgeRoute(p *policy, st *policyStatus, t *targetStatus, g *gatewayRoute) {
	free := len(g.attached) == 0
	over := map[types.NamespacedName]bool{}
	for _, at := range g.attached {
		c := a.override(at.on)
		theirs := c != nil && c.policy != p
		free = free || !theirs
		if was, seen := over[at.on.gateway]; seen {
			theirs = theirs && was
		}
		over[at.on.gateway] = theirs
		a.decidesOn(p, g, at.hostnames)
	}
	t.overridden = !free
	for _, key := range g.gateways {
		st.on(key, over[key])
	}
}

// on notes an ancestor: overridden if every target there is.
func (st *policyStatus) on(gateway types.NamespacedName, overridden bool) {
	if was, seen := st.gateways[gateway]; seen {
		overridden = overridden && was
	}
	st.gateways[gateway] = overridden
}

func (a *attachments) decidesOn(p *policy, g *gatewayRoute, hostnames []string) {
	for _, h := range hostnames {
		for _, ns := range []string{p.namespace, g.key.namespace} {
			if a.hosts[p] == nil {
				a.hosts[p] = map[hostUse]bool{}
			}
			a.hosts[p][hostUse{h, ns}] = true
		}
	}
}

// problems tells what became of the targets.
func (st *policyStatus) problems() []authz.Problem {
	var out []authz.Problem
	say := func(severity authz.Severity, i int, format string, args ...any) {
		out = append(out, authz.Problem{Severity: severity, Field: fmt.Sprintf("spec.targetRefs[%d]", i), Message: fmt.Sprintf(format, args...)})
	}
	for i, t := range st.targets {
		name := fmt.Sprintf("%s %s", t.ref.Kind, t.ref.Name)
		part := "rule"
		if t.ref.Kind == v1alpha1.TargetGateway {
			part = "listener"
		}
		switch {
		case t.missing:
			say(authz.Unattached, i, "expected %s in this namespace, and there is none (yet)", name)
		case t.gone && part == "rule":
			say(authz.Unattached, i, "%s has no rule %s, so all of the route answers 503; correct the name, or remove the target", name, t.ref.SectionName)
		case t.gone:
			say(authz.Unattached, i, "%s has no listener %s, so what is attached by that name answers 503; correct the name, or remove the target", name, t.ref.SectionName)
		}
		if t.lostTo != nil {
			say(authz.Conflicting, i, "an older policy, %s, has this target", t.lostTo.name)
		} else if t.overridden {
			say(authz.Overridden, i, "a policy of the Gateway with precedence Override decides instead")
		}
	}
	for _, m := range st.ambiguous {
		out = append(out, authz.Problem{Severity: authz.Ambiguous, Field: "spec.targetRefs", Message: m})
	}
	return out
}

// reason is that of Accepted, for a policy that is valid.
func (st *policyStatus) reason() string {
	var lost, overridden, inForce int
	for _, t := range st.targets {
		switch {
		case t.lostTo != nil:
			lost++
		case t.missing, t.gone:
		case t.overridden:
			overridden++
		default:
			inForce++
		}
	}
	switch {
	case inForce > 0 && lost > 0:
		return v1alpha1.ReasonPartiallyConflicted
	case inForce > 0:
		return v1alpha1.ReasonAccepted
	case lost > 0:
		return v1alpha1.ReasonConflicted
	case overridden > 0:
		return v1alpha1.ReasonOverridden
	}
	return v1alpha1.ReasonTargetNotFound
}

// ancestors are the Gateways of the targets, and the conditions there.
func (st *policyStatus) ancestors(r *Report) []gatewayv1.PolicyAncestorStatus {
	if st == nil {
		return nil
	}
	keys := make([]types.NamespacedName, 0, len(st.gateways))
	for key := range st.gateways {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b types.NamespacedName) int { return strings.Compare(a.String(), b.String()) })
	var out []gatewayv1.PolicyAncestorStatus
	for _, key := range keys {
		group, kind, namespace := gatewayv1.Group(v1alpha1.GatewayGroup), gatewayv1.Kind("Gateway"), gatewayv1.Namespace(key.Namespace)
		conditions := slices.Clone(r.Conditions)
		if st.gateways[key] && conditions[0].Status == metav1.ConditionTrue {
			conditions[0].Status, conditions[0].Reason = metav1.ConditionFalse, v1alpha1.ReasonOverridden
			conditions[0].Message = "a policy of the Gateway with precedence Override decides instead"
			conditions[2].Status, conditions[2].Reason, conditions[2].Message = metav1.ConditionFalse, v1alpha1.ReasonNotAccepted, "see Accepted"
		}
		out = append(out, gatewayv1.PolicyAncestorStatus{
			AncestorRef:    gatewayv1.ParentReference{Group: &group, Kind: &kind, Namespace: &namespace, Name: gatewayv1.ObjectName(key.Name)},
			ControllerName: v1alpha1.ControllerName, Conditions: conditions,
		})
	}
	return out
}
