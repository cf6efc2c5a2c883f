package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/attach"
)

// bankAndEvil are the grants of these worlds.
var bankAndEvil = []string{"bank=*.bank.test", "evil=*.evil.test"}

// edge is a Gateway of shop that admits every namespace, with a listener for each
// hostname.
func edge(hostnames ...gatewayv1.Hostname) *gatewayv1.Gateway {
	g := open(gatewayOf("edge", hostnames[0]))
	first := g.Spec.Listeners[0]
	for i, h := range hostnames[1:] {
		l := first
		l.Name, l.Hostname = gatewayv1.SectionName(fmt.Sprint("http-", i)), &h
		g.Spec.Listeners = append(g.Spec.Listeners, l)
	}
	return g
}

// grpcOn is routeOn for gRPC.
func grpcOn(namespace, name string, hostnames []gatewayv1.Hostname, gateways ...string) *gatewayv1.GRPCRoute {
	r := routeOn(namespace, name, hostnames, gateways...)
	return &gatewayv1.GRPCRoute{ObjectMeta: r.ObjectMeta, Spec: gatewayv1.GRPCRouteSpec{CommonRouteSpec: r.Spec.CommonRouteSpec, Hostnames: hostnames}}
}

// on is a policy of a namespace on a route.
func on(namespace string, kind v1alpha1.TargetKind, name string) *v1alpha1.AgentAuthPolicy {
	return of(namespace, targeting(onHost(namespace+"-"+name, "", anonymous()), kind, name, ""))
}

// compiledWith puts an Input in force.
func compiledWith(t *testing.T, options Options, in Input) (*Engine, []Report) {
	t.Helper()
	e, _ := newWorld(options)
	s, reports := e.Compile(in)
	e.Swap(s)
	return e, reports
}

// asNamed asks for a request of which the proxy names the route.
func asNamed(t *testing.T, e *Engine, host, kind, namespace, name string) authz.Decision {
	t.Helper()
	raw := get(host, "/")
	raw.Route = &authz.RouteRef{Kind: kind, Namespace: namespace, Name: name}
	return e.Decide(t.Context(), raw)
}

