package attach_test

import (
	"fmt"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/authz/attach"
	"github.com/agentauth-dev/agentauth/authz/match"
)

// Two policies: one for a Gateway, one for a route on it.
func ExampleNew() {
	objects := attach.Objects{
		Gateways:   []*gatewayv1.Gateway{gateway("edge", "*.example.com")},
		HTTPRoutes: []*gatewayv1.HTTPRoute{httpRoute("shop", "orders", "orders.example.com", "edge"), httpRoute("shop", "users", "users.example.com", "edge")},
	}
	policies := []attach.Policy{on("default", "Gateway", "edge", ""), on("orders", "HTTPRoute", "orders", "")}
	a := attach.New(objects, policies, attach.Tenancy{})
	for _, host := range []string{"orders.example.com", "users.example.com", "other.example.com"} {
		served := a.Serve(host, match.View{Method: "GET", Path: "/"})
		if len(served.Rules) == 0 {
			fmt.Println("no route serves", host)
		}
		for _, rule := range served.Rules {
			h, ok := a.Holder(rule)
			if !ok {
				h, ok = a.Fallback(rule)
			}
			fmt.Println(rule, "->", policies[h.Policy], ok)
		}
	}
	// Output:
	// HTTPRoute shop/orders on Gateway shop/edge (listener http) -> shop/orders true
	// HTTPRoute shop/users on Gateway shop/edge (listener http) -> shop/default true
	// no route serves other.example.com
}
