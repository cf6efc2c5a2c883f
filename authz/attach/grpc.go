package attach

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/authz/match"
)

// anyService is how the path of a method begins that may be any service's.
const anyService = "/[^/]+/"

// overHTTP writes a match of a GRPCRoute as a match of what is sent: POST
// requests whose path is /service/method.
func overHTTP(m gatewayv1.GRPCRouteMatch) gatewayv1.HTTPRouteMatch {
	var out gatewayv1.HTTPRouteMatch
	if method := m.Method; method != nil {
		service, name := ptr.Deref(method.Service, ""), ptr.Deref(method.Method, "")
		regex := ptr.Deref(method.Type, gatewayv1.GRPCMethodMatchExact) != gatewayv1.GRPCMethodMatchExact
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
		kind := gatewayv1.HeaderMatchType(ptr.Deref(h.Type, gatewayv1.GRPCHeaderMatchExact))
		out.Headers = append(out.Headers, gatewayv1.HTTPHeaderMatch{Type: &kind, Name: gatewayv1.HTTPHeaderName(h.Name), Value: h.Value})
	}
	return out
}

// ofAnyPath widens the match for a method of any service: some proxies (Envoy
// Gateway) let it serve every path that ends in the method.
func ofAnyPath(m gatewayv1.HTTPRouteMatch) gatewayv1.HTTPRouteMatch {
	if method, ok := strings.CutPrefix(*m.Path.Value, anyService); ok {
		m.Path = &gatewayv1.HTTPPathMatch{Type: m.Path.Type, Value: new("(/.*)?/" + method)}
	}
	return m
}

// grpcBehaviours are the behaviours of a port with GRPCRoutes, besides the one
// that serves all attached routes by all their matches. Proxies differ:
//
//   - Gateway API has a listener accept only one of an HTTPRoute and a GRPCRoute
//     that share a hostname, the older one. Some proxies serve both.
//   - Of those that serve both, some let a GRPCRoute have gRPC requests only.
//   - A match for a service without a method holds for the paths below the
//     service. In some proxies it holds for the path of the service itself too.
func (a *Attachments) grpcBehaviours(p *port, all []attachedRoute) []*behaviour {
	if !slices.ContainsFunc(all, attachedRoute.grpc) {
		return nil
	}
	var out []*behaviour
	add := func(routes []attachedRoute, without leftOut, when func(match.View) bool) {
		b := a.behaviour(p, routes, without)
		b.when = when
		out = append(out, b)
	}
	ownPath := func(v match.View) bool { return strings.Count(v.Path, "/") == 1 }
	add(all, ofService, ownPath)
	for _, routes := range exclusive(all) {
		add(routes, nil, nil)
		add(routes, ofService, ownPath)
	}
	add(all, func(r attachedRoute, _ gatewayv1.HTTPRouteMatch) bool { return r.grpc() }, func(v match.View) bool { return !isGRPC(v) })
	return out
}

// ofService says whether a match is for every method of a service.
func ofService(r attachedRoute, m gatewayv1.HTTPRouteMatch) bool {
	return r.grpc() && m.Path != nil && *m.Path.Type == gatewayv1.PathMatchPathPrefix && *m.Path.Value != "/"
}

// exclusive returns the routes that remain if a listener accepts either
// HTTPRoutes or GRPCRoutes for a hostname: the kind of the older route. There are
// two results if age and name do not decide, none if all routes remain.
func exclusive(all []attachedRoute) [][]attachedRoute {
	flipped := slices.Clone(all)
	slices.SortStableFunc(flipped, func(x, y attachedRoute) int {
		if x.route.key.name != y.route.key.name || x.route.key.namespace != y.route.key.namespace || !x.route.created.Equal(&y.route.created) {
			return x.owner - y.owner
		}
		return strings.Compare(x.route.key.kind, y.route.key.kind)
	})
	type side struct {
		on   *listener
		grpc bool
	}
	var out [][]attachedRoute
	for _, order := range [][]attachedRoute{all, flipped} {
		accepted := map[side]*hostnameSet{}
		var left []attachedRoute
		for _, r := range order {
			if accepted[side{r.at.on, !r.grpc()}].overlaps(r.at.hostnames) {
				continue
			}
			left = append(left, r)
			mine := side{r.at.on, r.grpc()}
			if accepted[mine] == nil {
				accepted[mine] = &hostnameSet{map[string]bool{}, map[string]bool{}}
			}
			accepted[mine].add(r.at.hostnames)
		}
		if len(left) < len(all) && (out == nil || !slices.EqualFunc(left, out[0], attachedRoute.same)) {
			out = append(out, left)
		}
	}
	return out
}

// hostnameSet is a set of hostnames, and of all patterns that cover one of them.
type hostnameSet struct{ own, above map[string]bool }

func (s *hostnameSet) add(hostnames []string) {
	for _, h := range hostnames {
		s.own[h] = true
		for wider := range match.Covering(h) {
			s.above[wider] = true
		}
	}
}

// overlaps says whether some host is covered by the set and by hostnames.
func (s *hostnameSet) overlaps(hostnames []string) bool {
	return s != nil && slices.ContainsFunc(hostnames, func(h string) bool {
		if s.above[h] {
			return true
		}
		_, covered := match.Closest(s.own, h)
		return covered
	})
}

// isGRPC says whether a request is a gRPC request to every proxy.
func isGRPC(v match.View) bool {
	if v.Headers == nil || v.Method != string(gatewayv1.HTTPMethodPost) || strings.Count(v.Path, "/") != 2 {
		return false
	}
	kind := v.Headers.Read("content-type")
	return !kind.Undecided() && (kind.Value == "application/grpc" || strings.HasPrefix(kind.Value, "application/grpc+"))
}