// Each is a way for evil's route to come to a host of bank.
func thieves() map[string]attach.Objects {
	set := &gatewayv1.ListenerSet{ObjectMeta: metav1.ObjectMeta{Namespace: "evil", Name: "set"}, Spec: gatewayv1.ListenerSetSpec{
		ParentRef: gatewayv1.ParentGatewayReference{Name: "edge", Namespace: new(gatewayv1.Namespace("shop"))},
		Listeners: []gatewayv1.ListenerEntry{{Name: "mine", Port: 80, Protocol: gatewayv1.HTTPProtocolType, Hostname: new(gatewayv1.Hostname("*.bank.test"))}},
	}}
	inSet := routeOn("evil", "r", names("api.bank.test"))
	inSet.Spec.ParentRefs = []gatewayv1.ParentReference{{Kind: new(gatewayv1.Kind("ListenerSet")), Name: "set"}}
	allowing := edge("*.other.test")
	allowing.Spec.AllowedListeners = &gatewayv1.AllowedListeners{Namespaces: &gatewayv1.ListenerNamespaces{From: new(gatewayv1.NamespacesFromAll)}}
	own := edge("*.bank.test")
	own.Namespace, own.Name = "evil", "edge"
	ported, sectioned := routeOn("evil", "r", names("api.bank.test"), "edge"), routeOn("evil", "r", names("api.bank.test"), "edge")
	ported.Spec.ParentRefs[0].Port, sectioned.Spec.ParentRefs[0].SectionName = new(gatewayv1.PortNumber(80)), new(gatewayv1.SectionName("http"))
	narrow := routeOn("evil", "r", names("api.bank.test"), "edge")
	exact := gatewayv1.PathMatchExact
	narrow.Spec.Rules = []gatewayv1.HTTPRouteRule{{Matches: []gatewayv1.HTTPRouteMatch{{Path: &gatewayv1.HTTPPathMatch{Type: &exact, Value: new("/")}}}}}
	ownRoute := routeOn("evil", "r", names("api.bank.test"))
	ownRoute.Spec.ParentRefs = []gatewayv1.ParentReference{{Name: "edge"}}
	https := func(g *gatewayv1.Gateway, r *gatewayv1.HTTPRoute) attach.Objects {
		return attach.Objects{Gateways: []*gatewayv1.Gateway{g}, HTTPRoutes: []*gatewayv1.HTTPRoute{r}}
	}
	return map[string]attach.Objects{
		"an exact host":                          https(edge("*.bank.test"), routeOn("evil", "r", names("api.bank.test"), "edge")),
		"a wildcard that is the grant":           https(edge("*.bank.test"), routeOn("evil", "r", names("*.bank.test"), "edge")),
		"a wildcard wider than the grant":        https(edge("*.test"), routeOn("evil", "r", names("*.test"), "edge")),
		"no hostnames on a listener with one":    https(edge("*.bank.test"), routeOn("evil", "r", nil, "edge")),
		"no hostnames on a listener without":     https(edge(""), routeOn("evil", "r", nil, "edge")),
		"a host on a listener without":           https(edge(""), routeOn("evil", "r", names("api.bank.test"), "edge")),
		"a better match":                         https(edge("*.bank.test"), narrow),
		"a parent with a port":                   https(edge("*.bank.test"), ported),
		"a parent with a section":                https(edge("*.bank.test"), sectioned),
		"a Gateway of its own":                   https(own, ownRoute),
		"two listeners, one of them its own":     https(edge("*.evil.test", "*.bank.test"), routeOn("evil", "r", names("api.bank.test", "a.evil.test"), "edge")),
		"a ListenerSet":                          {Gateways: []*gatewayv1.Gateway{allowing}, ListenerSets: []*gatewayv1.ListenerSet{set}, HTTPRoutes: []*gatewayv1.HTTPRoute{inSet}},
		"a GRPCRoute":                            {Gateways: []*gatewayv1.Gateway{edge("*.bank.test")}, GRPCRoutes: []*gatewayv1.GRPCRoute{grpcOn("evil", "r", names("api.bank.test"), "edge")}},
		"a GRPCRoute of a wildcard, no hostname": {Gateways: []*gatewayv1.Gateway{edge("")}, GRPCRoutes: []*gatewayv1.GRPCRoute{grpcOn("evil", "r", nil, "edge")}},
	}
}

func thiefKind(o attach.Objects) v1alpha1.TargetKind {
	if len(o.GRPCRoutes) > 0 {
		return v1alpha1.TargetGRPCRoute
	}
	return v1alpha1.TargetHTTPRoute
}

func TestARouteOfANamespaceWithoutTheGrantTakesAHostFromNoRoutesOfPolicies(t *testing.T) {
	for name, objects := range thieves() {
		t.Run(name, func(t *testing.T) {
			bank := of("bank", onHost("own", "api.bank.test", anonymous()))
			wide := of("bank", onHost("wide", "*.bank.test", anonymous()))
			e, reports := compiledWith(t, granted(bankAndEvil...), Input{Objects: objects, Policies: []*v1alpha1.AgentAuthPolicy{bank, wide, on("evil", thiefKind(objects), "r")}})
			decides(t, e, "api.bank.test", "bank")
			decides(t, e, "other.bank.test", "bank")
			for _, mine := range []string{"own", "wide"} {
				accepted(t, reports, mine, metav1.ConditionTrue, v1alpha1.ReasonAccepted)
			}
			if d := asNamed(t, e, "api.bank.test", string(thiefKind(objects)), "evil", "r"); d.Policy != "evil/evil-r" || d.Outcome != authz.Allow {
				t.Errorf("the proxy names evil's route: expected evil's policy, got %s %s", d.Policy, d.Reason)
			}
		})
	}
}

