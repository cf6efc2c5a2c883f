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

// guarded are worlds of a Gateway of shop, and of policies that guard api.bank.test
// by it.
func guarded(g *gatewayv1.Gateway) map[string]Input {
	input := func(o attach.Objects, policies ...*v1alpha1.AgentAuthPolicy) Input {
		o.Gateways = []*gatewayv1.Gateway{g}
		return Input{Objects: o, Policies: policies}
	}
	https := func(hostnames []gatewayv1.Hostname) attach.Objects {
		return attach.Objects{HTTPRoutes: []*gatewayv1.HTTPRoute{routeOn("bank", "r", hostnames, "edge")}}
	}
	sectioned := https(names("api.bank.test"))
	sectioned.HTTPRoutes[0].Spec.ParentRefs[0].SectionName = new(gatewayv1.SectionName("http"))
	ruled := https(names("api.bank.test"))
	ruled.HTTPRoutes[0].Spec.Rules = []gatewayv1.HTTPRouteRule{{Name: new(gatewayv1.SectionName("one"))}}
	ofRule := on("bank", v1alpha1.TargetHTTPRoute, "r")
	ofRule.Spec.TargetRefs[0].SectionName = "one"
	gateway, listener := on("shop", v1alpha1.TargetGateway, "edge"), on("shop", v1alpha1.TargetGateway, "edge")
	listener.Spec.TargetRefs[0].SectionName = "http"
	route := on("bank", v1alpha1.TargetHTTPRoute, "r")
	return map[string]Input{
		"an HTTPRoute":                         input(https(names("api.bank.test")), route),
		"an HTTPRoute of a wildcard":           input(https(names("*.bank.test")), route),
		"an HTTPRoute on a listener":           input(sectioned, route),
		"a rule of an HTTPRoute":               input(ruled, ofRule),
		"a GRPCRoute":                          input(attach.Objects{GRPCRoutes: []*gatewayv1.GRPCRoute{grpcOn("bank", "r", names("api.bank.test"), "edge")}}, on("bank", v1alpha1.TargetGRPCRoute, "r")),
		"the Gateway of a route":               input(https(names("api.bank.test")), gateway),
		"the Gateway of a route, by Override":  input(https(names("api.bank.test")), overriding(on("shop", v1alpha1.TargetGateway, "edge"))),
		"the listener of a route":              input(sectioned, listener),
		"the Gateway, without any route":       input(attach.Objects{}, gateway),
		"an HTTPRoute without hostnames":       input(https(nil), route),
		"the Gateway of one without hostnames": input(https(nil), gateway),
	}
}

func TestWhatAGatewayThatDoesNotCountGuardsIsNeverLetThroughUnmatched(t *testing.T) {
	for name, in := range guarded(ofClass(edge("*.bank.test"), "mine")) {
		for state, classes := range map[string][]GatewayClass{"not accepted any more": {{Name: "mine"}}, "deleted": nil, "a typo": {{Name: "mien", Accepted: true}}} {
			in.GatewayClasses = classes
			e, _, _ := byClasses(t, Options{AllowUnmatched: true}, in)
			for _, path := range []string{"/", "/any"} {
				if d := e.Decide(t.Context(), get("api.bank.test", path)); d.Reason != authz.NoPolicy {
					t.Errorf("%s, %s: expected %s, got %s", name, state, authz.NoPolicy, d.Reason)
				}
			}
			decided(t, e.Decide(t.Context(), get("any.test", "/")), authz.Allow, 0, authz.Unmatched)
		}
	}
}

func TestWhatADeletedGatewayGuardedIsNeverLetThroughUnmatched(t *testing.T) {
	e, _ := newWorld(Options{AllowUnmatched: true})
	for name, in := range guarded(edge("*.bank.test")) {
		if name == "the Gateway, without any route" || len(in.HTTPRoutes) > 0 && len(in.HTTPRoutes[0].Spec.Hostnames) == 0 {
			continue // nothing says of which hosts
		}
		gateways := in.Gateways
		for _, there := range []bool{true, false, true, false} {
			if in.Gateways = gateways; !there {
				in.Gateways = nil
			}
			s, _ := e.Compile(in)
			e.Swap(s)
			if d := e.Decide(t.Context(), get("api.bank.test", "/")); d.Reason == authz.Unmatched || there != (d.Policy != "") {
				t.Errorf("%s, Gateway there: %t: got %s %q", name, there, d.Reason, d.Policy)
			}
			decided(t, e.Decide(t.Context(), get("any.test", "/")), authz.Allow, 0, authz.Unmatched)
		}
	}
}

