package attach_test

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/attach"
	"github.com/agentauth-dev/agentauth/authz/match"
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
			objects := attach.Objects{Gateways: []*gatewayv1.Gateway{gateway("edge", "*.example.com")}}
			policies := []attach.Policy{on("a-older", "HTTPRoute", "a-older", ""), on("b-younger", "HTTPRoute", "b-younger", "")}
			for name, m := range map[string]gatewayv1.HTTPRouteMatch{"a-older": c.older, "b-younger": c.younger} {
				r := httpRoute("shop", name, "api.example.com", "edge")
				r.Spec.Rules = []gatewayv1.HTTPRouteRule{{Matches: []gatewayv1.HTTPRouteMatch{m}}}
				objects.HTTPRoutes = append(objects.HTTPRoutes, r)
			}
			a := attach.New(objects, policies, attach.Tenancy{})
			view := match.View{Method: "GET", Path: "/a", Query: "q=1&r=1", Headers: fields{"x-a": "1", "x-b": "1"}}
			if !c.ambiguous {
				deciding(t, a, policies, "api.example.com", view, "a-older")
				return
			}
			deciding(t, a, policies, "api.example.com", view, "a-older", "b-younger")
			for i, p := range policies {
				st := a.Status(i)
				if problems := st.Problems(); st.Reason() != v1alpha1.ReasonAccepted || len(problems) != 1 ||
					problems[0].Severity != authz.Ambiguous || !strings.Contains(problems[0].Message, "AmbiguousMatch") {
					t.Errorf("%s: expected a warning, got %s %v", p, st.Reason(), problems)
				}
			}
		})
	}
}

// Envoy Gateway has a method of any service serve whatever path ends in its name.
func TestAMethodOfAnyServiceMayServeEveryPathThatEndsInIt(t *testing.T) {
	grpc := &gatewayv1.GRPCRoute{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "grpc"}}
	grpc.Spec.Hostnames = []gatewayv1.Hostname{"api.example.com"}
	grpc.Spec.CommonRouteSpec = parents("edge")
	grpc.Spec.Rules = []gatewayv1.GRPCRouteRule{{Matches: []gatewayv1.GRPCRouteMatch{{Method: &gatewayv1.GRPCMethodMatch{Method: new("Get")}}}}}
	objects := attach.Objects{Gateways: []*gatewayv1.Gateway{gateway("edge", "*.example.com")}, GRPCRoutes: []*gatewayv1.GRPCRoute{grpc}}
	policies := []attach.Policy{on("grpc", "GRPCRoute", "grpc", ""), on("http", "HTTPRoute", "http", "")}
	for _, beside := range []bool{false, true} {
		want := []string{"grpc"}
		if beside {
			objects.HTTPRoutes = []*gatewayv1.HTTPRoute{httpRoute("shop", "http", "api.example.com", "edge")}
			want = []string{"grpc", "http"}
		}
		a := attach.New(objects, policies, attach.Tenancy{})
		for _, path := range []string{"/Get", "/service/Get", "/a/b/Get"} {
			deciding(t, a, policies, "api.example.com", get(path), want...)
		}
	}
}
