package attach

import (
	"iter"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/match"
)

// Objects are the objects of Gateway API that say which route serves which
// request. An unlisted Namespace has unknown labels.
type Objects struct {
	HTTPRoutes   []*gatewayv1.HTTPRoute
	GRPCRoutes   []*gatewayv1.GRPCRoute
	Gateways     []*gatewayv1.Gateway
	ListenerSets []*gatewayv1.ListenerSet
	Namespaces   []Namespace
}

// Namespace is a namespace and the labels by which listeners select it.
type Namespace struct {
	Name   string
	Labels map[string]string
}

// Policy is what attachment reads of a policy. Policies are listed in order of
// age: the older one, with the lower number, holds a target that both name.
type Policy struct {
	Namespace, Name string
	TargetRefs      []v1alpha1.TargetReference
	Precedence      v1alpha1.Precedence
}

func (p Policy) String() string { return p.Namespace + "/" + p.Name }

// Attachments are the routes of Gateway API and the policies attached to them.
// They never change.
type Attachments struct {
	*listeners
	routes []*route // the older first
	byKey  map[routeKey]*route
	ports  []*port

	holders map[target]Holder
	// lostRules are the holders of rules that a route does not have (any more).
	// Such a policy answers 503 for the whole route: it may mean any of its rules.
	lostRules map[*route]Holder

	// routeNamespaces are the namespaces that have routes.
	routeNamespaces map[string]bool
	// namespaces are the namespaces whose routes have a hostname, and hostnames
	// are the hostnames that the routes of a namespace have.
	namespaces map[string]map[string]bool
	hostnames  map[string][]string

	// hosts and statuses are those of each policy.
	hosts    []map[HostUse]bool
	statuses []*Status
}

// target identifies a route, rule, Gateway or listener. Only one policy can hold
// it.
type target struct {
	kind            v1alpha1.TargetKind
	namespace, name string
	section         string // of a rule or listener
	override        bool   // a Gateway has a default and an override
}

// Holder is the policy that holds a target.
type Holder struct {
	Policy int
	// TargetGone: the route or Gateway lacks the rule or listener that the policy
	// names. The policy answers 503 there, since it may mean what is there now
	// under another name.
	TargetGone bool
}

// HostUse is a hostname pattern on which a policy decides, and the namespace of
// the policy or of the route that it decides for.
type HostUse struct{ Pattern, Namespace string }

// New attaches policies to the routes of Gateway API.
func New(objects Objects, policies []Policy) *Attachments {
	a := &Attachments{
		listeners: newListeners(objects), routes: allRoutes(objects), byKey: map[routeKey]*route{},
		holders: map[target]Holder{}, lostRules: map[*route]Holder{},
		routeNamespaces: map[string]bool{}, namespaces: map[string]map[string]bool{}, hostnames: map[string][]string{},
		hosts: make([]map[HostUse]bool, len(policies)), statuses: make([]*Status, len(policies)),
	}
	for _, r := range a.routes {
		a.byKey[r.key] = r
		a.routeNamespaces[r.key.namespace] = true
	}
	for number := range policies {
		a.holdTargets(number, policies)
	}
	for _, r := range a.routes { // after the policies, which may add listeners
		a.attachRoute(r)
		for _, at := range r.attached {
			a.noteHostnames(r.key.namespace, at.hostnames)
		}
	}
	a.makePorts()
	a.judgeTargets(policies)
	a.judgeOverlaps()
	return a
}

// holdTargets gives a policy its targets, unless an older policy holds them. An
// invalid policy holds its targets too.
func (a *Attachments) holdTargets(number int, policies []Policy) {
	p := policies[number]
	if len(p.TargetRefs) == 0 {
		return
	}
	st := &Status{gateways: map[types.NamespacedName]bool{}}
	a.statuses[number] = st
	for _, ref := range p.TargetRefs {
		t, key := targetStatus{ref: ref}, targetOf(p, ref)
		if ref.Kind == v1alpha1.TargetGateway {
			a.findListener(&t, key)
		} else {
			a.findRule(&t, key, number)
		}
		if holder, held := a.holders[key]; !held {
			a.holders[key] = Holder{number, ref.Kind == v1alpha1.TargetGateway && (t.missing || t.gone)}
		} else if holder.Policy != number {
			t.lostTo = policies[holder.Policy].String()
		}
		st.targets = append(st.targets, t)
	}
}

// targetOf is the target that a reference names. A precedence that cannot be
// read counts as the stronger one.
func targetOf(p Policy, ref v1alpha1.TargetReference) target {
	return target{ref.Kind, p.Namespace, ref.Name, ref.SectionName,
		ref.Kind == v1alpha1.TargetGateway && p.Precedence != "" && p.Precedence != v1alpha1.PrecedenceDefault}
}

func (a *Attachments) findListener(t *targetStatus, key target) {
	gateway := nameIn(key.namespace, key.name)
	t.missing = a.known[gateway] == nil
	t.gone = !t.missing && key.section != "" && !a.has(gateway, key.section)
	if t.gone {
		a.addGone(gateway, key.section)
	}
}