func TestARouteOfANamespaceWithoutTheGrantTakesAHostFromNoRouteOfGatewayAPI(t *testing.T) {
	for name, objects := range thieves() {
		for what, withPolicy := range map[string]bool{"with a policy": true, "without one": false} {
			t.Run(name+", of a route "+what, func(t *testing.T) {
				objects := objects
				objects.Gateways = slices.Clone(objects.Gateways)
				banks := edge("*.bank.test")
				banks.Name = "banks"
				objects.Gateways = append(objects.Gateways, banks)
				mine := routeOn("bank", "mine", names("*.bank.test"), "banks")
				mine.CreationTimestamp = metav1.NewTime(clock) // evil's is older
				objects.HTTPRoutes = append([]*gatewayv1.HTTPRoute{mine}, objects.HTTPRoutes...)
				policies := []*v1alpha1.AgentAuthPolicy{on("evil", thiefKind(objects), "r")}
				if withPolicy {
					policies = append(policies, on("bank", v1alpha1.TargetHTTPRoute, "mine"))
				}
				e, _ := compiledWith(t, granted(bankAndEvil...), Input{Objects: objects, Policies: policies})
				if withPolicy {
					decides(t, e, "api.bank.test", "bank")
				} else {
					nobodys(t, e, "api.bank.test")
				}
			})
		}
	}
}

func TestARouteOfANamespaceWithoutTheGrantMakesNothingOfAHostThatNoPolicyHas(t *testing.T) {
	for name, objects := range thieves() {
		for unmatched, want := range map[bool]authz.Reason{false: authz.NoPolicy, true: authz.Unmatched} {
			options := granted(bankAndEvil...)
			options.AllowUnmatched = unmatched
			evil := setting(on("evil", thiefKind(objects), "r"), "authorization", `"x"`)
			e, reports := compiledWith(t, options, Input{Objects: objects, Policies: []*v1alpha1.AgentAuthPolicy{evil}})
			d := e.Decide(t.Context(), get("api.bank.test", "/", header("authorization", "Bearer x")))
			if d.Reason != want || len(d.Remove) > 0 {
				t.Errorf("%s: expected %s and that nothing is removed, got %s %v", name, want, d.Reason, d.Remove)
			}
			accepted := named(reports, "evil-r").Conditions[1]
			told := strings.Contains(accepted.Message, "granted hostname")
			wider := strings.Contains(name, "wider") || strings.Contains(name, "listener without") && strings.Contains(name, "no hostnames") || strings.Contains(name, "no hostname")
			if !told && !wider {
				t.Errorf("%s: expected evil's policy to tell, got %s %q", name, accepted.Reason, accepted.Message)
			}
			if accepted.Status != metav1.ConditionTrue || strings.Contains(accepted.Message, "bank/") {
				t.Errorf("%s: got %+v", name, accepted)
			}
		}
	}
}

func TestHostsThatNobodyWasGrantedAreThoseOfTheirRoutes(t *testing.T) {
	e, _ := compiledWith(t, granted(bankAndEvil...), Input{
		Objects:  attach.Objects{Gateways: []*gatewayv1.Gateway{edge("")}, HTTPRoutes: []*gatewayv1.HTTPRoute{routeOn("free", "r", names("api.free.test", "*.test"), "edge")}},
		Policies: []*v1alpha1.AgentAuthPolicy{on("free", v1alpha1.TargetHTTPRoute, "r"), of("evil", onHost("thief", "api.free.test", anonymous())), of("bank", onHost("own", "api.bank.test", anonymous()))},
	})
	decides(t, e, "api.free.test", "free")
	decides(t, e, "any.test", "free")
	decides(t, e, "api.bank.test", "bank")
	nobodys(t, e, "other.bank.test")
}

// Grants within grants: who was granted a wider pattern shares the narrower one.
func TestANarrowerGrantSharesItsHosts(t *testing.T) {
	grants := granted("bank=*.bank.test", "team=api.bank.test")
	e, reports := compiledWith(t, grants, Input{
		Objects: attach.Objects{Gateways: []*gatewayv1.Gateway{edge("*.bank.test")}, HTTPRoutes: []*gatewayv1.HTTPRoute{
			routeOn("team", "wide", names("*.bank.test"), "edge")}},
		Policies: []*v1alpha1.AgentAuthPolicy{on("team", v1alpha1.TargetHTTPRoute, "wide"), of("bank", onHost("all", "*.bank.test", anonymous()))},
	})
	decides(t, e, "api.bank.test", "team") // of its wildcard team was granted this
	decides(t, e, "www.bank.test", "bank") // and not this
	decides(t, e, "x.api.bank.test", "bank")
	accepted(t, reports, "all", metav1.ConditionTrue, v1alpha1.ReasonAccepted)
	accepted(t, reports, "team-wide", metav1.ConditionTrue, v1alpha1.ReasonPartiallyConflicted)
}

