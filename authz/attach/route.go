package attach

import (
	"cmp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/match"
)

// routeKey names a route of Gateway API.
type routeKey struct{ kind, namespace, name string }

// route is an HTTPRoute or GRPCRoute.
type route struct {
	key       routeKey
	source    any // the object
	created   metav1.Time
	hostnames []gatewayv1.Hostname
	rules     []rule
	parents   []gatewayv1.ParentReference
	byDefault bool // attaches to default Gateways

	attached []attachment
	// gateways are the Gateways among the parents that exist, in order. Those of
	// other namespaces are here only if they admit the route: a route does not tell
	// its author which Gateways others have.
	gateways []types.NamespacedName
	// named are the listeners that the parents name, whether they admit the route
	// or not. A proxy that serves the route all the same does so on one of these.
	named []*listener
	// idle: a Gateway among the parents does not count. One of another namespace is
	// meant only if it admits the route: see gateways.
	idle bool
	// over: the route is over a bound of its namespace.
	over bool
	// gone are the listeners that the parents name, a policy targets and no spec has
	// (any more). Such a listener has no hostname. It admits whom its Gateway admits.
	gone []*listener
}

// rule is a rule of a route; the matches of a GRPCRoute are written as those of
// an HTTPRoute.
type rule struct {
	name    string
	matches []gatewayv1.HTTPRouteMatch
}

// attachment is a listener that admits a route, and the hostnames they share.
// own are the route's hostnames that lead to each of these.
type attachment struct {
	on             *listener
	hostnames, own []string
}

func (at attachment) covers(host string) bool {
	return slices.ContainsFunc(at.hostnames, func(h string) bool { return match.Within(host, h) })
}

// allRoutes are all routes, the older first.
func allRoutes(objects Objects) []*route {
	out := make([]*route, 0, len(objects.HTTPRoutes)+len(objects.GRPCRoutes))
	for _, r := range objects.HTTPRoutes {
		one := newRoute(v1alpha1.TargetHTTPRoute, r, &r.ObjectMeta, r.Spec.Hostnames, &r.Spec.CommonRouteSpec)
		for i := range r.Spec.Rules {
			one.addRule(r.Spec.Rules[i].Name, r.Spec.Rules[i].Matches)
		}
		out = append(out, one.complete())
	}
	for _, r := range objects.GRPCRoutes {
		one := newRoute(v1alpha1.TargetGRPCRoute, r, &r.ObjectMeta, r.Spec.Hostnames, &r.Spec.CommonRouteSpec)
		for i := range r.Spec.Rules {
			var matches []gatewayv1.HTTPRouteMatch
			for _, m := range r.Spec.Rules[i].Matches {
				matches = append(matches, overHTTP(m))
			}
			one.addRule(r.Spec.Rules[i].Name, matches)
		}
		out = append(out, one.complete())
	}
	slices.SortStableFunc(out, func(a, b *route) int {
		return cmp.Or(a.created.Compare(b.created.Time), cmp.Compare(a.key.namespace, b.key.namespace),
			cmp.Compare(a.key.name, b.key.name), -cmp.Compare(a.key.kind, b.key.kind))
	})
	return out
}

func newRoute(kind v1alpha1.TargetKind, source any, meta *metav1.ObjectMeta, hostnames []gatewayv1.Hostname, common *gatewayv1.CommonRouteSpec) *route {
	return &route{
		key: routeKey{string(kind), cmp.Or(meta.Namespace, "default"), meta.Name}, source: source, created: meta.CreationTimestamp,
		hostnames: hostnames, parents: common.ParentRefs, byDefault: common.UseDefaultGateways == gatewayv1.GatewayDefaultScopeAll,
	}
}

// addRule gives a rule without matches the match for everything.
func (r *route) addRule(name *gatewayv1.SectionName, matches []gatewayv1.HTTPRouteMatch) {
	if len(matches) == 0 {
		matches = []gatewayv1.HTTPRouteMatch{{}}
	}
	r.rules = append(r.rules, rule{string(ptr.Deref(name, "")), matches})
}

func (r *route) complete() *route {
	if len(r.rules) == 0 {
		r.addRule(nil, nil)
	}
	return r
}

func (r *route) grpc() bool { return r.key.kind == string(v1alpha1.TargetGRPCRoute) }

func (r *route) hasRule(name string) bool {
	return slices.ContainsFunc(r.rules, func(r rule) bool { return r.name == name })
}

// ServingRule is a rule of a route on a listener. It serves a request.
type ServingRule struct {
	route *route
	rule  string    // "" for a rule without a name
	on    *listener // nil if it is unknown
}

// Namespace is the namespace of the route.
func (r ServingRule) Namespace() string { return r.route.key.namespace }

