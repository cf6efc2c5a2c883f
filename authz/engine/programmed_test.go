package engine

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/attach"
	"github.com/agentauth-dev/agentauth/authz/find"
)

// saying wants Accepted and Programmed of a policy, and words of its problems.
func saying(t *testing.T, reports []Report, name, accepted, programmed, words string) {
	t.Helper()
	r := named(reports, name)
	if len(r.Conditions) != 4 {
		t.Fatalf("%s: no report", name)
	}
	say := func(i int) string { return string(r.Conditions[i].Status) + " " + r.Conditions[i].Reason }
	if say(1) != accepted || say(3) != programmed {
		t.Errorf("%s: expected %s and %s, got %s and %s: %v", name, accepted, programmed, say(1), say(3), r.Problems)
	}
	if !strings.Contains(fmt.Sprint(r.Problems), words) || words == "" && len(r.Problems) > 0 {
		t.Errorf("%s: expected %q, got %v", name, words, r.Problems)
	}
}

func TestAPolicyIsProgrammedIfItDecidesSomeRequest(t *testing.T) {
	edge := func(routes ...*gatewayv1.HTTPRoute) attach.Objects {
		g := gatewayOf("edge", "*.example.com")
		g.Spec.Listeners[0].AllowedRoutes = &gatewayv1.AllowedRoutes{Namespaces: &gatewayv1.RouteNamespaces{From: new(gatewayv1.NamespacesFromAll)}}
		return attach.Objects{Gateways: []*gatewayv1.Gateway{g}, HTTPRoutes: routes}
	}
	api := routeOn("shop", "api", names("a.example.com"), "edge")
	ruled := routeOn("shop", "api", names("a.example.com"), "edge")
	ruled.Spec.Rules = []gatewayv1.HTTPRouteRule{{Name: new(gatewayv1.SectionName("r"))}}
	type want struct{ name, accepted, programmed, words string }
	const overridden, notAccepted, programmed = "False Overridden", "False NotAccepted", "True Programmed"
	for name, c := range map[string]struct {
		in   Input
		want []want
	}{
		"two have one hostname, of which another namespace has the rest": {
			Input{Policies: []*v1alpha1.AgentAuthPolicy{older(onHost("first", "*.example.com", anonymous())), newer(onHost("second", "*.example.com", anonymous()))},
				Objects: edge(api, routeOn("bank", "all", names("*.example.com"), "edge"))},
			[]want{{"first", "True PartiallyConflicted", programmed, "routes of Gateway API of another namespace"},
				{"second", "False Conflicted", notAccepted, "an older policy, shop/first, has an equal match"}}},
		"a policy of the Gateway overrides routes": {
			Input{Policies: []*v1alpha1.AgentAuthPolicy{onHost("p", "a.example.com", anonymous()), overriding(targeting(onHost("gate", "", anonymous()), "Gateway", "edge", ""))}, Objects: edge(api)},
			[]want{{"p", overridden, notAccepted, "spec.routes[0].matches[0] on host a.example.com: a policy of the Gateway with precedence Override decides instead"},
				{"gate", "True Accepted", programmed, ""}}},
		"the route has a policy of its own": {
			Input{Policies: []*v1alpha1.AgentAuthPolicy{onHost("p", "a.example.com", anonymous()), targeting(onHost("own", "", anonymous()), "HTTPRoute", "api", "")}, Objects: edge(api)},
			[]want{{"p", overridden, notAccepted, "on host a.example.com: a policy of the route decides instead"}, {"own", "True Accepted", programmed, ""}}},
		"the route has a policy of its own, on one of two hosts": {
			Input{Policies: []*v1alpha1.AgentAuthPolicy{both(onHost("p", "a.example.com", anonymous()), "b.test"), targeting(onHost("own", "", anonymous()), "HTTPRoute", "api", "")}, Objects: edge(api)},
			[]want{{"p", "True PartiallyConflicted", programmed, "on host a.example.com: a policy of the route decides instead"}}},
		"another names a rule that is gone": {
			Input{Policies: []*v1alpha1.AgentAuthPolicy{targeting(onHost("p", "", anonymous()), "HTTPRoute", "api", ""), targeting(onHost("lost", "", anonymous()), "HTTPRoute", "api", "gone")}, Objects: edge(api)},
			[]want{{"p", "False Conflicted", notAccepted, "names a rule that the route does not have"}}},
		"an older route of another namespace has the same": {
			Input{Policies: []*v1alpha1.AgentAuthPolicy{targeting(onHost("p", "", anonymous()), "HTTPRoute", "api", "")},
				Objects: edge(later(routeOn("shop", "api", names("a.example.com"), "edge")), routeOn("bank", "rival", names("a.example.com"), "edge"))},
			[]want{{"p", "True Accepted", "False Conflicted", "served by other routes"}}},
		"each rule has a policy of its own": {
			Input{Policies: []*v1alpha1.AgentAuthPolicy{targeting(onHost("rule", "", anonymous()), "HTTPRoute", "api", "r"), targeting(onHost("p", "", anonymous()), "HTTPRoute", "api", "")}, Objects: edge(ruled)},
			[]want{{"rule", "True Accepted", programmed, ""}, {"p", "True Accepted", "False Overridden", ""}}},
		"a Gateway has no routes": {
			Input{Policies: []*v1alpha1.AgentAuthPolicy{targeting(onHost("p", "", anonymous()), "Gateway", "edge", "")}, Objects: edge()},
			[]want{{"p", "True Accepted", "False TargetNotFound", ""}}},
		"a more specific match has the first request one thinks of": {
			Input{Policies: []*v1alpha1.AgentAuthPolicy{onHost("p", "*.example.com", anonymous()), under(onHost("more", "*.example.com", anonymous()), "/a"), onHost("host", "agentauth.example.com", anonymous())}},
			[]want{{"p", "True Accepted", programmed, ""}, {"more", "True Accepted", programmed, ""}}},
		"two regular expressions, of which the older one has all": {
			Input{Policies: []*v1alpha1.AgentAuthPolicy{older(matchingPath(onHost("wide", "a.example.com", anonymous()), "/v.*")), newer(matchingPath(onHost("narrow", "a.example.com", anonymous()), "/v[0-9]+"))}},
			[]want{{"wide", "True Accepted", programmed, ""}, {"narrow", "False Conflicted", notAccepted, "expected some request that this policy decides"}}},
	} {
		t.Run(name, func(t *testing.T) {
			e, _ := newWorld(Options{})
			s, reports := e.Compile(c.in)
			for _, w := range c.want {
				saying(t, reports, w.name, w.accepted, w.programmed, w.words)
			}
			for _, r := range reports {
				if text := fmt.Sprint(r); r.Policy.Namespace == "shop" && (strings.Contains(text, "bank/") || strings.Contains(text, "rival")) {
					t.Errorf("%s is told of another's objects: %s", r.Policy, text)
				}
			}
			e.Swap(s)
			if _, again := e.Compile(c.in); !reflect.DeepEqual(reports, again) {
				t.Error("expected the same reports")
			}
		})
	}
}

