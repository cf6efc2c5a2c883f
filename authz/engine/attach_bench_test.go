package engine

import (
	"fmt"
	"slices"
	"testing"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/authz/attach"
)

// One change of a policy, or of a route, among 10,000 routes, each with a policy.
func BenchmarkCompileTenThousandRoutes(b *testing.B) {
	in := Input{Objects: attach.Objects{Gateways: []*gatewayv1.Gateway{gatewayOf("edge", "*.example.com")}}}
	for i := range 10_000 {
		name := fmt.Sprint("r", i)
		in.HTTPRoutes = append(in.HTTPRoutes, routeOn("shop", name, names(gatewayv1.Hostname(name+".example.com")), "edge"))
		in.Policies = append(in.Policies, targeting(onHost(name, "", anonymous()), "HTTPRoute", name, ""))
	}
	in.Policies = append(in.Policies, targeting(onHost("edge", "", anonymous()), "Gateway", "edge", ""))
	for name, change := range map[string]func(in *Input, i int){
		"policy": func(in *Input, i int) {
			p := setting(in.Policies[77].DeepCopy(), "x-agent-id", fmt.Sprint("'", i, "'"))
			p.Generation, in.Policies[77] = int64(i+2), p
		},
		"route": func(in *Input, i int) {
			r := in.HTTPRoutes[77].DeepCopy()
			r.Generation, in.HTTPRoutes[77] = int64(i+2), r
		},
	} {
		b.Run(name, func(b *testing.B) {
			e, _ := newWorld(Options{})
			load(b, e, in)
			next := in
			next.Policies, next.HTTPRoutes = slices.Clone(in.Policies), slices.Clone(in.HTTPRoutes)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				change(&next, i)
				s, _ := e.Compile(next)
				e.Swap(s)
			}
			if d := e.Decide(b.Context(), get("r77.example.com", "/")); d.Policy != "shop/r77" {
				b.Fatalf("expected r77, got %s", d.Reason)
			}
		})
	}
}
