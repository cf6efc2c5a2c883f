package engine

import (
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/match"
)

func (e attachedRoute) same(other attachedRoute) bool {
	return e.route == other.route && e.at.on == other.at.on
}

func (e attachedRoute) grpc() bool { return e.route.key.kind == string(v1alpha1.TargetGRPCRoute) }

// grpcBehaviours are what proxies make of a port with GRPCRoutes, besides all that
// is attached.
//
// Gateway API has a listener accept only one of an HTTPRoute and a GRPCRoute
// that share a hostname: the older. Some proxies serve both. Of those some let a
// GRPCRoute have gRPC requests only. And some take a service without a method for
// the paths below it, others for its own path too.
func (a *attachments) grpcBehaviours(d *port, all []attachedRoute) []*behaviour {
	if !slices.ContainsFunc(all, attachedRoute.grpc) {
		return nil
	}
	var out []*behaviour
	add := func(some []attachedRoute, without func(attachedRoute, gatewayv1.HTTPRouteMatch) bool, when func(match.View) bool) {
		v := a.behaviourOf(d, some, without)
		v.when = when
		out = append(out, v)
	}
	ownPath := func(v match.View) bool { return strings.Count(v.Path, "/") == 1 }
	add(all, ofService, ownPath)
	for _, some := range exclusive(all) {
		add(some, nil, nil)
		add(some, ofService, ownPath)
	}
	add(all, func(e attachedRoute, _ gatewayv1.HTTPRouteMatch) bool { return e.grpc() }, func(v match.View) bool { return !isGRPC(v) })
	return out
}

// ofService says whether a match is that of a service's every method.
func ofService(e attachedRoute, m gatewayv1.HTTPRouteMatch) bool {
	return e.grpc() && m.Path != nil && *m.Path.Type == gatewayv1.PathMatchPathPrefix && *m.Path.Value != "/"
}

// exclusive are what is left, the older first, where each listener accepts one
// kind for a hostname and that leaves something out. There are two where age and
// name do not say which: the routes are of one second and have one name.
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
		for _, e := range order {
			if accepted[side{e.at.on, !e.grpc()}].any(e.at.hostnames) {
				continue
			}
			left = append(left, e)
			mine := side{e.at.on, e.grpc()}
			if accepted[mine] == nil {
				accepted[mine] = &hostnameSet{map[string]bool{}, map[string]bool{}}
			}
			accepted[mine].add(e.at.hostnames)
		}
		if len(left) < len(all) && (out == nil || !slices.EqualFunc(left, out[0], attachedRoute.same)) {
			out = append(out, left)
		}
	}
	return out
}

// hostnameSet are hostnames of routes, and all patterns that cover one of them.
type hostnameSet struct{ own, above map[string]bool }

func (t *hostnameSet) add(hostnames []string) {
	for _, h := range hostnames {
		t.own[h] = true
		for c := range match.Covering(h) {
			t.above[c] = true
		}
	}
}

// any says whether some host is one of these and of the given ones.
func (t *hostnameSet) any(hostnames []string) bool {
	return t != nil && slices.ContainsFunc(hostnames, func(h string) bool {
		if t.above[h] {
			return true
		}
		for c := range match.Covering(h) {
			if t.own[c] {
				return true
			}
		}
		return false
	})
}

// isGRPC says whether every proxy takes a request for one of gRPC.
func isGRPC(v match.View) bool {
	if v.Headers == nil || v.Method != string(gatewayv1.HTTPMethodPost) || strings.Count(v.Path, "/") != 2 {
		return false
	}
	kind, _ := v.Headers.Header("content-type")
	return kind == "application/grpc" || strings.HasPrefix(kind, "application/grpc+")
}