func both(p *v1alpha1.AgentAuthPolicy, hostname v1alpha1.Hostname) *v1alpha1.AgentAuthPolicy {
	p.Spec.Routes[0].Hostnames = append(p.Spec.Routes[0].Hostnames, hostname)
	return p
}

func later(r *gatewayv1.HTTPRoute) *gatewayv1.HTTPRoute {
	r.CreationTimestamp = metav1.NewTime(clock)
	return r
}

func matchingPath(p *v1alpha1.AgentAuthPolicy, pattern string) *v1alpha1.AgentAuthPolicy {
	kind := gatewayv1.PathMatchRegularExpression
	p.Spec.Routes[0].Matches = []gatewayv1.HTTPRouteMatch{{Path: &gatewayv1.HTTPPathMatch{Type: &kind, Value: &pattern}}}
	return p
}

// A change of one policy asks again for that one, and for nobody else whom it
// cannot touch.
func TestWhoIsNotTouchedIsNotAskedFor(t *testing.T) {
	e, _ := newWorld(Options{})
	in := many(100, false)
	in.Policies = append(in.Policies, onHost("wide", "*.example.com", anonymous()), under(onHost("below", "host-7.example.com", anonymous()), "/v2"))
	before := load(t, e, in)
	in.Policies[7] = under(onHost("p-7", "host-7.example.com", anonymous()), "/v3")
	in.Policies[7].Generation = 2
	after, _ := e.Compile(in)
	asked := 0
	for n := range after.policies {
		if before.find.Programmed(n) != after.find.Programmed(n) {
			asked++
		}
		if same := &before.reports[n].Conditions[0] == &after.reports[n].Conditions[0]; same != (before.find.Policy(n) == after.find.Policy(n)) {
			t.Errorf("%s: expected its report to be taken over if nothing of it changed", after.policies[n].Name)
		}
	}
	if asked != 1 {
		t.Errorf("expected one policy to be asked for, got %d", asked)
	}
}

// A policy as large as there may be is asked for whole. What that costs is bounded
// by what it has itself, whatever stands before it on its host.
func TestWhatAskingForAPolicyCostsIsBounded(t *testing.T) {
	in := Input{Objects: attach.Objects{Gateways: []*gatewayv1.Gateway{gatewayOf("edge", "*.example.com")},
		HTTPRoutes: []*gatewayv1.HTTPRoute{routeOn("shop", "all", names("*.example.com"), "edge")}}}
	large := wide("large", 16, 64)
	for i := range large.Spec.Routes[0].Matches {
		large.Spec.Routes[0].Matches[i].Path = &gatewayv1.HTTPPathMatch{Type: new(gatewayv1.PathMatchRegularExpression), Value: new(fmt.Sprintf("/%d/([a-z]{1,3}x)*", i))}
	}
	in.Policies = []*v1alpha1.AgentAuthPolicy{overriding(targeting(onHost("gate", "", anonymous()), "Gateway", "edge", "")), large}
	e, _ := newWorld(Options{})
	s, reports := e.Compile(in)
	e.Swap(s)
	saying(t, reports, "large", "False Overridden", "False NotAccepted", "precedence Override decides instead")
	if n := len(named(reports, "large").Problems); n != find.MaxInsteads {
		t.Errorf("expected %d problems, got %d", find.MaxInsteads, n)
	}
	// 2000 expressions that do not match, and then one that takes all.
	in = Input{}
	for i := range 9 {
		p := older(expressions(256))
		p.Name, p.Spec.Routes = fmt.Sprint("p", i), nil
		for j := range 4 {
			r := v1alpha1.Route{Hostnames: []v1alpha1.Hostname{"a.example.com"}}
			for k := range 64 {
				r.Matches = append(r.Matches, gatewayv1.HTTPRouteMatch{Path: &gatewayv1.HTTPPathMatch{Type: new(gatewayv1.PathMatchRegularExpression), Value: new(fmt.Sprintf("/%d-%d-%d/x", i, j, k))}})
			}
			p.Spec.Routes = append(p.Spec.Routes, r)
		}
		in.Policies = append(in.Policies, p)
	}
	in.Policies = append(in.Policies, older(matchingPath(onHost("q-all", "a.example.com", anonymous()), "/v.*")), newer(matchingPath(onHost("never", "a.example.com", anonymous()), "/v[0-9]+")))
	_, reports = e.Compile(in)
	saying(t, reports, "never", "True Accepted", "True Programmed", "") // the doubt
}
