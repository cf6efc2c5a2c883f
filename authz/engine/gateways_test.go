package engine

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/attach"
)

// ofClass gives a Gateway a class.
func ofClass(g *gatewayv1.Gateway, name gatewayv1.ObjectName) *gatewayv1.Gateway {
	g.Spec.GatewayClassName = name
	return g
}

// byClasses is newWorld without its default of classes.
func byClasses(t *testing.T, options Options, in Input) (*Engine, *Snapshot, []Report) {
	t.Helper()
	e, _ := newWorld(options)
	e.options.GatewayClasses = options.GatewayClasses
	s, reports := e.Compile(in)
	e.Swap(s)
	return e, s, reports
}

func TestAGatewayCountsByItsClass(t *testing.T) {
	accepted := []GatewayClass{{Name: "other", Accepted: true}, {Name: "mine", Accepted: true}}
	for name, c := range map[string]struct {
		options Options
		classes []GatewayClass
		counts  bool
	}{
		"accepted by its controller":               {Options{}, accepted, true},
		"not accepted by its controller":           {Options{}, []GatewayClass{{Name: "mine"}, {Name: "other", Accepted: true}}, false},
		"not there":                                {Options{}, accepted[:1], false},
		"no class is there":                        {Options{}, nil, false},
		"among those that the operator names":      {Options{GatewayClasses: []string{"a", "mine"}}, nil, true},
		"accepted, and not among those":            {Options{GatewayClasses: []string{"a"}}, accepted, false},
		"from files":                               {Options{OneTenant: true}, nil, true},
		"from files, among those that are named":   {Options{OneTenant: true, GatewayClasses: []string{"mine"}}, nil, true},
		"from files, and not among those":          {Options{OneTenant: true, GatewayClasses: []string{"a"}}, nil, false},
		"accepted under a name that begins as its": {Options{}, []GatewayClass{{Name: "min", Accepted: true}, {Name: "mine2", Accepted: true}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			c.options.AllowUnmatched = true
			gateway := ofClass(edge("*.bank.test"), "mine")
			set := &gatewayv1.ListenerSet{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "set"}, Spec: gatewayv1.ListenerSetSpec{
				ParentRef: gatewayv1.ParentGatewayReference{Name: "edge"},
				Listeners: []gatewayv1.ListenerEntry{{Name: "more", Port: 80, Protocol: gatewayv1.HTTPProtocolType, Hostname: new(gatewayv1.Hostname("*.set.test"))}},
			}}
			gateway.Spec.AllowedListeners = &gatewayv1.AllowedListeners{Namespaces: &gatewayv1.ListenerNamespaces{From: new(gatewayv1.NamespacesFromAll)}}
			inSet := routeOn("shop", "in-set", nil)
			inSet.Spec.ParentRefs = []gatewayv1.ParentReference{{Kind: new(gatewayv1.Kind("ListenerSet")), Name: "set"}}
			shop := func(kind v1alpha1.TargetKind, name string) *v1alpha1.AgentAuthPolicy { return on("shop", kind, name) }
			e, _, reports := byClasses(t, c.options, Input{
				GatewayClasses: c.classes,
				Objects: attach.Objects{Gateways: []*gatewayv1.Gateway{gateway}, ListenerSets: []*gatewayv1.ListenerSet{set},
					HTTPRoutes: []*gatewayv1.HTTPRoute{routeOn("shop", "api", names("api.bank.test"), "edge"), inSet},
					GRPCRoutes: []*gatewayv1.GRPCRoute{grpcOn("shop", "grpc", names("grpc.bank.test"), "edge")}},
				Policies: []*v1alpha1.AgentAuthPolicy{
					shop("Gateway", "edge"), shop("HTTPRoute", "api"), shop("HTTPRoute", "in-set"), shop("GRPCRoute", "grpc"),
					of("bank", onHost("plain", "*.bank.test", anonymous()))},
			})
			for _, host := range []string{"api.bank.test", "grpc.bank.test", "a.set.test"} {
				d := e.Decide(t.Context(), get(host, "/"))
				if got := strings.HasPrefix(d.Policy, "shop/"); got != c.counts {
					t.Errorf("%s: a policy of shop decides: expected %t, got %q %s", host, c.counts, d.Policy, d.Reason)
				}
			}
			message, ancestors := named(reports, "shop-edge").Conditions[1].Message, len(named(reports, "shop-api").Ancestors)
			if told := strings.Contains(message, "Gateway edge is of GatewayClass mine, which does not count"); told == c.counts || (ancestors == 1) != c.counts {
				t.Errorf("expected the policy of the Gateway to tell, and no ancestors of routes, got %q and %d", message, ancestors)
			}
			if !c.counts {
				nobody := e.Decide(t.Context(), get("any.test", "/"))
				decided(t, nobody, authz.Allow, 0, authz.Unmatched) // the Gateway's policy guards nothing
				decided(t, asNamed(t, e, "api.bank.test", "HTTPRoute", "shop", "api"), authz.Allow, 0, authz.Allowed)
			}
		})
	}
}

