package attach_test

import (
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/attach"
	"github.com/agentauth-dev/agentauth/authz/match"
)

// gateway is a Gateway of namespace shop with one listener, http, that admits
// routes of every namespace.
func gateway(name string, hostname gatewayv1.Hostname) *gatewayv1.Gateway {
	return &gatewayv1.Gateway{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
		Spec: gatewayv1.GatewaySpec{Listeners: []gatewayv1.Listener{{Name: "http", Port: 80, Protocol: gatewayv1.HTTPProtocolType, Hostname: &hostname,
			AllowedRoutes: &gatewayv1.AllowedRoutes{Namespaces: &gatewayv1.RouteNamespaces{From: new(gatewayv1.NamespacesFromAll)}}}}},
	}
}

func parents(gateways ...string) gatewayv1.CommonRouteSpec {
	var out gatewayv1.CommonRouteSpec
	for _, g := range gateways {
		out.ParentRefs = append(out.ParentRefs, gatewayv1.ParentReference{Namespace: new(gatewayv1.Namespace("shop")), Name: gatewayv1.ObjectName(g)})
	}
	return out
}

// httpRoute is a route of everything on Gateways of namespace shop.
func httpRoute(namespace, name string, hostname gatewayv1.Hostname, gateways ...string) *gatewayv1.HTTPRoute {
	return &gatewayv1.HTTPRoute{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       gatewayv1.HTTPRouteSpec{CommonRouteSpec: parents(gateways...), Hostnames: []gatewayv1.Hostname{hostname}},
	}
}

// on is a policy of namespace shop with one target.
func on(name string, kind v1alpha1.TargetKind, target, section string) attach.Policy {
	return attach.Policy{Namespace: "shop", Name: name, TargetRefs: []v1alpha1.TargetReference{
		{Group: v1alpha1.GatewayGroup, Kind: kind, Name: target, SectionName: section}}}
}

func overriding(p attach.Policy) attach.Policy {
	p.Precedence = v1alpha1.PrecedenceOverride
	return p
}

// get is a GET request for a path.
func get(path string) match.View { return match.View{Method: "GET", Path: path} }

// fields are the headers of a request.
type fields map[string]string

func (f fields) Read(name string) authz.Reading {
	v, ok := f[name]
	return authz.Reading{Value: v, Came: ok}
}

// deciders are the names of the policies of rules, in order; "none" for a rule
// without one, and with " (gone)" where the target is gone.
func deciders(a *attach.Attachments, policies []attach.Policy, rules []attach.ServingRule) []string {
	var out []string
	for _, r := range rules {
		h, ok := a.Holder(r)
		if !ok {
			h, ok = a.Fallback(r)
		}
		name := "none"
		if ok {
			name = policies[h.Policy].Name
		}
		if h.TargetGone {
			name += " (gone)"
		}
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// deciding wants the policies that may decide a request without the proxy's word.
func deciding(t *testing.T, a *attach.Attachments, policies []attach.Policy, host string, v match.View, want ...string) {
	t.Helper()
	served := a.Serve(host, v)
	if got := deciders(a, policies, served.Rules); served.Cause != "" || served.Late || !slices.Equal(got, want) {
		t.Errorf("%s%s: expected %q, got %q (cause %q, late %t)", host, v.Path, want, got, served.Cause, served.Late)
	}
}
