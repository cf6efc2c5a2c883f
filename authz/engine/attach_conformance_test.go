package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
)

// What Gateway API asks of policies (GEP-713, and GEP-2649 for inherited ones), and what its conformance suite
// tries with the one policy it has, BackendTLSPolicy, in our words.
//
// These apply, and are cases below: of two policies on one target, or on one section of it, the older is accepted
// and the other says Conflicted, by name where they are of one age; one with a section and one without do not
// conflict; a loser is accepted once the winner is gone; a target, or a section, that is not there is
// TargetNotFound and accepted later, by itself; what is invalid, or refers to what is not there, says so and its
// traffic gets a 5xx; conditions carry the generation they are about; the ancestor is the Gateway, once, under our
// controller's name, and goes with it; defaults give way to what is more specific and overrides do not.
// With a real API server: others' entries stay as they are (test/e2e), and the CRD's label says Inherited.
//
// These cannot apply: TLS to the backend (names, SANs, CA certificates, re-encryption), kinds of references (ours
// have one kind each), targets in other namespaces (targetRefs names none), and fields merged from several policies
// (one policy decides whole: GEP-713's atomic defaults and atomic overrides).
type conformance struct {
	name  string
	steps []step
}

// step changes the cluster, and says what becomes of policies: the reason of Accepted, then each ancestor with its
// own; and what then answers api.example.com: a policy, "403" or "503".
type step struct {
	change func(*Input)
	status map[string]string
	answer string
}