func TestThePolicyOfAGatewayThatDoesNotCountNeverDecides(t *testing.T) {
	for name, section := range map[string]string{"a Gateway": "", "a listener": "http"} {
		p := overriding(of("shop", targeting(onHost("p", "", anonymous()), "Gateway", "edge", section)))
		e, _, reports := byClasses(t, Options{}, Input{
			Objects:  attach.Objects{Gateways: []*gatewayv1.Gateway{ofClass(edge(""), "nobody-implements-this")}, HTTPRoutes: []*gatewayv1.HTTPRoute{routeOn("bank", "r", names("api.bank.test"), "edge")}},
			Policies: []*v1alpha1.AgentAuthPolicy{p, of("bank", onHost("own", "api.bank.test", anonymous()))},
		})
		decides(t, e, "api.bank.test", "bank")
		accepted(t, reports, "p", metav1.ConditionFalse, v1alpha1.ReasonTargetNotFound)
		if d := asNamed(t, e, "api.bank.test", "HTTPRoute", "bank", "r"); d.Outcome == authz.Allow && d.Policy == "shop/p" {
			t.Errorf("%s: it decides where the proxy names the route", name)
		}
	}
}

func TestWithoutTheKindOfGatewayClassesNothingIsLetThroughUnmatched(t *testing.T) {
	in := Input{NoGatewayClasses: true, Objects: attach.Objects{Gateways: []*gatewayv1.Gateway{edge("")}}}
	for name, c := range map[string]struct {
		options Options
		reason  authz.Reason
	}{
		"of a cluster":                       {Options{AllowUnmatched: true}, authz.NoPolicy},
		"of a cluster, where one is named":   {Options{AllowUnmatched: true, GatewayClasses: []string{class}}, authz.Unmatched},
		"of files, where classes do not say": {Options{AllowUnmatched: true, OneTenant: true}, authz.Unmatched},
	} {
		e, s, _ := byClasses(t, c.options, in)
		if d := e.Decide(t.Context(), get("any.test", "/")); d.Reason != c.reason {
			t.Errorf("%s: expected %s, got %s", name, c.reason, d.Reason)
		}
		told := len(s.Problems()) == 1 && strings.Contains(s.Problems()[0].Message, "--gateway-classes")
		if told != (c.reason == authz.NoPolicy) {
			t.Errorf("%s: got %v", name, s.Problems())
		}
	}
}

