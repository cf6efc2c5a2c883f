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

// open lets every namespace attach.
func open(g *gatewayv1.Gateway) *gatewayv1.Gateway {
	g.Spec.Listeners[0].AllowedRoutes = &gatewayv1.AllowedRoutes{Namespaces: &gatewayv1.RouteNamespaces{From: new(gatewayv1.NamespacesFromAll)}}
	return g
}

// routeOn is a route of everything, with hostnames, on Gateways of "shop".
func routeOn(namespace, name string, hostnames []gatewayv1.Hostname, gateways ...string) *gatewayv1.HTTPRoute {
	r := &gatewayv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	r.Spec.Hostnames = hostnames
	for _, g := range gateways {
		r.Spec.ParentRefs = append(r.Spec.ParentRefs, gatewayv1.ParentReference{Namespace: new(gatewayv1.Namespace("shop")), Name: gatewayv1.ObjectName(g)})
	}
	return r
}

func names(h ...gatewayv1.Hostname) []gatewayv1.Hostname { return h }

func TestAHostOfARouteIsItsNamespacesWhateverOthersClaim(t *testing.T) {
	e, _ := newWorld(Options{})
	in := Input{
		Objects: attach.Objects{
			Gateways:   []*gatewayv1.Gateway{open(gatewayOf("edge", "*.example.com"))},
			HTTPRoutes: []*gatewayv1.HTTPRoute{routeOn("mine", "api", names("api.example.com"), "edge")},
		},
		Policies: []*v1alpha1.AgentAuthPolicy{
			older(of("yours", onHost("thief", "api.example.com", anonymous()))),
			older(of("theirs", onHost("wide", "*.example.com", anonymous()))),
			of("mine", onHost("own", "api.example.com", anonymous())),
		},
	}
	s, reports := e.Compile(in)
	e.Swap(s)
	decides(t, e, "api.example.com", "mine")
	decides(t, e, "other.example.com", "theirs")
	accepted(t, reports, "thief", metav1.ConditionFalse, v1alpha1.ReasonConflicted)
	accepted(t, reports, "own", metav1.ConditionTrue, v1alpha1.ReasonAccepted)
	accepted(t, reports, "wide", metav1.ConditionTrue, v1alpha1.ReasonAccepted)
	for _, r := range reports {
		for _, c := range r.Conditions {
			if r.Policy.Namespace != "mine" && strings.Contains(c.Message, "mine") {
				t.Errorf("%s learns of another namespace: %s", r.Policy, c.Message)
			}
		}
	}
}

func TestAPathThatNoRouteServesOnAHostOfRoutesIsNobodyElses(t *testing.T) {
	prefix := gatewayv1.PathMatchPathPrefix
	r := routeOn("mine", "api", names("api.example.com"), "edge")
	r.Spec.Rules = []gatewayv1.HTTPRouteRule{{Matches: []gatewayv1.HTTPRouteMatch{{Path: &gatewayv1.HTTPPathMatch{Type: &prefix, Value: new("/v1")}}}}}
	e, _ := newWorld(Options{AllowUnmatched: true})
	s, _ := e.Compile(Input{
		Objects: attach.Objects{
			Gateways:   []*gatewayv1.Gateway{open(gatewayOf("edge", "*.example.com"))},
			HTTPRoutes: []*gatewayv1.HTTPRoute{r},
		},
		Policies: []*v1alpha1.AgentAuthPolicy{of("theirs", onHost("wide", "*.example.com", anonymous()))},
	})
	e.Swap(s)
	disputes(t, e, "api.example.com")
	decides(t, e, "other.example.com", "theirs")
}

func TestWithOneTenantHostsOfRoutesTakeNothingFromAnybody(t *testing.T) {
	e, _ := newWorld(Options{OneTenant: true})
	s, reports := e.Compile(Input{
		Objects: attach.Objects{
			Gateways:   []*gatewayv1.Gateway{open(gatewayOf("edge", "*.example.com"))},
			HTTPRoutes: []*gatewayv1.HTTPRoute{routeOn("mine", "api", names("api.example.com"), "edge")},
		},
		Policies: []*v1alpha1.AgentAuthPolicy{of("yours", onHost("plain", "*.example.com", anonymous()))},
	})
	e.Swap(s)
	accepted(t, reports, "plain", metav1.ConditionTrue, v1alpha1.ReasonAccepted)
	decides(t, e, "other.example.com", "yours")
	decided(t, e.Decide(t.Context(), get("api.example.com", "/")), authz.Deny, 403, authz.NoPolicy)
}