func (a *Attachments) findRule(t *targetStatus, key target, number int) {
	r := a.byKey[routeKey{string(key.kind), key.namespace, key.name}]
	t.missing = r == nil
	t.gone = !t.missing && key.section != "" && !r.hasRule(key.section)
	if _, lost := a.lostRules[r]; t.gone && !lost {
		a.lostRules[r] = Holder{number, true}
	}
}

func (a *Attachments) noteHostnames(namespace string, hostnames []string) {
	for _, h := range hostnames {
		if a.namespaces[h] == nil {
			a.namespaces[h] = map[string]bool{}
		}
		if !a.namespaces[h][namespace] {
			a.namespaces[h][namespace] = true
			a.hostnames[namespace] = append(a.hostnames[namespace], h)
		}
	}
}

// Holder is the policy that decides for a rule, whatever else the caller knows:
// the Gateway's or listener's with precedence Override, else the rule's, else
// the route's.
func (a *Attachments) Holder(r ServingRule) (Holder, bool) {
	if h, ok := a.override(r.on); ok {
		return h, true
	}
	return a.onRoute(r.route, r.rule)
}

// Fallback is the policy that decides for a rule if nothing else does: the
// listener's, else the Gateway's.
func (a *Attachments) Fallback(r ServingRule) (Holder, bool) { return a.fallback(r.on) }

// override is the policy that policies of routes cannot replace: the Gateway's
// before the listener's.
func (a *Attachments) override(on *listener) (Holder, bool) {
	if on == nil {
		return Holder{}, false
	}
	if h, ok := a.onGateway(on.gateway, "", true); ok {
		return h, true
	}
	return a.onListener(on, true)
}

// fallback is the policy that policies of routes replace: the listener's before
// the Gateway's.
func (a *Attachments) fallback(on *listener) (Holder, bool) {
	if on == nil {
		return Holder{}, false
	}
	if h, ok := a.onListener(on, false); ok {
		return h, true
	}
	return a.onGateway(on.gateway, "", false)
}

func (a *Attachments) onListener(on *listener, override bool) (Holder, bool) {
	if on.name == "" {
		return Holder{}, false
	}
	return a.onGateway(on.gateway, on.name, override)
}

// onGateway is the policy of a Gateway, or of a listener of it.
func (a *Attachments) onGateway(gateway types.NamespacedName, section string, override bool) (Holder, bool) {
	h, ok := a.holders[target{v1alpha1.TargetGateway, gateway.Namespace, gateway.Name, section, override}]
	return h, ok
}

// onRoute is the policy of a rule, else of its route.
func (a *Attachments) onRoute(r *route, rule string) (Holder, bool) {
	if h, ok := a.lostRules[r]; ok {
		return h, true
	}
	t := target{kind: v1alpha1.TargetKind(r.key.kind), namespace: r.key.namespace, name: r.key.name, section: rule}
	h, ok := a.holders[t]
	if !ok && rule != "" {
		t.section = ""
		h, ok = a.holders[t]
	}
	return h, ok
}

// HasRoutes says whether there is any route of Gateway API.
func (a *Attachments) HasRoutes() bool { return len(a.routes) > 0 }

// HasRoutesIn says whether a namespace has a route of Gateway API.
func (a *Attachments) HasRoutesIn(namespace string) bool { return a.routeNamespaces[namespace] }

// Namespaces are those whose routes have a host, in order.
func (a *Attachments) Namespaces(host string) []string {
	var out []string
	for pattern := range match.Covering(host) {
		for ns := range a.namespaces[pattern] {
			if !slices.Contains(out, ns) {
				out = append(out, ns)
			}
		}
	}
	slices.Sort(out)
	return out
}

// Owned says whether routes of any namespace have all hosts of a pattern.
func (a *Attachments) Owned(pattern string) bool {
	for wider := range match.Covering(pattern) {
		if len(a.namespaces[wider]) > 0 {
			return true
		}
	}
	return false
}

// Owns says whether routes of a namespace have all hosts of a pattern.
func (a *Attachments) Owns(namespace, pattern string) bool {
	for wider := range match.Covering(pattern) {
		if a.namespaces[wider][namespace] {
			return true
		}
	}
	return false
}

// OwnsPart says whether routes of a namespace have some host of a pattern.
func (a *Attachments) OwnsPart(namespace, pattern string) bool {
	return slices.ContainsFunc(a.hostnames[namespace], func(h string) bool { return match.Overlap(h, pattern) })
}

// Guards says whether a policy targets a Gateway, or a listener, on which a
// request for the host may arrive. Such a request is never unguarded, even if no
// route serves it.
func (a *Attachments) Guards(host string) bool {
	for _, all := range []map[types.NamespacedName][]*listener{a.own, a.sets} {
		for _, list := range all {
			if slices.ContainsFunc(list, func(l *listener) bool { return match.Within(host, l.hostname) && a.guarded(l) }) {
				return true
			}
		}
	}
	return false
}

func (a *Attachments) guarded(l *listener) bool {
	_, override := a.override(l)
	_, fallback := a.fallback(l)
	return override || fallback
}

// Hosts are the hostnames on which a policy decides by its targetRefs, in no
// order.
func (a *Attachments) Hosts(policy int) iter.Seq[HostUse] { return maps.Keys(a.hosts[policy]) }

// Status is the outcome of the targetRefs of a policy; nil if it has none.
func (a *Attachments) Status(policy int) *Status { return a.statuses[policy] }