// A policy of the Gateway's owner names a listener that no spec has (any more).
func TestAListenerThatIsGoneTakesNothingFromAnybody(t *testing.T) {
	same := func() *gatewayv1.Gateway { return gatewayOf("edge", "*.bank.test") } // admits shop alone
	old := new(gatewayv1.SectionName("old"))
	https := func(namespace string, hostnames []gatewayv1.Hostname, port *gatewayv1.PortNumber) *gatewayv1.HTTPRoute {
		r := routeOn(namespace, "r", hostnames, "edge")
		r.Spec.ParentRefs[0].SectionName, r.Spec.ParentRefs[0].Port = old, port
		return r
	}
	grpc := grpcOn("evil", "r", names("api.bank.test"), "edge")
	grpc.Spec.ParentRefs[0].SectionName = old
	set := &gatewayv1.ListenerSet{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "set"}, Spec: gatewayv1.ListenerSetSpec{
		ParentRef: gatewayv1.ParentGatewayReference{Name: "edge"},
		Listeners: []gatewayv1.ListenerEntry{{Name: "new", Port: 80, Protocol: gatewayv1.HTTPProtocolType}},
	}}
	allowing := same()
	allowing.Spec.AllowedListeners = &gatewayv1.AllowedListeners{Namespaces: &gatewayv1.ListenerNamespaces{From: new(gatewayv1.NamespacesFromSame)}}
	inSet := https("evil", names("api.bank.test"), nil)
	inSet.Spec.ParentRefs[0].Kind, inSet.Spec.ParentRefs[0].Name = new(gatewayv1.Kind("ListenerSet")), "set"
	one := func(g *gatewayv1.Gateway, r *gatewayv1.HTTPRoute) attach.Objects {
		return attach.Objects{Gateways: []*gatewayv1.Gateway{g}, HTTPRoutes: []*gatewayv1.HTTPRoute{r}}
	}
	for name, objects := range map[string]attach.Objects{
		"a host":                             one(same(), https("evil", names("api.bank.test"), nil)),
		"a wildcard":                         one(same(), https("evil", names("*.bank.test"), nil)),
		"no hostnames":                       one(same(), https("evil", nil, nil)),
		"a port":                             one(same(), https("evil", names("api.bank.test"), new(gatewayv1.PortNumber(80)))),
		"a route of the Gateway's namespace": one(same(), https("shop", names("api.bank.test"), nil)),
		"a GRPCRoute":                        {Gateways: []*gatewayv1.Gateway{same()}, GRPCRoutes: []*gatewayv1.GRPCRoute{grpc}},
		"a ListenerSet":                      {Gateways: []*gatewayv1.Gateway{allowing}, ListenerSets: []*gatewayv1.ListenerSet{set}, HTTPRoutes: []*gatewayv1.HTTPRoute{inSet}},
	} {
		for _, precedence := range []v1alpha1.Precedence{v1alpha1.PrecedenceDefault, v1alpha1.PrecedenceOverride} {
			t.Run(fmt.Sprint(name, ", ", precedence), func(t *testing.T) {
				owner := of("shop", targeting(onHost("owner", "", anonymous()), "Gateway", "edge", "old"))
				owner.Spec.Precedence = precedence
				evil := on("evil", thiefKind(objects), "r")
				e, reports := compiledWith(t, Options{AllowUnmatched: true}, Input{Objects: objects,
					Policies: []*v1alpha1.AgentAuthPolicy{owner, evil, of("bank", onHost("own", "api.bank.test", anonymous()))}})
				decides(t, e, "api.bank.test", "bank")
				accepted(t, reports, "own", metav1.ConditionTrue, v1alpha1.ReasonAccepted)
				accepted(t, reports, "owner", metav1.ConditionFalse, v1alpha1.ReasonTargetNotFound)
				decided(t, e.Decide(t.Context(), get("any.test", "/")), authz.Allow, 0, authz.Unmatched)
			})
		}
	}
}