func TestAPolicyThatTargetsNothingIsAcceptedOnceItsTargetIsThere(t *testing.T) {
	p := targeting(onHost("p", "", anonymous()), "HTTPRoute", "api", "")
	e, _ := newWorld(Options{})
	in := Input{Objects: attach.Objects{Gateways: []*gatewayv1.Gateway{gatewayOf("edge", "*.example.com")}}, Policies: []*v1alpha1.AgentAuthPolicy{p}}
	_, reports := e.Compile(in)
	accepted(t, reports, "p", metav1.ConditionFalse, v1alpha1.ReasonTargetNotFound)
	if len(reports[0].Ancestors) != 0 {
		t.Errorf("expected no ancestors, got %v", reports[0].Ancestors)
	}
	in.HTTPRoutes = []*gatewayv1.HTTPRoute{routeOn("shop", "api", names("api.example.com"), "edge")}
	s, reports := e.Compile(in)
	e.Swap(s)
	accepted(t, reports, "p", metav1.ConditionTrue, v1alpha1.ReasonAccepted)
	decided(t, e.Decide(t.Context(), get("api.example.com", "/")), authz.Allow, 0, authz.Allowed)
}

func TestOfTwoPoliciesOnATargetTheYoungerSaysSo(t *testing.T) {
	first := older(targeting(onHost("first", "", anonymous()), "HTTPRoute", "api", ""))
	second := newer(targeting(onHost("second", "", anonymous()), "HTTPRoute", "api", ""))
	half := newer(targeting(targeting(onHost("half", "", anonymous()), "HTTPRoute", "api", ""), "HTTPRoute", "other", ""))
	e, _ := newWorld(Options{})
	_, reports := e.Compile(Input{
		Objects: attach.Objects{
			Gateways:   []*gatewayv1.Gateway{gatewayOf("edge", "*.example.com")},
			HTTPRoutes: []*gatewayv1.HTTPRoute{routeOn("shop", "api", names("api.example.com"), "edge"), routeOn("shop", "other", names("other.example.com"), "edge")},
		},
		Policies: []*v1alpha1.AgentAuthPolicy{second, first, half},
	})
	accepted(t, reports, "first", metav1.ConditionTrue, v1alpha1.ReasonAccepted)
	accepted(t, reports, "second", metav1.ConditionFalse, v1alpha1.ReasonConflicted)
	accepted(t, reports, "half", metav1.ConditionTrue, v1alpha1.ReasonPartiallyConflicted)
}

func TestAncestorsAreTheGatewaysOfTheTargetsAndSayWhereAnotherPolicyDecides(t *testing.T) {
	e, _ := newWorld(Options{})
	_, reports := e.Compile(Input{
		Objects: attach.Objects{
			Gateways:   []*gatewayv1.Gateway{gatewayOf("strict", "*.example.com"), gatewayOf("edge", "*.example.com")},
			HTTPRoutes: []*gatewayv1.HTTPRoute{routeOn("shop", "api", names("api.example.com"), "strict", "edge", "unknown")},
		},
		Policies: []*v1alpha1.AgentAuthPolicy{
			targeting(onHost("api", "", anonymous()), "HTTPRoute", "api", ""),
			overriding(targeting(onHost("strict", "", anonymous()), "Gateway", "strict", "")),
			onHost("plain", "plain.example.org", anonymous()),
		},
	})
	got := named(reports, "api").Ancestors
	if len(got) != 2 {
		t.Fatalf("expected two, got %v", got)
	}
	for i, want := range []struct{ name, status, reason string }{{"edge", "True", "Accepted"}, {"strict", "False", "Overridden"}} {
		a := got[i]
		if a.ControllerName != "agentauth.dev/controller" || string(*a.AncestorRef.Kind) != "Gateway" || string(*a.AncestorRef.Namespace) != "shop" || string(a.AncestorRef.Name) != want.name {
			t.Errorf("expected Gateway shop/%s, got %v", want.name, a)
		}
		if c := a.Conditions[1]; c.Type != "Accepted" || string(c.Status) != want.status || c.Reason != want.reason {
			t.Errorf("%s: expected Accepted %s %s, got %v", want.name, want.status, want.reason, c)
		}
	}
	accepted(t, reports, "api", metav1.ConditionTrue, v1alpha1.ReasonAccepted)
	if got := named(reports, "strict").Ancestors; len(got) != 1 || got[0].Conditions[1].Reason != v1alpha1.ReasonAccepted {
		t.Errorf("expected one that is accepted, got %v", got)
	}
	if got := named(reports, "plain").Ancestors; got != nil {
		t.Errorf("a policy with routes has ancestors: %v", got)
	}
}