func TestWithOneTenantGrantsAreNotAskedFor(t *testing.T) {
	options := granted(bankAndEvil...)
	options.OneTenant = true
	e, _ := compiledWith(t, options, Input{
		HostnameGrants: []*Object{grantsMap("grants", "bank", "*.bank.test")},
		Objects:        attach.Objects{Gateways: []*gatewayv1.Gateway{edge("*.bank.test")}, HTTPRoutes: []*gatewayv1.HTTPRoute{routeOn("evil", "r", names("api.bank.test"), "edge")}},
		Policies:       []*v1alpha1.AgentAuthPolicy{on("evil", v1alpha1.TargetHTTPRoute, "r"), of("any", onHost("plain", "www.any.test", anonymous()))},
	})
	decides(t, e, "api.bank.test", "evil")
	decides(t, e, "www.any.test", "any")
}

func TestWhatIsNotGrantedClaimsNeitherRequestsNorHeaders(t *testing.T) {
	invalid := func(p *v1alpha1.AgentAuthPolicy) *v1alpha1.AgentAuthPolicy {
		p.Spec.Authorization = &v1alpha1.Authorization{Rules: []v1alpha1.Rule{{Name: "typo", Require: "request.nothing"}}}
		return p
	}
	spoil := func(host, path string) *v1alpha1.AgentAuthPolicy {
		return setting(under(of("evil", onHost("spoil", host, anonymous())), path), "authorization", `"x"`)
	}
	for name, p := range map[string]*v1alpha1.AgentAuthPolicy{
		"a bare wildcard": spoil("*", "/"), "a path of a bare wildcard": spoil("*", "/zzz"), "a wildcard": spoil("*.bank.test", "/"),
		"a host": spoil("www.bank.test", "/"), "a path of a host": spoil("www.bank.test", "/zzz"),
		"an invalid policy of a bare wildcard": invalid(spoil("*", "/")), "an invalid policy of a host": invalid(spoil("www.bank.test", "/")),
	} {
		for with, options := range map[string]Options{"grants": granted(bankAndEvil...), "none": {}} {
			if with == "none" && !strings.Contains(name, "bare") {
				continue // two namespaces dispute such a host
			}
			t.Run(name+", with "+with, func(t *testing.T) {
				options.AllowUnmatched = true
				bank := setting(under(of("bank", onHost("own", "www.bank.test", anonymous())), "/v1"), "x-agent-id", "identity.subject")
				e, reports := compiledWith(t, options, Input{Policies: []*v1alpha1.AgentAuthPolicy{bank, p}})
				for _, host := range []string{"www.bank.test", "www.shop.test"} {
					d := e.Decide(t.Context(), get(host, "/public", header("authorization", "Bearer x"), header("x-agent-id", "root")))
					decided(t, d, authz.Allow, 0, authz.Unmatched)
					if slices.Contains(d.Remove, "authorization") || slices.Contains(d.Remove, "x-agent-id") != (host == "www.bank.test") {
						t.Errorf("%s: removed is %v", host, d.Remove)
					}
				}
				if c := named(reports, "spoil").Conditions; c[3].Status != metav1.ConditionFalse {
					t.Errorf("expected not to be Programmed, got %v", c[3])
				}
			})
		}
	}
}

