package engine

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/authz"
)

// aRoute is what a proxy reads of an HTTPRoute or GRPCRoute.
type aRoute struct {
	kind, namespace, name string
	created               time.Time
	hostnames             []string
	parents               []gatewayv1.ParentReference
	rules                 []aRule
}

type aRule struct {
	name    string
	matches []aMatch
}

// aMatch is one of HTTP, or one of gRPC with the path it becomes.
type aMatch struct {
	http gatewayv1.HTTPRouteMatch
	grpc *gatewayv1.GRPCRouteMatch
}

// aListener is one of a Gateway or of a ListenerSet.
type aListener struct {
	gateway, set    string // the set as namespace/name, if it is of one
	namespace, name string
	port            gatewayv1.PortNumber
	hostname        string
	allowed         *gatewayv1.AllowedRoutes
}

func routesOf(in Input) []*aRoute {
	var out []*aRoute
	for _, r := range in.HTTPRoutes {
		one := &aRoute{"HTTPRoute", r.Namespace, r.Name, r.CreationTimestamp.Time, strs(r.Spec.Hostnames), r.Spec.ParentRefs, nil}
		for _, rule := range r.Spec.Rules {
			add := aRule{name: sectionOf(rule.Name)}
			for _, m := range rule.Matches {
				add.matches = append(add.matches, aMatch{http: m})
			}
			one.add(add, aMatch{})
		}
		out = append(out, one)
	}
	for _, r := range in.GRPCRoutes {
		one := &aRoute{"GRPCRoute", r.Namespace, r.Name, r.CreationTimestamp.Time, strs(r.Spec.Hostnames), r.Spec.ParentRefs, nil}
		for _, rule := range r.Spec.Rules {
			add := aRule{name: sectionOf(rule.Name)}
			for _, m := range rule.Matches {
				add.matches = append(add.matches, aMatch{pathOfGRPC(m), &m})
			}
			one.add(add, aMatch{grpc: &gatewayv1.GRPCRouteMatch{}})
		}
		out = append(out, one)
	}
	return out
}

func (r *aRoute) add(rule aRule, all aMatch) {
	if len(rule.matches) == 0 {
		rule.matches = []aMatch{all}
	}
	r.rules = append(r.rules, rule)
}

func strs(list []gatewayv1.Hostname) []string {
	var out []string
	for _, h := range list {
		out = append(out, string(h))
	}
	return out
}

func sectionOf(name *gatewayv1.SectionName) string {
	if name == nil {
		return ""
	}
	return string(*name)
}

func listenersOf(in Input, g *gatewayv1.Gateway) []aListener {
	pattern := func(h *gatewayv1.Hostname) string {
		if h == nil {
			return "*"
		}
		return string(*h)
	}
	var out []aListener
	for _, l := range g.Spec.Listeners {
		out = append(out, aListener{g.Name, "", g.Namespace, string(l.Name), l.Port, pattern(l.Hostname), l.AllowedRoutes})
	}
	for _, set := range in.ListenerSets {
		if string(set.Spec.ParentRef.Name) != g.Name || g.Spec.AllowedListeners == nil ||
			*g.Spec.AllowedListeners.Namespaces.From == gatewayv1.NamespacesFromSame && set.Namespace != g.Namespace {
			continue
		}
		for _, l := range set.Spec.Listeners {
			out = append(out, aListener{g.Name, set.Namespace + "/" + set.Name, set.Namespace, string(l.Name), l.Port, pattern(l.Hostname), l.AllowedRoutes})
		}
	}
	return out
}

// names says whether one of the route's parents is the listener's.
func (r *aRoute) names(l aListener) bool {
	return slices.ContainsFunc(r.parents, func(ref gatewayv1.ParentReference) bool {
		if ref.Kind != nil && *ref.Kind == "ListenerSet" {
			if string(*ref.Namespace)+"/"+string(ref.Name) != l.set {
				return false
			}
		} else if l.set != "" || string(ref.Name) != l.gateway {
			return false
		}
		return (ref.SectionName == nil || string(*ref.SectionName) == l.name) && (ref.Port == nil || *ref.Port == l.port)
	})
}

func admitted(in Input, l aListener, r *aRoute) bool {
	if len(l.allowed.Kinds) > 0 && string(l.allowed.Kinds[0].Kind) != r.kind {
		return false
	}
	switch *l.allowed.Namespaces.From {
	case gatewayv1.NamespacesFromSame:
		return r.namespace == l.namespace
	case gatewayv1.NamespacesFromSelector:
		for _, n := range in.Namespaces {
			if n.Name == r.namespace {
				return n.Labels["edge"] == "yes"
			}
		}
	case gatewayv1.NamespacesFromAll, gatewayv1.NamespacesFromNone:
	}
	return true
}

// pathOfGRPC is what proxies make of it.
func pathOfGRPC(m gatewayv1.GRPCRouteMatch) gatewayv1.HTTPRouteMatch {
	var out gatewayv1.HTTPRouteMatch
	kind, path := gatewayv1.PathMatchPathPrefix, "/"
	if of := m.Method; of != nil {
		switch {
		case *of.Type == gatewayv1.GRPCMethodMatchRegularExpression:
			kind, path = gatewayv1.PathMatchRegularExpression, "/"+*of.Service+"/[^/]+"
		case of.Service == nil:
			kind, path = gatewayv1.PathMatchRegularExpression, "/[^/]+/"+*of.Method
		case of.Method == nil:
			path = "/" + *of.Service
		default:
			kind, path = gatewayv1.PathMatchExact, "/"+*of.Service+"/"+*of.Method
		}
	}
	out.Path = &gatewayv1.HTTPPathMatch{Type: &kind, Value: &path}
	for _, h := range m.Headers {
		out.Headers = append(out.Headers, gatewayv1.HTTPHeaderMatch{Name: gatewayv1.HTTPHeaderName(h.Name), Value: h.Value})
	}
	return out
}

func (m aMatch) holds(raw authz.Raw, below bool) bool {
	if m.grpc != nil && m.grpc.Method != nil && m.grpc.Method.Method == nil && *m.grpc.Method.Type == gatewayv1.GRPCMethodMatchExact {
		path, _, _ := strings.Cut(raw.Path, "?")
		if below && path == "/"+*m.grpc.Method.Service {
			return false
		}
	}
	return holds(m.http, raw)
}

// bySpec is the order of GRPCRoute's specification.
func bySpec(a, b *gatewayv1.GRPCRouteMatch) int {
	size := func(m *gatewayv1.GRPCRouteMatch) (service, method int) {
		if m.Method == nil {
			return 0, 0
		}
		if m.Method.Service != nil {
			service = len(*m.Method.Service)
		}
		if m.Method.Method != nil {
			method = len(*m.Method.Method)
		}
		return service, method
	}
	sa, ma := size(a)
	sb, mb := size(b)
	return cmp.Or(cmp.Compare(sb, sa), cmp.Compare(mb, ma), cmp.Compare(len(b.Headers), len(a.Headers)))
}

var wholes = map[string]*regexp.Regexp{}

// whole says whether a regular expression matches all of a text.
func whole(pattern, s string) bool {
	if wholes[pattern] == nil {
		wholes[pattern] = regexp.MustCompile("^(?:" + pattern + ")$")
	}
	return wholes[pattern].MatchString(s)
}