func TestARouteThatTheProxyNamesIs503ByAListenerThatIsGone(t *testing.T) {
	old := gatewayv1.ParentReference{Namespace: new(gatewayv1.Namespace("shop")), Name: "edge", SectionName: new(gatewayv1.SectionName("old"))}
	ask := func(g *gatewayv1.Gateway, namespace string, parents ...gatewayv1.ParentReference) authz.Decision {
		r := routeOn(namespace, "r", names("api.bank.test"))
		r.Spec.ParentRefs = append([]gatewayv1.ParentReference{old}, parents...)
		e, _ := compiledWith(t, Options{}, Input{
			Objects: attach.Objects{Gateways: []*gatewayv1.Gateway{g, ofClass(inNamespace(namespace, edge("*.bank.test")), class)}, HTTPRoutes: []*gatewayv1.HTTPRoute{r}},
			Policies: []*v1alpha1.AgentAuthPolicy{
				overriding(of("shop", targeting(onHost("owner", "", anonymous()), "Gateway", "edge", "old"))), on(namespace, "HTTPRoute", "r")},
		})
		return asNamed(t, e, "api.bank.test", "HTTPRoute", namespace, "r")
	}
	own := gatewayv1.ParentReference{Name: "own"}
	decided(t, ask(gatewayOf("edge", "*.bank.test"), "shop"), authz.Error, 503, authz.PolicyInvalid)
	decided(t, ask(gatewayOf("edge", "*.bank.test"), "shop", own), authz.Error, 503, authz.AmbiguousMatch)
	decided(t, ask(edge("*.bank.test"), "team", own), authz.Error, 503, authz.AmbiguousMatch) // its Gateway admits team by another listener
	decided(t, ask(gatewayOf("edge", "*.bank.test"), "evil"), authz.Error, 503, authz.PolicyInvalid)
	decided(t, ask(gatewayOf("edge", "*.bank.test"), "evil", own), authz.Allow, 0, authz.Allowed) // it admits nobody new
}

func inNamespace(namespace string, g *gatewayv1.Gateway) *gatewayv1.Gateway {
	g.Namespace, g.Name = namespace, "own"
	return g
}

// An ancestor is a Gateway of the route's namespace, or one that admits the route.
func TestAncestorsDoNotTellWhichGatewaysOthersHave(t *testing.T) {
	for name, parent := range map[string]gatewayv1.ParentReference{
		"a Gateway":                    {Name: "payments"},
		"a listener of a Gateway":      {Name: "payments", SectionName: new(gatewayv1.SectionName("http"))},
		"a listener that is not there": {Name: "payments", SectionName: new(gatewayv1.SectionName("none"))},
		"a port":                       {Name: "payments", Port: new(gatewayv1.PortNumber(80))},
		"a port that is not there":     {Name: "payments", Port: new(gatewayv1.PortNumber(81))},
		"a ListenerSet":                {Name: "set", Kind: new(gatewayv1.Kind("ListenerSet"))},
	} {
		for _, kind := range []v1alpha1.TargetKind{v1alpha1.TargetHTTPRoute, v1alpha1.TargetGRPCRoute} {
			parent.Namespace = new(gatewayv1.Namespace("bank"))
			report := func(gateways []*gatewayv1.Gateway, sets []*gatewayv1.ListenerSet) Report {
				https := routeOn("evil", "r", names("api.evil.test"))
				https.Spec.ParentRefs = []gatewayv1.ParentReference{parent}
				grpc := grpcOn("evil", "r", names("api.evil.test"))
				grpc.Spec.ParentRefs = https.Spec.ParentRefs
				_, reports := compiledWith(t, Options{}, Input{
					Objects:  attach.Objects{Gateways: gateways, ListenerSets: sets, HTTPRoutes: []*gatewayv1.HTTPRoute{https}, GRPCRoutes: []*gatewayv1.GRPCRoute{grpc}},
					Policies: []*v1alpha1.AgentAuthPolicy{on("evil", kind, "r")},
				})
				return named(reports, "evil-r")
			}
			g := gatewayOf("payments", "*.bank.test")
			g.Namespace = "bank"
			g.Spec.AllowedListeners = &gatewayv1.AllowedListeners{Namespaces: &gatewayv1.ListenerNamespaces{From: new(gatewayv1.NamespacesFromSame)}}
			set := &gatewayv1.ListenerSet{ObjectMeta: metav1.ObjectMeta{Namespace: "bank", Name: "set"}, Spec: gatewayv1.ListenerSetSpec{
				ParentRef: gatewayv1.ParentGatewayReference{Name: "payments"},
				Listeners: []gatewayv1.ListenerEntry{{Name: "more", Port: 80, Protocol: gatewayv1.HTTPProtocolType}},
			}}
			there, not := report([]*gatewayv1.Gateway{g}, []*gatewayv1.ListenerSet{set}), report(nil, nil)
			if !reflect.DeepEqual(there, not) || len(there.Ancestors) > 0 {
				t.Errorf("%s, %s: the report tells whether it is there:\n%+v\n%+v", name, kind, there, not)
			}
		}
	}
}