// String is the route, the rule, the Gateway and the listener, for people.
func (r ServingRule) String() string {
	text := r.route.key.kind + " " + r.route.key.namespace + "/" + r.route.key.name
	if r.rule != "" {
		text += " (rule " + r.rule + ")"
	}
	if r.on == nil {
		return text
	}
	text += " on Gateway " + r.on.gateway.String()
	if r.on.name != "" {
		text += " (listener " + r.on.name + ")"
	}
	return text
}

// on is a rule on each listener that the attachment fits.
func (r *route) on(rule string, fits func(attachment) bool) []ServingRule {
	var out []ServingRule
	for _, at := range r.attached {
		if fits(at) {
			out = append(out, ServingRule{r, rule, at.on})
		}
	}
	return out
}

// Named are the rules that the proxy's word leaves possible; false if it names a
// route or rule that is unknown.
func (a *Attachments) Named(ref *authz.RouteRef, host string) ([]ServingRule, bool) {
	r := a.byKey[routeKey{ref.Kind, ref.Namespace, ref.Name}]
	if r == nil || ref.SectionName != "" && !r.hasRule(ref.SectionName) {
		return nil, false
	}
	rules := r.on(ref.SectionName, func(at attachment) bool { return at.covers(host) })
	if len(rules) == 0 {
		rules = r.on(ref.SectionName, func(attachment) bool { return true })
	}
	for _, on := range r.gone {
		rules = append(rules, ServingRule{r, ref.SectionName, on})
	}
	if len(rules) == 0 { // no listener admits the route, and the proxy serves it
		for _, on := range r.named {
			rules = append(rules, ServingRule{r, ref.SectionName, on})
		}
	}
	if len(rules) == 0 {
		rules = []ServingRule{{r, ref.SectionName, nil}}
	}
	return rules, true
}

// attachRoute finds the listeners that admit a route.
func (a *Attachments) attachRoute(r *route) {
	for _, ref := range r.parents {
		if ptr.Deref(ref.Group, v1alpha1.GatewayGroup) != v1alpha1.GatewayGroup {
			continue
		}
		key := nameIn(string(ptr.Deref(ref.Namespace, gatewayv1.Namespace(r.key.namespace))), string(ref.Name))
		section := string(ptr.Deref(ref.SectionName, ""))
		switch ptr.Deref(ref.Kind, "Gateway") {
		case "Gateway":
			a.attachTo(r, key, a.own[key], section, ptr.Deref(ref.Port, 0))
		case "ListenerSet":
			if parent, ok := a.parent[key]; ok {
				a.attachTo(r, parent, a.sets[key], section, ptr.Deref(ref.Port, 0))
			}
		}
	}
	if r.byDefault {
		for key, gateway := range a.known {
			if gateway.Spec.DefaultScope == gatewayv1.GatewayDefaultScopeAll {
				a.attachTo(r, key, a.own[key], "", 0)
			}
		}
	}
	slices.SortFunc(r.gateways, byName)
}

func (a *Attachments) attachTo(r *route, gateway types.NamespacedName, list []*listener, section string, number int32) {
	admitted, named := gateway.Namespace == r.key.namespace, false
	for _, on := range list {
		if section != "" && on.name != section || number != 0 && on.port != number {
			continue
		}
		named = true
		r.named = append(r.named, on)
		if !a.admits(on, r.key.kind, r.key.namespace) {
			continue
		}
		admitted = true
		if hosts, own := sharedHostnames(r.hostnames, on.hostname); len(hosts) > 0 && !slices.ContainsFunc(r.attached, func(at attachment) bool { return at.on == on }) {
			r.attached = append(r.attached, attachment{on, hosts, own})
		}
	}
	if !named {
		on := &listener{gateway: gateway, name: section}
		r.named = append(r.named, on)
		if a.isGone(on) && a.admitsElsewhere(r, gateway) {
			r.gone = append(r.gone, on)
		}
	}
	if admitted && a.known[gateway] != nil && !slices.Contains(r.gateways, gateway) {
		r.gateways = append(r.gateways, gateway)
	}
}

// isGone says whether a policy targets a listener that a Gateway lacks.
func (a *Attachments) isGone(on *listener) bool {
	override, _ := a.onListener(on, true)
	fallback, _ := a.onListener(on, false)
	return a.known[on.gateway] != nil && (override.TargetGone || fallback.TargetGone)
}

// admitsElsewhere says whether a Gateway admits a route to any of its listeners.
func (a *Attachments) admitsElsewhere(r *route, gateway types.NamespacedName) bool {
	return r.key.namespace == gateway.Namespace || a.any(gateway, func(on *listener) bool {
		return a.admits(on, r.key.kind, r.key.namespace)
	})
}

func byName(a, b types.NamespacedName) int { return strings.Compare(a.String(), b.String()) }