// Routes that the proxy names are their namespace's, granted or not: so are the names there.
func TestOnARouteThatTheProxyNamesTheNamesOfItsNamespaceAreRemoved(t *testing.T) {
	public := routeOn("evil", "public", names("api.bank.test"), "edge")
	bare := routeOn("evil", "bare", names("api.bank.test"), "edge")
	private := routeOn("evil", "private", names("api.bank.test"), "edge")
	sets := setting(targeting(onHost("sets", "", anonymous()), v1alpha1.TargetHTTPRoute, "private", ""), "x-agent-id", `"a"`)
	silent := targeting(onHost("silent", "", anonymous()), v1alpha1.TargetHTTPRoute, "public", "")
	sets.Namespace, silent.Namespace = "evil", "evil"
	options := granted(bankAndEvil...)
	options.AllowUnmatched = true
	e, _ := compiledWith(t, options, Input{
		Objects:  attach.Objects{Gateways: []*gatewayv1.Gateway{edge("*.bank.test")}, HTTPRoutes: []*gatewayv1.HTTPRoute{public, bare, private}},
		Policies: []*v1alpha1.AgentAuthPolicy{sets, silent},
	})
	for _, name := range []string{"public", "bare"} {
		raw := get("api.bank.test", "/", header("x-agent-id", "root"))
		raw.Route = &authz.RouteRef{Kind: "HTTPRoute", Namespace: "evil", Name: name}
		if d := e.Decide(t.Context(), raw); d.Outcome != authz.Allow || !slices.Contains(d.Remove, "x-agent-id") {
			t.Errorf("%s: expected x-agent-id to be removed, got %s %v", name, d.Reason, d.Remove)
		}
	}
}

// grantsMap is a ConfigMap of hostname grants.
func grantsMap(name string, pairs ...string) *Object {
	o := &Object{Namespace: "agentauth-system", Name: name, Labels: map[string]string{v1alpha1.LabelUse: v1alpha1.UseHostnameGrants}, Data: map[string][]byte{}}
	for i := 0; i < len(pairs); i += 2 {
		o.Data[pairs[i]] = []byte(pairs[i+1])
	}
	return o
}

func TestGrantsOfConfigMapsAddUpAndComeAndGo(t *testing.T) {
	e, _ := newWorld(granted("bank=api.bank.test"))
	in := Input{Policies: []*v1alpha1.AgentAuthPolicy{
		of("bank", onHost("flag", "api.bank.test", anonymous())), of("shop", onHost("one", "www.shop.test", anonymous())), of("team", onHost("two", "www.team.test", anonymous()))}}
	put := func(maps ...*Object) []Report {
		in.HostnameGrants = maps
		s, reports := e.Compile(in)
		if len(s.Problems()) > 0 {
			t.Errorf("got %v", s.Problems())
		}
		e.Swap(s)
		return reports
	}
	put()
	decides(t, e, "api.bank.test", "bank")
	nobodys(t, e, "www.shop.test")
	put(grantsMap("a", "shop", "www.shop.test *.more.test"), grantsMap("b", "team", "*.team.test"))
	decides(t, e, "api.bank.test", "bank")
	decides(t, e, "www.shop.test", "shop")
	decides(t, e, "www.team.test", "team")
	reports := put(grantsMap("b", "team", "*.team.test"))
	nobodys(t, e, "www.shop.test")
	decides(t, e, "www.team.test", "team")
	accepted(t, reports, "one", metav1.ConditionFalse, v1alpha1.ReasonNotPermitted)
}

func TestAConfigMapOfGrantsPutsGrantsInForceWhateverItHolds(t *testing.T) {
	for name, c := range map[string]struct {
		grants   *Object
		problems int
	}{
		"nothing":                  {grantsMap("g"), 1},
		"nothing that can be read": {grantsMap("g", "shop", "www.shop.test. Bad.test", "Other", "*"), 2},
	} {
		e, _ := newWorld(Options{})
		s, reports := e.Compile(Input{HostnameGrants: []*Object{c.grants}, Policies: []*v1alpha1.AgentAuthPolicy{of("shop", onHost("one", "www.shop.test", anonymous()))}})
		e.Swap(s)
		nobodys(t, e, "www.shop.test")
		accepted(t, reports, "one", metav1.ConditionFalse, v1alpha1.ReasonNotPermitted)
		if p := s.Problems(); len(p) != c.problems || c.problems > 0 && p[0].Object != "ConfigMap agentauth-system/g" {
			t.Errorf("%s: expected %d problems, got %v", name, c.problems, p)
		}
	}
}

