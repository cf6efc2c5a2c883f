package attach_test

import (
	"slices"
	"strings"
	"testing"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/attach"
	"github.com/agentauth-dev/agentauth/authz/hostgrant"
)

// edge is one route, with a rule r and one without a name, on one Gateway.
func edge() attach.Objects {
	r := httpRoute("shop", "api", "api.example.com", "edge")
	prefix := gatewayv1.PathMatchPathPrefix
	r.Spec.Rules = []gatewayv1.HTTPRouteRule{
		{Name: new(gatewayv1.SectionName("r")), Matches: []gatewayv1.HTTPRouteMatch{{Path: &gatewayv1.HTTPPathMatch{Type: &prefix, Value: new("/r")}}}},
		{},
	}
	return attach.Objects{Gateways: []*gatewayv1.Gateway{gateway("edge", "*.example.com")}, HTTPRoutes: []*gatewayv1.HTTPRoute{r}}
}

func TestTheMostSpecificTargetDecidesUnlessAGatewayOverrides(t *testing.T) {
	// Each policy is of a target that goes before those of all policies after it.
	all := []attach.Policy{
		overriding(on("gateway-override", "Gateway", "edge", "")), overriding(on("listener-override", "Gateway", "edge", "http")),
		on("rule", "HTTPRoute", "api", "r"), on("route", "HTTPRoute", "api", ""),
		on("listener", "Gateway", "edge", "http"), on("gateway", "Gateway", "edge", ""),
	}
	for first := range all {
		policies := slices.Clone(all[first:])
		slices.Reverse(policies) // no target is held for being named first
		a := attach.New(edge(), policies, attach.Tenancy{})
		deciding(t, a, policies, "api.example.com", get("/r"), all[first].Name)
		for _, r := range a.Serve("api.example.com", get("/r")).Rules {
			if _, ok := a.Holder(r); ok != (first < 4) {
				t.Errorf("%s: expected a holder whom nothing replaces: %t", all[first].Name, first < 4)
			}
		}
	}
	deciding(t, attach.New(edge(), nil, attach.Tenancy{}), nil, "api.example.com", get("/r"), "none")
}

func TestOfTwoPoliciesTheOlderHoldsATarget(t *testing.T) {
	policies := []attach.Policy{on("older", "HTTPRoute", "api", ""), on("younger", "HTTPRoute", "api", "")}
	a := attach.New(edge(), policies, attach.Tenancy{})
	deciding(t, a, policies, "api.example.com", get("/"), "older")
	if got := a.Status(0); got.Reason() != v1alpha1.ReasonAccepted || got.Problems() != nil {
		t.Errorf("the older: got %s %v", got.Reason(), got.Problems())
	}
	st := a.Status(1)
	if p := st.Problems(); st.Reason() != v1alpha1.ReasonConflicted || len(p) != 1 || p[0].Severity != authz.Conflicting ||
		p[0].Field != "spec.targetRefs[0]" || p[0].Message != "an older policy, shop/older, has this target" {
		t.Errorf("the younger: got %s %v", st.Reason(), p)
	}
}

func TestAPolicyWhoseSectionIsGoneAnswersWhereItMayBeMeant(t *testing.T) {
	rule := []attach.Policy{on("rule", "HTTPRoute", "api", "gone"), on("route", "HTTPRoute", "api", "")}
	a := attach.New(edge(), rule, attach.Tenancy{})
	deciding(t, a, rule, "api.example.com", get("/"), "rule (gone)")
	if st := a.Status(0); st.Reason() != v1alpha1.ReasonTargetNotFound || len(st.Problems()) != 1 || st.Problems()[0].Severity != authz.Unattached {
		t.Errorf("the rule's: got %s %v", st.Reason(), st.Problems())
	}

	listener := []attach.Policy{on("listener", "Gateway", "edge", "gone")}
	a = attach.New(edge(), listener, attach.Tenancy{})
	deciding(t, a, listener, "api.example.com", get("/"), "none")
	objects := edge()
	objects.HTTPRoutes[0].Spec.ParentRefs[0].SectionName = new(gatewayv1.SectionName("gone"))
	a = attach.New(objects, listener, attach.Tenancy{})
	deciding(t, a, listener, "api.example.com", get("/")) // it has no hostname
	rules, _ := a.Named(&authz.RouteRef{Kind: "HTTPRoute", Namespace: "shop", Name: "api"}, "api.example.com")
	if got := deciders(a, listener, rules); !slices.Equal(got, []string{"listener (gone)"}) {
		t.Errorf("the proxy names a route of the listener: got %q", got)
	}
}

