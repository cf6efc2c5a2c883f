package attach

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
)

// Status is the outcome of the targetRefs of a policy.
type Status struct {
	targets []targetStatus
	// gateways are the ancestors, and whether another policy overrides this one
	// there.
	gateways map[types.NamespacedName]bool
	// ambiguous are warnings: see judgeOverlaps.
	ambiguous []string
}

// targetStatus is the outcome of one targetRef: attached, missing, lost to an
// older policy, or overridden.
type targetStatus struct {
	ref       v1alpha1.TargetReference
	key       target
	missing   bool   // there is no such route or Gateway
	absent    bool   // there is no such kind
	uncounted string // the class of a Gateway that does not count
	gone      bool   // it lacks the rule or listener
	// astray: the route has Gateways that do not count, and no others.
	astray     bool
	lostTo     string // the older policy
	overridden bool
	// ungranted are hostnames of the route that were granted to other namespaces, and
	// not to the route's. doubtful: not all grants can be read, so that they may be.
	ungranted []string
	doubtful  bool
}

// note notes which targets are of kinds that are not installed.
func (st *Status) note(absent []v1alpha1.TargetKind) {
	if st == nil {
		return
	}
	for i := range st.targets {
		st.targets[i].absent = slices.Contains(absent, st.targets[i].ref.Kind)
	}
}

// Ancestor is a Gateway of a policy's targets.
type Ancestor struct {
	Gateway types.NamespacedName
	// Overridden: a policy with precedence Override decides there instead.
	Overridden bool
}

// judgeTargets finds the hosts and Gateways that each policy decides on, and
// where another policy overrides it.
func (a *Attachments) judgeTargets(policies []Policy) {
	a.onGateways = map[types.NamespacedName][]*route{}
	for _, r := range a.routes {
		for _, key := range r.gateways {
			a.onGateways[key] = append(a.onGateways[key], r)
		}
	}
	for number, p := range policies {
		st := a.statuses[number]
		if st == nil {
			continue
		}
		for i := range st.targets {
			t := &st.targets[i]
			key := targetOf(p, t.ref)
			if t.ref.Kind == v1alpha1.TargetGateway {
				a.judgeGateway(number, p, t)
			} else if r := a.byKey[routeKey{string(key.kind), key.namespace, key.name}]; r != nil {
				a.judgeRoute(number, p, t, r)
			}
		}
	}
}

func (a *Attachments) judgeGateway(number int, p Policy, t *targetStatus) {
	if t.missing {
		return
	}
	gateway := nameIn(p.Namespace, t.ref.Name)
	over, ok := a.onGateway(gateway, "", true)
	if !ok && t.ref.SectionName != "" {
		over, ok = a.onGateway(gateway, t.ref.SectionName, true)
	}
	t.overridden = ok && over.Policy != number
	a.statuses[number].on(gateway, t.overridden)
	for _, r := range a.onGateways[gateway] {
		for _, at := range r.attached {
			if at.on.gateway == gateway && (t.ref.SectionName == "" || at.on.name == t.ref.SectionName) {
				a.decidesOn(number, p, r, at.hostnames)
			}
		}
	}
}

func (a *Attachments) judgeRoute(number int, p Policy, t *targetStatus, r *route) {
	free := len(r.attached) == 0
	t.astray = free && len(r.gateways) == 0 && r.idle
	overridden := map[types.NamespacedName]bool{}
	for _, at := range r.attached {
		over, ok := a.override(at.on)
		theirs := ok && over.Policy != number
		free = free || !theirs
		if before, seen := overridden[at.on.gateway]; seen {
			theirs = theirs && before
		}
		overridden[at.on.gateway] = theirs
		a.decidesOn(number, p, r, at.hostnames)
		for _, h := range at.hostnames {
			if !a.grants.Permits(r.key.namespace, h) && !slices.Contains(t.ungranted, h) {
				t.ungranted, t.doubtful = append(t.ungranted, h), a.grants.Partial()
			}
		}
	}
	t.overridden = !free
	for _, key := range r.gateways {
		a.statuses[number].on(key, overridden[key])
	}
}

// Astray says whether no Gateway of the route of a target counts.
func (st *Status) Astray(target int) bool { return st.targets[target].astray }