func TestAGrantThatCannotBeReadGivesNobodysHostsToNobody(t *testing.T) {
	omitted := grantsMap("grants")
	omitted.Omitted = "it is too large"
	for name, maps := range map[string][]*Object{
		"a word of the entry":               {grantsMap("grants", "bank", "*.bank.test *.bank,internal", "evil", "*.evil.test")},
		"the only word of the entry":        {grantsMap("grants", "bank", "*.bank,test", "evil", "*.evil.test")},
		"the name of the entry":             {grantsMap("grants", "Bank", "*.bank.test", "evil", "*.evil.test")},
		"an object that holds no data":      {omitted, grantsMap("more", "evil", "*.evil.test")},
		"a word of an entry of others":      {grantsMap("grants", "bank", "*.bank.test", "evil", "*.evil.test ,")},
		"a word of another ConfigMap":       {grantsMap("grants", "bank", "*.bank.test"), grantsMap("more", "evil", "*.evil.test ,")},
		"an entry that is no list of words": {grantsMap("grants", "bank", "[\"*.bank.test\"]", "evil", "*.evil.test")},
	} {
		readable := strings.Contains(name, "a word of")
		for _, withEvil := range []bool{false, true} {
			in := Input{HostnameGrants: maps, Policies: []*v1alpha1.AgentAuthPolicy{of("bank", onHost("own", "api.bank.test", anonymous()))}}
			if withEvil {
				in.Policies = append(in.Policies, on("evil", v1alpha1.TargetHTTPRoute, "r"))
				in.Objects = attach.Objects{Gateways: []*gatewayv1.Gateway{edge("")}, HTTPRoutes: []*gatewayv1.HTTPRoute{routeOn("evil", "r", names("api.bank.test", "internal.bank.test", "*.test"), "edge")}}
			}
			e, _ := newWorld(Options{AllowUnmatched: true})
			s, reports := e.Compile(in)
			e.Swap(s)
			if readable {
				decides(t, e, "api.bank.test", "bank")
			} else {
				decided(t, e.Decide(t.Context(), get("api.bank.test", "/")), authz.Deny, 403, authz.NoPolicy)
			}
			for _, host := range []string{"internal.bank.test", "any.test", "other.example"} {
				if d := e.Decide(t.Context(), get(host, "/")); d.Reason != authz.NoPolicy || d.Policy != "" {
					t.Errorf("%s, evil's route %t: %s: expected no policy, got %s %s", name, withEvil, host, d.Reason, d.Policy)
				}
			}
			if p := s.Problems(); len(p) != 1 || !strings.Contains(p[0].Message, "no request is let through unmatched") {
				t.Errorf("%s: got %v", name, p)
			}
			if withEvil && !strings.Contains(named(reports, "evil-r").Conditions[1].Message, "a grant that cannot be read") {
				t.Errorf("%s: expected evil's policy to tell, got %q", name, named(reports, "evil-r").Conditions[1].Message)
			}
		}
	}
}

func TestAGrantThatIsCorrectedIsInForceAtOnce(t *testing.T) {
	e, _ := newWorld(Options{AllowUnmatched: true})
	in := Input{
		Objects:  attach.Objects{Gateways: []*gatewayv1.Gateway{edge("")}, HTTPRoutes: []*gatewayv1.HTTPRoute{routeOn("free", "r", names("api.free.test"), "edge")}},
		Policies: []*v1alpha1.AgentAuthPolicy{on("free", v1alpha1.TargetHTTPRoute, "r"), of("bank", onHost("own", "api.bank.test", anonymous()))}}
	for _, word := range []string{"", " ,", "", " ,"} {
		in.HostnameGrants = []*Object{grantsMap("grants", "bank", "*.bank.test"+word)}
		s, _ := e.Compile(in)
		e.Swap(s)
		decides(t, e, "api.bank.test", "bank")
		if word == "" {
			decides(t, e, "api.free.test", "free")
			decided(t, e.Decide(t.Context(), get("any.test", "/")), authz.Allow, 0, authz.Unmatched)
		} else {
			nobodys(t, e, "api.free.test")
			nobodys(t, e, "any.test")
		}
	}
}