func TestWhatAListenerOfAListenerSetGuardsIsNotLetThroughUnmatchedByTheClassOfItsGateway(t *testing.T) {
	g := ofClass(edge("*.other.test"), "mine")
	g.Spec.AllowedListeners = &gatewayv1.AllowedListeners{Namespaces: &gatewayv1.ListenerNamespaces{From: new(gatewayv1.NamespacesFromAll)}}
	r := routeOn("bank", "r", nil)
	r.Spec.ParentRefs = []gatewayv1.ParentReference{{Kind: new(gatewayv1.Kind("ListenerSet")), Name: "set"}}
	in := Input{Policies: []*v1alpha1.AgentAuthPolicy{on("bank", v1alpha1.TargetHTTPRoute, "r")}, Objects: attach.Objects{
		Gateways: []*gatewayv1.Gateway{g}, HTTPRoutes: []*gatewayv1.HTTPRoute{r},
		ListenerSets: []*gatewayv1.ListenerSet{{ObjectMeta: metav1.ObjectMeta{Namespace: "bank", Name: "set"}, Spec: gatewayv1.ListenerSetSpec{
			ParentRef: gatewayv1.ParentGatewayReference{Name: "edge", Namespace: new(gatewayv1.Namespace("shop"))},
			Listeners: []gatewayv1.ListenerEntry{{Name: "mine", Port: 80, Protocol: gatewayv1.HTTPProtocolType, Hostname: new(gatewayv1.Hostname("*.bank.test"))}},
		}}}}}
	e, _, _ := byClasses(t, Options{AllowUnmatched: true}, in)
	decided(t, e.Decide(t.Context(), get("api.bank.test", "/")), authz.Deny, 403, authz.NoPolicy)
	decided(t, e.Decide(t.Context(), get("any.test", "/")), authz.Allow, 0, authz.Unmatched)
}

// A Gateway that does not count takes nothing from anybody, whoever made it.
func TestWhatAGatewayThatDoesNotCountGuardsTakesNoHostFromOthers(t *testing.T) {
	fake := ofClass(edge("*.bank.test"), "nobody-implements-this")
	fake.Namespace = "evil"
	thief := routeOn("evil", "r", names("api.bank.test", "own.bank.test", "free.bank.test"))
	thief.Spec.ParentRefs = []gatewayv1.ParentReference{{Name: "edge"}}
	policies := []*v1alpha1.AgentAuthPolicy{on("evil", v1alpha1.TargetHTTPRoute, "r"), on("evil", v1alpha1.TargetGateway, "edge"), of("bank", onHost("own", "own.bank.test", anonymous()))}
	counted := edge("*.bank.test")
	counted.Spec.GatewayClassName = class
	in := Input{Policies: policies, Objects: attach.Objects{Gateways: []*gatewayv1.Gateway{fake, counted},
		HTTPRoutes: []*gatewayv1.HTTPRoute{thief, routeOn("bank", "public", names("api.bank.test"), "edge")}}}
	options := Options{AllowUnmatched: true, GatewayClasses: []string{class}}
	e, _, _ := byClasses(t, options, in)
	decides(t, e, "own.bank.test", "bank")
	decided(t, e.Decide(t.Context(), get("api.bank.test", "/")), authz.Allow, 0, authz.Unmatched) // bank's route serves it
	decided(t, e.Decide(t.Context(), get("free.bank.test", "/")), authz.Deny, 403, authz.NoPolicy)

	options.HostnameGrants = granted(bankAndEvil...).HostnameGrants
	e, _, _ = byClasses(t, options, in)
	decides(t, e, "own.bank.test", "bank")
	for _, host := range []string{"api.bank.test", "free.bank.test"} { // granted to bank
		decided(t, e.Decide(t.Context(), get(host, "/")), authz.Allow, 0, authz.Unmatched)
	}
}