func TestTheProxysWordLeavesTheRulesOfItsRouteOnly(t *testing.T) {
	objects := edge()
	objects.HTTPRoutes = append(objects.HTTPRoutes, httpRoute("shop", "stray", "stray.example.org", "edge"))
	policies := []attach.Policy{on("rule", "HTTPRoute", "api", "r"), on("gateway", "Gateway", "edge", "")}
	a := attach.New(objects, policies, attach.Tenancy{})
	for name, c := range map[string]struct {
		ref  authz.RouteRef
		host string
		want []string
		text string
	}{
		"a route": {authz.RouteRef{Kind: "HTTPRoute", Namespace: "shop", Name: "api"}, "api.example.com",
			[]string{"gateway"}, "HTTPRoute shop/api on Gateway shop/edge (listener http)"},
		"a rule": {authz.RouteRef{Kind: "HTTPRoute", Namespace: "shop", Name: "api", SectionName: "r"}, "api.example.com",
			[]string{"rule"}, "HTTPRoute shop/api (rule r) on Gateway shop/edge (listener http)"},
		"a host that is not the route's": {authz.RouteRef{Kind: "HTTPRoute", Namespace: "shop", Name: "api", SectionName: "r"}, "other.example.org",
			[]string{"rule"}, "HTTPRoute shop/api (rule r) on Gateway shop/edge (listener http)"},
		"a route that no listener admits": {authz.RouteRef{Kind: "HTTPRoute", Namespace: "shop", Name: "stray"}, "stray.example.org",
			[]string{"gateway"}, "HTTPRoute shop/stray on Gateway shop/edge (listener http)"},
		"an unknown route": {authz.RouteRef{Kind: "GRPCRoute", Namespace: "shop", Name: "api"}, "api.example.com", nil, ""},
		"an unknown rule":  {authz.RouteRef{Kind: "HTTPRoute", Namespace: "shop", Name: "api", SectionName: "s"}, "api.example.com", nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			rules, ok := a.Named(&c.ref, c.host)
			if got := deciders(a, policies, rules); ok != (c.want != nil) || !slices.Equal(got, c.want) {
				t.Fatalf("expected %q, got %q %t", c.want, got, ok)
			}
			if ok && (len(rules) != 1 || rules[0].String() != c.text || rules[0].Namespace() != "shop") {
				t.Errorf("expected %q, got %v of %s", c.text, rules, rules[0].Namespace())
			}
		})
	}
}

func TestTwoRulesOfOnePolicyAreOneOutcome(t *testing.T) {
	objects := edge()
	rules := objects.HTTPRoutes[0].Spec.Rules
	rules[0].Matches = []gatewayv1.HTTPRouteMatch{{QueryParams: []gatewayv1.HTTPQueryParamMatch{{Name: "q", Value: "1"}}}}
	twice := get("/")
	twice.Query = "q=1&q=2" // some proxies see rule r, others do not
	one := on("one", "HTTPRoute", "api", "")
	one.TargetRefs = append(one.TargetRefs, on("", "HTTPRoute", "api", "r").TargetRefs...)
	policies := []attach.Policy{one}
	deciding(t, attach.New(objects, policies, attach.Tenancy{}), policies, "api.example.com", twice, "one")
	deciding(t, attach.New(objects, nil, attach.Tenancy{}), nil, "api.example.com", twice, "none")

	two := []attach.Policy{on("route", "HTTPRoute", "api", ""), on("rule", "HTTPRoute", "api", "r")}
	if got := attach.New(objects, two, attach.Tenancy{}).Serve("api.example.com", twice); got.Cause != "query" {
		t.Errorf("two policies: expected the query as the cause, got %+v", got)
	}
}

func TestHostnamesBelongToTheNamespacesOfTheirRoutes(t *testing.T) {
	objects := edge()
	objects.HTTPRoutes = append(objects.HTTPRoutes, httpRoute("other", "wide", "*.other.example.com", "edge"), httpRoute("lost", "stray", "stray.example.org", "edge"))
	a := attach.New(objects, nil, attach.Tenancy{})
	for _, c := range []struct {
		host        string
		namespaces  []string
		owned, part bool // by other
	}{
		{"api.example.com", []string{"shop"}, false, false},
		{"a.other.example.com", []string{"other"}, true, true},
		{"*.other.example.com", []string{"other"}, true, true},
		{"*.example.com", nil, false, true},
		{"*", nil, false, true},
		{"stray.example.org", nil, false, false},
	} {
		if got := a.Namespaces(c.host); !slices.Equal(got, c.namespaces) {
			t.Errorf("%s: expected %q, got %q", c.host, c.namespaces, got)
		}
		if got := a.Owned(c.host); got != (c.namespaces != nil) {
			t.Errorf("%s: owned: %t", c.host, got)
		}
		if got, part := a.Owns("other", c.host), a.OwnsPart("other", c.host); got != c.owned || part != c.part {
			t.Errorf("%s: other owns it: %t, part of it: %t", c.host, got, part)
		}
	}
	granted := attach.New(objects, nil, attach.Tenancy{Grants: hostgrant.NewTable([]hostgrant.Grant{{Namespace: "shop", Hostname: "*.other.example.com"}})})
	for _, host := range []string{"*.example.com", "*.other.example.com", "a.other.example.com"} {
		if !a.OwnsPart("other", host) || granted.OwnsPart("other", host) {
			t.Errorf("%s: expected other to own a part, and none once that was granted to shop", host)
		}
	}
	if !a.HasRoutes() || !a.HasRoutesIn("lost") || a.HasRoutesIn("none") {
		t.Error("expected routes in namespace lost, and none in namespace none")
	}
}