func TestWhatGatewayAPIAsksOfPolicies(t *testing.T) {
	gateway := func(names ...string) func(*Input) {
		return func(in *Input) {
			in.Gateways = nil
			for _, n := range names {
				in.Gateways = append(in.Gateways, gatewayOf(n, "*.example.com"))
			}
		}
	}
	route := func(rule string, gateways ...string) func(*Input) {
		return func(in *Input) {
			r := routeOn("shop", "api", names("api.example.com"), gateways...)
			r.Spec.Rules = []gatewayv1.HTTPRouteRule{{Name: new(gatewayv1.SectionName(rule))}}
			in.HTTPRoutes = []*gatewayv1.HTTPRoute{r}
		}
	}
	noRoute := func(in *Input) { in.HTTPRoutes = nil }
	add := func(p *v1alpha1.AgentAuthPolicy) func(*Input) {
		return func(in *Input) { in.Policies = append(slices.Clone(in.Policies), p) }
	}
	remove := func(name string) func(*Input) {
		return func(in *Input) {
			in.Policies = slices.DeleteFunc(slices.Clone(in.Policies), func(p *v1alpha1.AgentAuthPolicy) bool { return p.Name == name })
		}
	}
	all := func(changes ...func(*Input)) func(*Input) {
		return func(in *Input) {
			for _, c := range changes {
				c(in)
			}
		}
	}
	on := func(name string, kind v1alpha1.TargetKind, target, section string) *v1alpha1.AgentAuthPolicy {
		return targeting(onHost(name, "", anonymous()), kind, target, section)
	}
	onRoute := func(name, section string) *v1alpha1.AgentAuthPolicy { return on(name, "HTTPRoute", "api", section) }
	edge := all(gateway("edge"), route("rule", "edge"))
	invalid := onRoute("p", "")
	invalid.Spec.Authentication.Methods = nil
	next := onRoute("p", "")
	next.Generation = 7
	other := onRoute("p", "")
	other.Namespace = "elsewhere"
	listeners := func(names ...gatewayv1.SectionName) func(*Input) {
		return func(in *Input) {
			g := gatewayOf("edge", "*.example.com")
			one := g.Spec.Listeners[0]
			g.Spec.Listeners = nil
			for i, n := range names {
				one.Name, one.Port = n, gatewayv1.PortNumber(80+i)
				g.Spec.Listeners = append(g.Spec.Listeners, one)
			}
			in.Gateways = []*gatewayv1.Gateway{g}
		}
	}

	for _, c := range []conformance{
		{"of two policies on one target the older is accepted, and the other once it is gone", []step{
			{all(edge, add(newer(onRoute("a", ""))), add(older(onRoute("b", "")))), map[string]string{"a": "Conflicted edge:Conflicted", "b": "Accepted edge:Accepted"}, "shop/b"},
			{remove("b"), map[string]string{"a": "Accepted edge:Accepted"}, "shop/a"},
			{add(older(onRoute("b", ""))), map[string]string{"a": "Conflicted edge:Conflicted", "b": "Accepted edge:Accepted"}, "shop/b"},
		}},
		{"of one age, the first by name", []step{
			{all(edge, add(newer(onRoute("b", ""))), add(newer(onRoute("a", "")))), map[string]string{"a": "Accepted edge:Accepted", "b": "Conflicted edge:Conflicted"}, "shop/a"},
		}},
		{"of two policies on one section the same", []step{
			{all(edge, add(newer(onRoute("a", "rule"))), add(older(onRoute("b", "rule")))), map[string]string{"a": "Conflicted edge:Conflicted", "b": "Accepted edge:Accepted"}, "shop/b"},
		}},
		{"a policy on a section and one on all of it are no conflict", []step{
			{all(edge, add(newer(onRoute("section", "rule"))), add(older(onRoute("whole", "")))), map[string]string{"section": "Accepted edge:Accepted", "whole": "Accepted edge:Accepted"}, "shop/section"},
		}},
		{"of two policies on a Gateway the older", []step{
			{all(edge, add(newer(on("a", "Gateway", "edge", ""))), add(older(on("b", "Gateway", "edge", "")))), map[string]string{"a": "Conflicted edge:Conflicted", "b": "Accepted edge:Accepted"}, "shop/b"},
		}},
		{"a target that is not there, then is, then is gone", []step{
			{all(gateway("edge"), add(onRoute("p", ""))), map[string]string{"p": "TargetNotFound"}, "403"},
			{route("rule", "edge"), map[string]string{"p": "Accepted edge:Accepted"}, "shop/p"},
			{noRoute, map[string]string{"p": "TargetNotFound"}, "403"},
		}},
		{"a Gateway that is not there, then is", []step{
			{all(route("rule", "edge"), add(on("p", "Gateway", "edge", ""))), map[string]string{"p": "TargetNotFound"}, "403"},
			{gateway("edge"), map[string]string{"p": "Accepted edge:Accepted"}, "shop/p"},
		}},
		{"a rule that is not there, then is: until then its route is refused", []step{
			{all(gateway("edge"), route("other", "edge"), add(onRoute("p", "rule"))), map[string]string{"p": "TargetNotFound edge:TargetNotFound"}, "503"},
			{route("rule", "edge"), map[string]string{"p": "Accepted edge:Accepted"}, "shop/p"},
			{route("other", "edge"), map[string]string{"p": "TargetNotFound edge:TargetNotFound"}, "503"},
		}},
		{"a listener that is not there, then is", []step{
			{all(listeners("http"), route("rule", "edge"), add(on("p", "Gateway", "edge", "more"))), map[string]string{"p": "TargetNotFound edge:TargetNotFound"}, "403"},
			{listeners("http", "more"), map[string]string{"p": "Accepted edge:Accepted"}, "shop/p"},
			{listeners("http"), map[string]string{"p": "TargetNotFound edge:TargetNotFound"}, "403"},
		}},
		{"an invalid policy says so where its target is, and nobody gets through", []step{
			{all(edge, add(invalid)), map[string]string{"p": "Invalid edge:Invalid"}, "503"},
			{all(remove("p"), add(onRoute("p", ""))), map[string]string{"p": "Accepted edge:Accepted"}, "shop/p"},
		}},
		{"conditions are about the newest generation", []step{
			{all(edge, add(onRoute("p", ""))), map[string]string{"p": "Accepted edge:Accepted"}, "shop/p"},
			{all(remove("p"), add(next)), map[string]string{"p": "Accepted edge:Accepted"}, "shop/p"},
		}},
		{"the ancestor follows the route from one Gateway to another, and to none", []step{
			{all(gateway("a", "b"), route("rule", "a"), add(onRoute("p", ""))), map[string]string{"p": "Accepted a:Accepted"}, "shop/p"},
			{route("rule", "b"), map[string]string{"p": "Accepted b:Accepted"}, "shop/p"},
			{route("rule", "b", "a"), map[string]string{"p": "Accepted a:Accepted b:Accepted"}, "shop/p"},
			{gateway("b"), map[string]string{"p": "Accepted b:Accepted"}, "shop/p"},
			{gateway(), map[string]string{"p": "Accepted"}, "403"},
		}},
		{"two targets on one Gateway are one ancestor", []step{
			{all(edge, add(targeting(onRoute("p", "rule"), "Gateway", "edge", ""))), map[string]string{"p": "Accepted edge:Accepted"}, "shop/p"},
		}},
		{"a route of another namespace is no target, whatever its name", []step{
			{all(edge, add(other)), map[string]string{"p": "TargetNotFound"}, "403"},
		}},
		{"defaults of a Gateway hold where a route says nothing", []step{
			{all(edge, add(on("default", "Gateway", "edge", ""))), map[string]string{"default": "Accepted edge:Accepted"}, "shop/default"},
			{add(onRoute("own", "")), map[string]string{"default": "Accepted edge:Accepted", "own": "Accepted edge:Accepted"}, "shop/own"},
			{remove("own"), map[string]string{"default": "Accepted edge:Accepted"}, "shop/default"},
		}},
		{"overrides of a Gateway hold whatever a route says, and it is told", []step{
			{all(edge, add(onRoute("own", ""))), map[string]string{"own": "Accepted edge:Accepted"}, "shop/own"},
			{add(overriding(on("strict", "Gateway", "edge", ""))), map[string]string{"strict": "Accepted edge:Accepted", "own": "Overridden edge:Overridden"}, "shop/strict"},
			{remove("strict"), map[string]string{"own": "Accepted edge:Accepted"}, "shop/own"},
		}},
		{"overrides of one Gateway leave another's alone", []step{
			{all(gateway("a", "b"), route("rule", "a", "b"), add(onRoute("own", "")), add(overriding(on("strict", "Gateway", "a", "")))),
				map[string]string{"strict": "Accepted a:Accepted", "own": "Accepted a:Overridden b:Accepted"}, "503"},
			{route("rule", "b"), map[string]string{"strict": "Accepted a:Accepted", "own": "Accepted b:Accepted"}, "shop/own"},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, _ := newWorld(Options{})
			var in Input
			for i, s := range c.steps {
				s.change(&in)
				snapshot, reports := e.Compile(in)
				e.Swap(snapshot)
				got := map[string]string{}
				for _, r := range reports {
					got[r.Policy.Name] = summed(t, in, r)
				}
				if fmt.Sprint(got) != fmt.Sprint(s.status) {
					t.Errorf("step %d: expected %v, got %v", i+1, s.status, got)
				}
				d := e.Decide(t.Context(), get("api.example.com", "/"))
				answer := d.Policy
				if d.Outcome != authz.Allow {
					answer = fmt.Sprint(d.Status)
				}
				if answer != s.answer {
					t.Errorf("step %d: expected %s to answer, got %s %s", i+1, s.answer, answer, d.Reason)
				}
			}
		})
	}
}

