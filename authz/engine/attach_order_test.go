package engine

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/attach"
)

// Envoy Gateway orders these matches otherwise than Gateway API does, or than other proxies read it.
func TestWhereEnvoyGatewayHasItsOwnOrderNothingIsDecidedWithoutItsWord(t *testing.T) {
	prefix := func(value string) gatewayv1.HTTPRouteMatch {
		return gatewayv1.HTTPRouteMatch{Path: &gatewayv1.HTTPPathMatch{Type: new(gatewayv1.PathMatchPathPrefix), Value: &value}}
	}
	exactHeader := gatewayv1.HTTPHeaderMatch{Name: "x-a", Value: "1"}
	regexHeader := gatewayv1.HTTPHeaderMatch{Type: new(gatewayv1.HeaderMatchRegularExpression), Name: "x-b", Value: "1|2"}
	exactQuery := gatewayv1.HTTPQueryParamMatch{Name: "q", Value: "1"}
	regexQuery := gatewayv1.HTTPQueryParamMatch{Type: new(gatewayv1.QueryParamMatchRegularExpression), Name: "r", Value: "1|2"}
	method := gatewayv1.HTTPRouteMatch{Method: new(gatewayv1.HTTPMethodGet)}
	headers := func(h ...gatewayv1.HTTPHeaderMatch) gatewayv1.HTTPRouteMatch {
		return gatewayv1.HTTPRouteMatch{Headers: h}
	}
	query := func(q ...gatewayv1.HTTPQueryParamMatch) gatewayv1.HTTPRouteMatch {
		return gatewayv1.HTTPRouteMatch{QueryParams: q}
	}
	for name, c := range map[string]struct {
		older, younger gatewayv1.HTTPRouteMatch
		ambiguous      bool
	}{
		"a prefix with a final slash":         {prefix("/a"), prefix("/a/"), true},
		"two with a final slash":              {prefix("/a/"), prefix("/a/"), false},
		"the older has the slash":             {prefix("/a/"), prefix("/a"), false},
		"a header by regular expression":      {headers(regexHeader), headers(exactHeader), true},
		"the older is exact":                  {headers(exactHeader), headers(regexHeader), false},
		"a query by regular expression":       {query(regexQuery), query(exactQuery), true},
		"a method and a header, against more": {method, headers(exactHeader, regexHeader), true},
		"two exact headers":                   {headers(exactHeader), headers(exactHeader), false},
	} {
		t.Run(name, func(t *testing.T) {
			in := Input{Objects: attach.Objects{Gateways: []*gatewayv1.Gateway{gatewayOf("edge", "*.example.com")}}}
			for name, m := range map[string]gatewayv1.HTTPRouteMatch{"a-older": c.older, "b-younger": c.younger} {
				r := routeOn("shop", name, names("api.example.com"), "edge")
				r.Spec.Rules = []gatewayv1.HTTPRouteRule{{Matches: []gatewayv1.HTTPRouteMatch{m}}}
				in.HTTPRoutes = append(in.HTTPRoutes, r)
				in.Policies = append(in.Policies, targeting(onHost(name, "", anonymous()), "HTTPRoute", name, ""))
			}
			e, _ := newWorld(Options{})
			s, reports := e.Compile(in)
			e.Swap(s)
			request := get("api.example.com", "/a?q=1&r=1")
			request.Headers = append(request.Headers, header("x-a", "1"), header("x-b", "1"))
			d := e.Decide(t.Context(), request)
			if !c.ambiguous {
				decided(t, d, authz.Allow, 0, authz.Allowed)
				if d.Policy != "shop/a-older" {
					t.Errorf("expected the older route's policy, got %s", d.Policy)
				}
				return
			}
			decided(t, d, authz.Error, 503, authz.AmbiguousMatch)
			for _, r := range reports {
				if text := r.Conditions[0].Message; r.Conditions[0].Reason != v1alpha1.ReasonAccepted || !strings.Contains(text, "AmbiguousMatch") {
					t.Errorf("%s: expected a warning, got %s", r.Policy, text)
				}
			}
		})
	}
}

// Envoy Gateway has a method of any service serve whatever path ends in its name.
func TestAMethodOfAnyServiceMayServeEveryPathThatEndsInIt(t *testing.T) {
	grpc := &gatewayv1.GRPCRoute{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "grpc"}}
	grpc.Spec.Hostnames = names("api.example.com")
	grpc.Spec.ParentRefs = routeOn("shop", "", nil, "edge").Spec.ParentRefs
	grpc.Spec.Rules = []gatewayv1.GRPCRouteRule{{Matches: []gatewayv1.GRPCRouteMatch{{Method: &gatewayv1.GRPCMethodMatch{Method: new("Get")}}}}}
	in := Input{
		Objects: attach.Objects{
			Gateways: []*gatewayv1.Gateway{gatewayOf("edge", "*.example.com")}, GRPCRoutes: []*gatewayv1.GRPCRoute{grpc},
		},
		Policies: []*v1alpha1.AgentAuthPolicy{
			targeting(onHost("grpc", "", anonymous()), "GRPCRoute", "grpc", ""), targeting(onHost("http", "", anonymous()), "HTTPRoute", "http", ""),
		},
	}
	for _, beside := range []bool{false, true} {
		if beside {
			in.HTTPRoutes = []*gatewayv1.HTTPRoute{routeOn("shop", "http", names("api.example.com"), "edge")}
		}
		e, _ := newWorld(Options{})
		s, _ := e.Compile(in)
		e.Swap(s)
		for _, path := range []string{"/Get", "/service/Get", "/a/b/Get"} {
			d := e.Decide(t.Context(), get("api.example.com", path))
			if beside {
				decided(t, d, authz.Error, 503, authz.AmbiguousMatch)
			} else if decided(t, d, authz.Allow, 0, authz.Allowed); d.Policy != "shop/grpc" {
				t.Errorf("%s: expected the policy of the route, got %q", path, d.Policy)
			}
		}
	}
}