func TestARouteThatIsOverriddenOnEveryGatewaySaysSo(t *testing.T) {
	e, _ := newWorld(Options{})
	_, reports := e.Compile(Input{
		Objects: attach.Objects{
			Gateways:   []*gatewayv1.Gateway{gatewayOf("strict", "*.example.com")},
			HTTPRoutes: []*gatewayv1.HTTPRoute{routeOn("shop", "api", names("api.example.com"), "strict")},
		},
		Policies: []*v1alpha1.AgentAuthPolicy{
			targeting(onHost("api", "", anonymous()), "HTTPRoute", "api", ""),
			overriding(targeting(onHost("strict", "", anonymous()), "Gateway", "strict", "http")),
		},
	})
	accepted(t, reports, "api", metav1.ConditionFalse, v1alpha1.ReasonOverridden)
}

func TestPoliciesThatOnlyTheProxysWordTellsApartAreWarned(t *testing.T) {
	regex := gatewayv1.PathMatchRegularExpression
	both := routeOn("shop", "both", names("both.example.com"), "one", "two")
	order := routeOn("shop", "order", names("order.example.com"), "bare")
	order.Spec.Rules = []gatewayv1.HTTPRouteRule{
		{Name: new(gatewayv1.SectionName("regex")), Matches: []gatewayv1.HTTPRouteMatch{{Path: &gatewayv1.HTTPPathMatch{Type: &regex, Value: new("/a.*")}}}}, {},
	}
	e, _ := newWorld(Options{})
	_, reports := e.Compile(Input{
		Objects: attach.Objects{
			Gateways:   []*gatewayv1.Gateway{gatewayOf("one", "*.example.com"), gatewayOf("two", "*.example.com"), gatewayOf("bare", "*.example.com")},
			HTTPRoutes: []*gatewayv1.HTTPRoute{both, order, routeOn("shop", "single", names("single.example.com"), "bare")},
		},
		Policies: []*v1alpha1.AgentAuthPolicy{
			targeting(onHost("one", "", anonymous()), "Gateway", "one", ""), targeting(onHost("two", "", anonymous()), "Gateway", "two", ""),
			targeting(onHost("regex", "", anonymous()), "HTTPRoute", "order", "regex"), targeting(onHost("rest", "", anonymous()), "HTTPRoute", "order", ""),
			targeting(onHost("single", "", anonymous()), "HTTPRoute", "single", ""),
		},
	})
	for name, warned := range map[string]bool{"one": true, "two": true, "regex": true, "rest": true, "single": false} {
		r := named(reports, name)
		accepted(t, reports, name, metav1.ConditionTrue, v1alpha1.ReasonAccepted)
		if got := strings.Contains(r.Conditions[1].Message, "AmbiguousMatch"); got != warned {
			t.Errorf("%s: expected a warning: %t, got %q", name, warned, r.Conditions[1].Message)
		}
	}
}

func TestARuleThatCannotBeMatchedHereMayServeAnyRequestOfItsHost(t *testing.T) {
	exact := gatewayv1.PathMatchExact
	odd := routeOn("shop", "odd", names("api.example.com"), "edge")
	odd.Spec.Rules = []gatewayv1.HTTPRouteRule{{Matches: []gatewayv1.HTTPRouteMatch{{Path: &gatewayv1.HTTPPathMatch{Type: &exact, Value: new("/%61dmin")}}}}}
	e, _ := newWorld(Options{})
	s, _ := e.Compile(Input{
		Objects: attach.Objects{
			Gateways:   []*gatewayv1.Gateway{gatewayOf("edge", "*.example.com")},
			HTTPRoutes: []*gatewayv1.HTTPRoute{odd, routeOn("shop", "plain", names("api.example.com"), "edge")},
		},
		Policies: []*v1alpha1.AgentAuthPolicy{
			targeting(onHost("odd", "", anonymous()), "HTTPRoute", "odd", ""), targeting(onHost("plain", "", anonymous()), "HTTPRoute", "plain", ""),
		},
	})
	e.Swap(s)
	decided(t, e.Decide(t.Context(), get("api.example.com", "/")), authz.Error, 503, authz.AmbiguousMatch)
	named := get("api.example.com", "/")
	named.Route = &authz.RouteRef{Kind: "HTTPRoute", Namespace: "shop", Name: "plain"}
	decided(t, e.Decide(t.Context(), named), authz.Allow, 0, authz.Allowed)
}