// summed are the reason of Accepted and those of each ancestor. What holds for every policy is looked at here.
func summed(t *testing.T, in Input, r Report) string {
	t.Helper()
	i := slices.IndexFunc(in.Policies, func(p *v1alpha1.AgentAuthPolicy) bool {
		return p.Namespace == r.Policy.Namespace && p.Name == r.Policy.Name
	})
	out := []string{r.Conditions[1].Reason}
	lists := [][]string{}
	for _, c := range r.Conditions {
		lists = append(lists, []string{c.Type, fmt.Sprint(c.ObservedGeneration)})
	}
	for _, a := range r.Ancestors {
		if a.ControllerName != v1alpha1.ControllerName || string(*a.AncestorRef.Group) != v1alpha1.GatewayGroup ||
			*a.AncestorRef.Kind != "Gateway" || *a.AncestorRef.Namespace != "shop" || a.AncestorRef.SectionName != nil {
			t.Errorf("%s: expected a Gateway of shop under our name, got %+v", r.Policy, a)
		}
		out = append(out, string(a.AncestorRef.Name)+":"+a.Conditions[1].Reason)
		for _, c := range a.Conditions {
			lists = append(lists, []string{c.Type, fmt.Sprint(c.ObservedGeneration)})
		}
	}
	for n, l := range lists {
		if want := []string{"Ready", "Accepted", "ResolvedRefs", "Programmed"}[n%4]; l[0] != want || l[1] != fmt.Sprint(in.Policies[i].Generation) {
			t.Errorf("%s: expected %s of generation %d, got %v", r.Policy, want, in.Policies[i].Generation, l)
		}
	}
	return strings.Join(out, " ")
}