func TestAHostIsGuardedIfAPolicyTargetsItsListener(t *testing.T) {
	for name, p := range map[string]attach.Policy{
		"a Gateway": on("p", "Gateway", "edge", ""), "a listener": on("p", "Gateway", "edge", "http"),
		"by Override": overriding(on("p", "Gateway", "edge", "")),
	} {
		a := attach.New(edge(), []attach.Policy{p}, attach.Tenancy{})
		if !a.Guards("other.example.com") || a.Guards("example.org") {
			t.Errorf("%s: expected hosts of the listener to be guarded, and no others", name)
		}
	}
	if attach.New(edge(), []attach.Policy{on("p", "HTTPRoute", "api", "")}, attach.Tenancy{}).Guards("other.example.com") {
		t.Error("a policy of a route guards a host that no route has")
	}
}

func TestAPolicyDecidesOnTheHostsOfItsTargets(t *testing.T) {
	objects := edge()
	objects.HTTPRoutes = append(objects.HTTPRoutes, httpRoute("other", "wide", "*.example.com", "edge"))
	a := attach.New(objects, []attach.Policy{on("route", "HTTPRoute", "api", ""), on("gateway", "Gateway", "edge", ""), on("missing", "Gateway", "none", "")}, attach.Tenancy{})
	for i, want := range [][]attach.HostUse{
		{{Pattern: "api.example.com", Namespace: "shop"}},
		{{Pattern: "*.example.com", Namespace: "other"}, {Pattern: "*.example.com", Namespace: "shop"}, {Pattern: "api.example.com", Namespace: "shop"}},
		nil,
	} {
		got := slices.SortedFunc(a.Hosts(i), func(x, y attach.HostUse) int {
			return strings.Compare(x.Pattern+" "+x.Namespace, y.Pattern+" "+y.Namespace)
		})
		if !slices.Equal(got, want) {
			t.Errorf("policy %d: expected %v, got %v", i, want, got)
		}
	}
}

func TestTheStatusOfAPolicyIsTheOutcomeOfItsTargets(t *testing.T) {
	objects := edge()
	objects.Gateways = append(objects.Gateways, gateway("strict", "*.example.com"))
	objects.HTTPRoutes[0].Spec.CommonRouteSpec = parents("strict", "edge", "unknown")
	policies := []attach.Policy{
		overriding(on("strict", "Gateway", "strict", "")), on("route", "HTTPRoute", "api", ""),
		on("weak", "Gateway", "strict", ""), on("missing", "GRPCRoute", "api", ""), {Namespace: "shop", Name: "plain"},
	}
	a := attach.New(objects, policies, attach.Tenancy{})
	for i, want := range []struct{ reason, ancestors, problem string }{
		{v1alpha1.ReasonAccepted, "shop/strict", ""},
		{v1alpha1.ReasonAccepted, "shop/edge shop/strict:overridden", ""},
		{v1alpha1.ReasonOverridden, "shop/strict:overridden", "a policy of the Gateway with precedence Override decides instead"},
		{v1alpha1.ReasonTargetNotFound, "", "expected GRPCRoute api in this namespace, and there is none (yet)"},
	} {
		st := a.Status(i)
		var ancestors, problems []string
		for _, at := range st.Ancestors() {
			text := at.Gateway.String()
			if at.Overridden {
				text += ":overridden"
			}
			ancestors = append(ancestors, text)
		}
		for _, p := range st.Problems() {
			if p.Severity != authz.Ambiguous {
				problems = append(problems, p.Message)
			}
		}
		if st.Reason() != want.reason || strings.Join(ancestors, " ") != want.ancestors || strings.Join(problems, " ") != want.problem {
			t.Errorf("%s: expected %v, got %s %q %q", policies[i].Name, want, st.Reason(), ancestors, problems)
		}
	}
	if a.Status(4) != nil {
		t.Error("a policy without targets has a status")
	}
}

func TestWithoutRoutesAPolicyStillHasAStatus(t *testing.T) {
	a := attach.New(attach.Objects{}, []attach.Policy{on("p", "Gateway", "edge", "")}, attach.Tenancy{})
	if a.HasRoutes() || a.Status(0).Reason() != v1alpha1.ReasonTargetNotFound || a.Guards("api.example.com") {
		t.Errorf("expected no routes and a target that is not found, got %s", a.Status(0).Reason())
	}
}
