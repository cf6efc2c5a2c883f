package engine

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
)

// routeKey names a route of Gateway API.
type routeKey struct{ kind, namespace, name string }

// gatewayRoute is an HTTPRoute or GRPCRoute.
type gatewayRoute struct {
	key       routeKey
	created   metav1.Time
	hostnames []gatewayv1.Hostname
	rules     []gatewayRule
	parents   []gatewayv1.ParentReference
	byDefault bool // attaches to default Gateways

	attached []attachment
	// gateways are those that exist and that it names as parents, in order.
	gateways []types.NamespacedName
	// named are the listeners of the Gateways it names, each with the section: where no listener
	// admits it and it serves all the same, by one of these.
	named []*listener
}

// gatewayRule is a rule of a route; gRPC's matches are written as HTTP's.
type gatewayRule struct {
	name    string
	matches []gatewayv1.HTTPRouteMatch
}

// attachment is a listener that admits a route, and the hostnames they share;
// own are those that the route has for each.
type attachment struct {
	on             *listener
	hostnames, own []string
}

// gatewayRoutes are all routes, the older first.
func gatewayRoutes(in Input) []*gatewayRoute {
	out := make([]*gatewayRoute, 0, len(in.HTTPRoutes)+len(in.GRPCRoutes))
	for _, r := range in.HTTPRoutes {
		g := newGatewayRoute(string(v1alpha1.TargetHTTPRoute), &r.ObjectMeta, r.Spec.Hostnames, &r.Spec.CommonRouteSpec)
		for i := range r.Spec.Rules {
			g.addRule(r.Spec.Rules[i].Name, r.Spec.Rules[i].Matches)
		}
		out = append(out, g.complete())
	}
	for _, r := range in.GRPCRoutes {
		g := newGatewayRoute(string(v1alpha1.TargetGRPCRoute), &r.ObjectMeta, r.Spec.Hostnames, &r.Spec.CommonRouteSpec)
		for i := range r.Spec.Rules {
			var matches []gatewayv1.HTTPRouteMatch
			for _, m := range r.Spec.Rules[i].Matches {
				matches = append(matches, overHTTP(m))
			}
			g.addRule(r.Spec.Rules[i].Name, matches)
		}
		out = append(out, g.complete())
	}
	slices.SortStableFunc(out, func(a, b *gatewayRoute) int {
		return cmp.Or(a.created.Compare(b.created.Time), cmp.Compare(a.key.namespace, b.key.namespace),
			cmp.Compare(a.key.name, b.key.name), -cmp.Compare(a.key.kind, b.key.kind))
	})
	return out
}

func newGatewayRoute(kind string, meta *metav1.ObjectMeta, hostnames []gatewayv1.Hostname, common *gatewayv1.CommonRouteSpec) *gatewayRoute {
	return &gatewayRoute{
		key: routeKey{kind, cmp.Or(meta.Namespace, "default"), meta.Name}, created: meta.CreationTimestamp,
		hostnames: hostnames, parents: common.ParentRefs, byDefault: common.UseDefaultGateways == gatewayv1.GatewayDefaultScopeAll,
	}
}

// addRule gives a rule without matches the one that matches everything.
func (g *gatewayRoute) addRule(name *gatewayv1.SectionName, matches []gatewayv1.HTTPRouteMatch) {
	if len(matches) == 0 {
		matches = []gatewayv1.HTTPRouteMatch{{}}
	}
	g.rules = append(g.rules, gatewayRule{string(deref(name, "")), matches})
}

func (g *gatewayRoute) complete() *gatewayRoute {
	if len(g.rules) == 0 {
		g.addRule(nil, nil)
	}
	return g
}

func (g *gatewayRoute) hasRule(name string) bool {
	return slices.ContainsFunc(g.rules, func(r gatewayRule) bool { return r.name == name })
}

// anyService is how the path of a method begins that may be any service's.
const anyService = "/[^/]+/"

// overHTTP writes what a GRPCRoute matches as what is sent: POST requests whose
// path is /service/method.
func overHTTP(m gatewayv1.GRPCRouteMatch) gatewayv1.HTTPRouteMatch {
	var out gatewayv1.HTTPRouteMatch
	if method := m.Method; method != nil {
		service, name := deref(method.Service, ""), deref(method.Method, "")
		regex := deref(method.Type, gatewayv1.GRPCMethodMatchExact) != gatewayv1.GRPCMethodMatchExact
		kind, path := gatewayv1.PathMatchRegularExpression, ""
		switch {
		case service == "" && name == "":
			kind, path = gatewayv1.PathMatchPathPrefix, "/"
		case regex:
			path = "/" + cmp.Or(service, "[^/]+") + "/" + cmp.Or(name, "[^/]+")
		case name == "":
			kind, path = gatewayv1.PathMatchPathPrefix, "/"+service
		case service == "":
			path = anyService + regexp.QuoteMeta(name)
		default:
			kind, path = gatewayv1.PathMatchExact, "/"+service+"/"+name
		}
		out.Path = &gatewayv1.HTTPPathMatch{Type: &kind, Value: &path}
	}
	for _, h := range m.Headers {
		kind := gatewayv1.HeaderMatchType(deref(h.Type, gatewayv1.GRPCHeaderMatchExact))
		out.Headers = append(out.Headers, gatewayv1.HTTPHeaderMatch{Type: &kind, Name: gatewayv1.HTTPHeaderName(h.Name), Value: h.Value})
	}
	return out
}

// attach finds the listeners that admit a route.
func (l *listeners) attach(g *gatewayRoute) {
	for _, ref := range g.parents {
		if deref(ref.Group, gatewayv1.Group(v1alpha1.GatewayGroup)) != v1alpha1.GatewayGroup {
			continue
		}
		key := nameIn(string(deref(ref.Namespace, gatewayv1.Namespace(g.key.namespace))), string(ref.Name))
		section := string(deref(ref.SectionName, ""))
		switch deref(ref.Kind, "Gateway") {
		case "Gateway":
			l.attachTo(g, key, l.own[key], section, deref(ref.Port, 0))
		case "ListenerSet":
			if parent, ok := l.parent[key]; ok {
				l.attachTo(g, parent, l.sets[key], section, deref(ref.Port, 0))
			}
		}
	}
	if g.byDefault {
		for key, gateway := range l.known {
			if gateway.Spec.DefaultScope == gatewayv1.GatewayDefaultScopeAll {
				l.attachTo(g, key, l.own[key], "", 0)
			}
		}
	}
	slices.SortFunc(g.gateways, func(a, b types.NamespacedName) int { return strings.Compare(a.String(), b.String()) })
}

func (l *listeners) attachTo(g *gatewayRoute, gateway types.NamespacedName, list []*listener, section string, port int32) {
	if l.known[gateway] != nil && !slices.Contains(g.gateways, gateway) {
		g.gateways = append(g.gateways, gateway)
	}
	named := false
	for _, on := range list {
		if section != "" && on.name != section || section == "" && on.gone || port != 0 && on.port != port && !on.gone {
			continue
		}
		named = true
		g.named = append(g.named, on)
		if !l.admits(on, g.key.kind, g.key.namespace) {
			continue
		}
		if hosts, own := shared(g.hostnames, on.hostname); len(hosts) > 0 && !slices.ContainsFunc(g.attached, func(a attachment) bool { return a.on == on }) {
			g.attached = append(g.attached, attachment{on, hosts, own})
		}
	}
	if !named {
		g.named = append(g.named, &listener{gateway: gateway, name: section})
	}
}
