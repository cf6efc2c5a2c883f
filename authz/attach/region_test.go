package attach_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/attach"
	"github.com/agentauth-dev/agentauth/authz/hostgrant"
)

var (
	someHostnames  = []string{"*", "*.t", "*.b.t", "*.a.b.t", "a.b.t", "c.b.t", "b.t", "*.c.t", "a.c.t"}
	someHosts      = []string{"a.b.t", "c.b.t", "x.a.b.t", "b.t", "a.c.t", "x.c.t", "q.t", "other"}
	someNamespaces = []string{"one", "two", "three"}
)

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// grantedWorld are some routes of some namespaces on the listeners of two Gateways, a
// policy for each route, and grants. All routes are of one kind: of two kinds that
// share a hostname elsewhere, one may be left out everywhere.
func grantedWorld(r *rand.Rand) (attach.Objects, []attach.Policy, []hostgrant.Grant) {
	var o attach.Objects
	var policies []attach.Policy
	var grants []hostgrant.Grant
	grpc := r.IntN(4) == 0
	for _, name := range []string{"x", "y"} {
		g := gateway(name, gatewayv1.Hostname(pick(r, someHostnames[1:])))
		l := g.Spec.Listeners[0]
		l.Name, l.Hostname = "open", nil
		g.Spec.Listeners = append(g.Spec.Listeners, l)
		o.Gateways = append(o.Gateways, g)
	}
	for i := range 2 + r.IntN(4) {
		name, namespace, age := fmt.Sprint("r", i), pick(r, someNamespaces), metav1.Unix(r.Int64N(3), 0)
		spec := parents(pick(r, []string{"x", "y"}))
		var hostnames []gatewayv1.Hostname
		if h := pick(r, someHostnames); h != "*" {
			hostnames = append(hostnames, gatewayv1.Hostname(h))
		}
		kind := v1alpha1.TargetHTTPRoute
		if grpc {
			kind = v1alpha1.TargetGRPCRoute
			o.GRPCRoutes = append(o.GRPCRoutes, &gatewayv1.GRPCRoute{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, CreationTimestamp: age},
				Spec: gatewayv1.GRPCRouteSpec{CommonRouteSpec: spec, Hostnames: hostnames}})
		} else {
			prefix := gatewayv1.PathMatchPathPrefix
			o.HTTPRoutes = append(o.HTTPRoutes, &gatewayv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, CreationTimestamp: age},
				Spec: gatewayv1.HTTPRouteSpec{CommonRouteSpec: spec, Hostnames: hostnames, Rules: []gatewayv1.HTTPRouteRule{{
					Matches: []gatewayv1.HTTPRouteMatch{{Path: &gatewayv1.HTTPPathMatch{Type: &prefix, Value: new(pick(r, []string{"/", "/p", "/p/q"}))}}}}}}})
		}
		policies = append(policies, attach.Policy{Namespace: namespace, Name: name, TargetRefs: []v1alpha1.TargetReference{
			{Group: v1alpha1.GatewayGroup, Kind: kind, Name: name}}})
	}
	for range r.IntN(5) {
		grants = append(grants, hostgrant.Grant{Namespace: pick(r, someNamespaces), Hostname: pick(r, someHostnames)})
	}
	return o, policies, grants
}

// A host that was granted is served as if nobody else had routes; any other one as if
// there were no grants.
func TestAGrantedHostIsServedAsIfOthersHadNoRoutes(t *testing.T) {
	apart, total := 0, 0
	for seed := range uint64(2000) {
		objects, policies, grants := grantedWorld(rand.New(rand.NewPCG(seed, 1)))
		table := hostgrant.NewTable(grants)
		a := attach.New(objects, policies, attach.Tenancy{Grants: table})
		for _, host := range someHosts {
			only := objects
			only.HTTPRoutes = slices.DeleteFunc(slices.Clone(objects.HTTPRoutes), func(r *gatewayv1.HTTPRoute) bool { return !table.Permits(r.Namespace, host) })
			only.GRPCRoutes = slices.DeleteFunc(slices.Clone(objects.GRPCRoutes), func(r *gatewayv1.GRPCRoute) bool { return !table.Permits(r.Namespace, host) })
			want := attach.New(only, policies, attach.Tenancy{})
			for _, path := range []string{"/", "/p/q"} {
				total++
				if len(only.HTTPRoutes)+len(only.GRPCRoutes) < len(objects.HTTPRoutes)+len(objects.GRPCRoutes) {
					apart++
				}
				if got, want := servedBy(a, host, path), servedBy(want, host, path); !slices.Equal(got, want) {
					t.Fatalf("world %d, %s%s, grants %v: expected %q, got %q", seed, host, path, grants, want, got)
				}
			}
			if got, want := a.Namespaces(host), want.Namespaces(host); !slices.Equal(got, want) {
				t.Fatalf("world %d, %s, grants %v: expected namespaces %q, got %q", seed, host, grants, want, got)
			}
			for _, ns := range someNamespaces {
				if got, want := a.Owns(ns, host), want.Owns(ns, host); got != want {
					t.Fatalf("world %d, %s, grants %v: %s owns it: expected %t, got %t", seed, host, grants, ns, want, got)
				}
			}
			if got, want := a.Owned(host), want.Owned(host); got != want {
				t.Fatalf("world %d, %s, grants %v: owned: expected %t, got %t", seed, host, grants, want, got)
			}
		}
	}
	if apart*10 < total {
		t.Errorf("grants make a difference in %d of %d cases only", apart, total)
	}
}

func servedBy(a *attach.Attachments, host, path string) []string {
	var out []string
	for _, r := range a.Serve(host, get(path)).Rules {
		out = append(out, r.String())
	}
	slices.Sort(out)
	return out
}

// One wildcard route under many grants costs what there is of routes, not routes times grants.
func TestRegionsCostWhatTheirRoutesCost(t *testing.T) {
	world := func(n int) (attach.Objects, []hostgrant.Grant) {
		o := attach.Objects{Gateways: []*gatewayv1.Gateway{gateway("x", "*.t")}}
		var grants []hostgrant.Grant
		for i := range n {
			ns := fmt.Sprint("n", i)
			o.HTTPRoutes = append(o.HTTPRoutes, httpRoute(ns, "r", gatewayv1.Hostname(fmt.Sprintf("a.%s.t", ns)), "x"))
			grants = append(grants, hostgrant.Grant{Namespace: ns, Hostname: fmt.Sprintf("*.%s.t", ns)})
		}
		o.HTTPRoutes = append(o.HTTPRoutes, httpRoute("evil", "r", "*.t", "x"))
		return o, grants
	}
	cost := func(n int) float64 {
		o, grants := world(n)
		table := hostgrant.NewTable(grants)
		return testing.AllocsPerRun(1, func() { attach.New(o, nil, attach.Tenancy{Grants: table}) })
	}
	if few, many := cost(100), cost(1600); many > 24*few {
		t.Errorf("16 times as many routes and grants: expected at most 24 times the allocations, got %.0f and %.0f", few, many)
	}
}