// A route without hostnames and without a Gateway would be for every host.
func TestARouteWithoutHostnamesAndAGatewayClosesNothing(t *testing.T) {
	e, _ := compiledWith(t, Options{AllowUnmatched: true}, Input{
		Objects: attach.Objects{HTTPRoutes: []*gatewayv1.HTTPRoute{routeOn("evil", "r", nil, "nowhere")}}, Policies: []*v1alpha1.AgentAuthPolicy{on("evil", v1alpha1.TargetHTTPRoute, "r")}})
	decided(t, e.Decide(t.Context(), get("any.test", "/")), authz.Allow, 0, authz.Unmatched)
}

// The route of the same namespace that serves the host is not the one that the policy is for.
func TestARouteOfTheSameNamespaceDoesNotUnguardAHost(t *testing.T) {
	counted := edge("*.bank.test")
	counted.Name, counted.Spec.GatewayClassName = "counted", class
	in := Input{Policies: []*v1alpha1.AgentAuthPolicy{on("bank", v1alpha1.TargetHTTPRoute, "api")}, Objects: attach.Objects{
		Gateways:   []*gatewayv1.Gateway{counted, ofClass(edge("*.bank.test"), "gone")},
		HTTPRoutes: []*gatewayv1.HTTPRoute{routeOn("bank", "all", names("*.bank.test"), "counted"), routeOn("bank", "api", names("api.bank.test"), "edge")}}}
	e, _, _ := byClasses(t, Options{AllowUnmatched: true, GatewayClasses: []string{class}}, in)
	decided(t, e.Decide(t.Context(), get("api.bank.test", "/")), authz.Deny, 403, authz.NoPolicy)
	decided(t, e.Decide(t.Context(), get("other.bank.test", "/")), authz.Allow, 0, authz.Unmatched)
	decided(t, asNamed(t, e, "api.bank.test", "HTTPRoute", "bank", "all"), authz.Allow, 0, authz.Unmatched)
}

func TestAPolicyOfARouteOfWhichNoGatewayCountsIsNotProgrammed(t *testing.T) {
	counted := edge("*.bank.test")
	counted.Name, counted.Spec.GatewayClassName = "counted", class
	for name, c := range map[string]struct {
		parents []string
		told    bool
	}{"of a class that does not count": {[]string{"edge"}, true}, "one that does not count, one that does": {[]string{"edge", "counted"}, false}, "one that counts": {[]string{"counted"}, false}} {
		in := Input{Policies: []*v1alpha1.AgentAuthPolicy{on("bank", v1alpha1.TargetHTTPRoute, "api")}, Objects: attach.Objects{
			Gateways:   []*gatewayv1.Gateway{counted, ofClass(edge("*.bank.test"), "gone")},
			HTTPRoutes: []*gatewayv1.HTTPRoute{routeOn("bank", "api", names("api.bank.test"), c.parents...)}}}
		_, _, reports := byClasses(t, Options{GatewayClasses: []string{class}}, in)
		programmed := named(reports, "bank-api").Conditions[3]
		if told := strings.Contains(programmed.Message, "no Gateway of the route counts"); told != c.told || (programmed.Status == metav1.ConditionFalse) != c.told {
			t.Errorf("%s: got %s %q", name, programmed.Status, programmed.Message)
		}
	}
}

func TestWhereAnObjectOfGatewayAPICannotBeReadNothingIsLetThroughUnmatched(t *testing.T) {
	for name, policies := range map[string][]*v1alpha1.AgentAuthPolicy{"its policy": {on("bank", v1alpha1.TargetHTTPRoute, "api")}, "no policy": nil} {
		e, _ := newWorld(Options{AllowUnmatched: true})
		for _, unreadable := range []bool{false, true, false} {
			s, _ := e.Compile(Input{Unreadable: unreadable, Policies: policies})
			e.Swap(s)
			want := map[bool]authz.Reason{false: authz.Unmatched, true: authz.NoPolicy}[unreadable]
			if d := e.Decide(t.Context(), get("api.bank.test", "/")); d.Reason != want {
				t.Errorf("%s, unreadable %t: expected %s, got %s", name, unreadable, want, d.Reason)
			}
			if p := s.Problems(); (len(p) == 1 && strings.Contains(p[0].Message, "cannot be read")) != unreadable {
				t.Errorf("got %v", p)
			}
		}
	}
}