// on adds an ancestor. It is overridden if the policy is overridden for each
// target there.
func (st *Status) on(gateway types.NamespacedName, overridden bool) {
	if before, seen := st.gateways[gateway]; seen {
		overridden = overridden && before
	}
	st.gateways[gateway] = overridden
}

func (a *Attachments) decidesOn(number int, p Policy, r *route, hostnames []string) {
	if a.hosts[number] == nil {
		a.hosts[number] = map[HostUse]bool{}
	}
	for _, h := range hostnames {
		for _, ns := range []string{p.Namespace, r.key.namespace} {
			a.hosts[number][HostUse{h, ns}] = true
		}
	}
}

// Problems are what is wrong with the targets.
func (st *Status) Problems() []authz.Problem {
	var out []authz.Problem
	for i, t := range st.targets {
		say := func(severity authz.Severity, format string, args ...any) {
			out = append(out, authz.Problem{Severity: severity, Field: fmt.Sprintf("spec.targetRefs[%d]", i), Message: fmt.Sprintf(format, args...)})
		}
		switch {
		case t.uncounted != "":
			say(authz.Unattached, "Gateway %s is of GatewayClass %s, which does not count, so the Gateway admits nothing; the operator must name the class (--gateway-classes) or, without that flag, its controller must accept it", t.ref.Name, t.uncounted)
		case t.missing && t.absent:
			say(authz.Unattached, "expected %s %s in this namespace, and the cluster has no kind %s: Gateway API is not installed, or not %ss.%s in version v1; "+
				"install it, or write routes with hostnames instead of targetRefs", t.ref.Kind, t.ref.Name, t.ref.Kind, strings.ToLower(string(t.ref.Kind)), v1alpha1.GatewayGroup)
		case t.missing:
			say(authz.Unattached, "expected %s %s in this namespace, and there is none (yet)", t.ref.Kind, t.ref.Name)
		case t.gone && t.ref.Kind == v1alpha1.TargetGateway:
			say(authz.Unattached, "%s %s has no listener %s, so a route that names it is answered 503 where the proxy says that it took that route; correct the name, or remove the target", t.ref.Kind, t.ref.Name, t.ref.SectionName)
		case t.gone:
			say(authz.Unattached, "%s %s has no rule %s, so all of the route answers 503; correct the name, or remove the target", t.ref.Kind, t.ref.Name, t.ref.SectionName)
		}
		if t.lostTo != "" {
			say(authz.Conflicting, "an older policy, %s, has this target", t.lostTo)
		} else if t.overridden {
			say(authz.Overridden, "a policy of the Gateway with precedence Override decides instead")
		}
		switch {
		case len(t.ungranted) > 0 && t.doubtful:
			say(authz.Conflicting, "the operator granted hostname %s to other namespaces, or a grant that cannot be read may do so, so this policy decides there only where the proxy says that it took this route; the operator must correct the ConfigMaps of hostname grants", authz.FirstOf(t.ungranted, 3))
		case len(t.ungranted) > 0:
			say(authz.Conflicting, "the operator granted hostname %s to other namespaces (--hostnames, or a ConfigMap of hostname grants), so this policy decides there only where the proxy says that it took this route", authz.FirstOf(t.ungranted, 3))
		}
	}
	for _, m := range st.ambiguous {
		out = append(out, authz.Problem{Severity: authz.Ambiguous, Field: "spec.targetRefs", Message: m})
	}
	return out
}

// Reason is the reason of the condition Accepted, for a policy that is valid.
func (st *Status) Reason() string {
	var lost, overridden, inForce int
	ungranted := false
	for _, t := range st.targets {
		ungranted = ungranted || len(t.ungranted) > 0
		switch {
		case t.lostTo != "":
			lost++
		case t.missing, t.gone:
		case t.overridden:
			overridden++
		default:
			inForce++
		}
	}
	switch {
	case inForce > 0 && (lost > 0 || ungranted):
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

// Ancestors are the Gateways of the targets, by name. Their number is not
// bounded here.
func (st *Status) Ancestors() []Ancestor {
	out := make([]Ancestor, 0, len(st.gateways))
	for _, key := range slices.SortedFunc(maps.Keys(st.gateways), byName) {
		out = append(out, Ancestor{key, st.gateways[key]})
	}
	return out
}
