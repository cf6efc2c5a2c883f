package engine

import (
	"fmt"
	"testing"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/authz/attach"
)

// One change among 10,000 routes, each with a policy.
func BenchmarkCompileTenThousandRoutes(b *testing.B) {
	in := Input{Objects: attach.Objects{Gateways: []*gatewayv1.Gateway{gatewayOf("edge", "*.example.com")}}}
	for i := range 10_000 {
		name := fmt.Sprint("r", i)
		in.HTTPRoutes = append(in.HTTPRoutes, routeOn("shop", name, names(gatewayv1.Hostname(name+".example.com")), "edge"))
		in.Policies = append(in.Policies, targeting(onHost(name, "", anonymous()), "HTTPRoute", name, ""))
	}
	in.Policies = append(in.Policies, targeting(onHost("edge", "", anonymous()), "Gateway", "edge", ""))
	e, _ := newWorld(Options{})
	load(b, e, in)
	for b.Loop() {
		s, _ := e.Compile(in)
		e.Swap(s)
	}
	b.ReportAllocs()
	raw := get("r77.example.com", "/")
	if d := e.Decide(b.Context(), raw); d.Policy != "shop/r77" {
		b.Fatalf("expected r77, got %s", d.Reason)
	}
}
