package engine

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/attach"
)

// dice makes small worlds of Gateway API.
type dice struct{ *rand.Rand }

func pick[T any](d dice, from ...T) T { return from[d.IntN(len(from))] }

func (d dice) often(percent int) bool { return d.IntN(100) < percent }

func (d dice) meta(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name, Generation: 1, CreationTimestamp: metav1.Unix(int64(d.IntN(3)), 0)}
}

func (d dice) hostname() gatewayv1.Hostname {
	return pick[gatewayv1.Hostname](d, "a.example.com", "b.example.com", "*.example.com", "*.com")
}

func (d dice) gateway(namespace, name string) *gatewayv1.Gateway {
	g := &gatewayv1.Gateway{ObjectMeta: d.meta(namespace, name)}
	for i := range 1 + d.IntN(3) {
		g.Spec.Listeners = append(g.Spec.Listeners, d.listener(i))
	}
	if d.often(60) {
		from := pick(d, gatewayv1.NamespacesFromSame, gatewayv1.NamespacesFromAll)
		g.Spec.AllowedListeners = &gatewayv1.AllowedListeners{Namespaces: &gatewayv1.ListenerNamespaces{From: &from}}
	}
	return g
}

func (d dice) listener(i int) gatewayv1.Listener {
	l := gatewayv1.Listener{Name: gatewayv1.SectionName(fmt.Sprint("l", i)), Port: pick[gatewayv1.PortNumber](d, 80, 443), Protocol: gatewayv1.HTTPProtocolType}
	if d.often(60) {
		l.Hostname = new(d.hostname())
	}
	from := pick(d, gatewayv1.NamespacesFromSame, gatewayv1.NamespacesFromAll, gatewayv1.NamespacesFromAll, gatewayv1.NamespacesFromSelector)
	l.AllowedRoutes = &gatewayv1.AllowedRoutes{Namespaces: &gatewayv1.RouteNamespaces{From: &from, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"edge": "yes"}}}}
	if d.often(10) {
		l.AllowedRoutes.Kinds = []gatewayv1.RouteGroupKind{{Kind: pick[gatewayv1.Kind](d, "HTTPRoute", "GRPCRoute")}}
	}
	return l
}

func (d dice) listenerSet(namespace, name string) *gatewayv1.ListenerSet {
	s := &gatewayv1.ListenerSet{ObjectMeta: d.meta(namespace, name)}
	s.Spec.ParentRef = gatewayv1.ParentGatewayReference{Namespace: new(gatewayv1.Namespace("shop")), Name: gatewayv1.ObjectName(pick(d, "g0", "g1"))}
	for i := range 1 + d.IntN(2) {
		l := d.listener(i + d.IntN(3))
		s.Spec.Listeners = append(s.Spec.Listeners, gatewayv1.ListenerEntry{Name: l.Name, Port: l.Port, Protocol: l.Protocol, Hostname: l.Hostname, AllowedRoutes: l.AllowedRoutes})
	}
	return s
}

func (d dice) match() gatewayv1.HTTPRouteMatch {
	var m gatewayv1.HTTPRouteMatch
	kind := pick(d, gatewayv1.PathMatchPathPrefix, gatewayv1.PathMatchPathPrefix, gatewayv1.PathMatchExact, gatewayv1.PathMatchRegularExpression)
	value := pick(d, "/", "/a", "/a/b")
	if kind == gatewayv1.PathMatchRegularExpression {
		value = pick(d, "/a.*", "/.*", "/a/[a-z]+")
	}
	m.Path = &gatewayv1.HTTPPathMatch{Type: &kind, Value: &value}
	if d.often(25) {
		m.Method = new(gatewayv1.HTTPMethodPost)
	}
	for i := range d.IntN(3) {
		if d.often(40) {
			m.Headers = append(m.Headers, gatewayv1.HTTPHeaderMatch{Name: gatewayv1.HTTPHeaderName(fmt.Sprint("x-", i)), Value: "1"})
		}
	}
	if d.often(10) {
		m.QueryParams = []gatewayv1.HTTPQueryParamMatch{{Name: "q", Value: "1"}}
	}
	return m
}

func (d dice) hostnames() []gatewayv1.Hostname {
	var out []gatewayv1.Hostname
	for range d.IntN(3) {
		if h := d.hostname(); !slices.Contains(out, h) {
			out = append(out, h)
		}
	}
	return out
}

func (d dice) parents() []gatewayv1.ParentReference {
	var out []gatewayv1.ParentReference
	for range 1 + d.IntN(2) {
		ref := gatewayv1.ParentReference{Namespace: new(gatewayv1.Namespace("shop")), Name: gatewayv1.ObjectName(pick(d, "g0", "g1", "g2"))}
		if d.often(25) {
			ref.Kind, ref.Name, ref.Namespace = new(gatewayv1.Kind("ListenerSet")), gatewayv1.ObjectName(pick(d, "s0", "s1")), new(gatewayv1.Namespace(pick(d, "shop", "other")))
		}
		if d.often(30) {
			ref.SectionName = new(gatewayv1.SectionName(pick(d, "l0", "l1", "gone")))
		}
		if d.often(15) {
			ref.Port = new(gatewayv1.PortNumber(80))
		}
		out = append(out, ref)
	}
	return out
}

func (d dice) ruleName(i int) *gatewayv1.SectionName {
	if d.often(60) {
		return new(gatewayv1.SectionName(fmt.Sprint("r", i)))
	}
	return nil
}

func (d dice) route(namespace, name string) *gatewayv1.HTTPRoute {
	r := &gatewayv1.HTTPRoute{ObjectMeta: d.meta(namespace, name)}
	r.Spec.Hostnames, r.Spec.ParentRefs = d.hostnames(), d.parents()
	for i := range 1 + d.IntN(3) {
		rule := gatewayv1.HTTPRouteRule{Name: d.ruleName(i)}
		for range d.IntN(3) {
			rule.Matches = append(rule.Matches, d.match())
		}
		r.Spec.Rules = append(r.Spec.Rules, rule)
	}
	return r
}

func (d dice) grpcRoute(namespace, name string) *gatewayv1.GRPCRoute {
	r := &gatewayv1.GRPCRoute{ObjectMeta: d.meta(namespace, name)}
	r.Spec.Hostnames, r.Spec.ParentRefs = d.hostnames(), d.parents()
	for i := range 1 + d.IntN(3) {
		rule := gatewayv1.GRPCRouteRule{Name: d.ruleName(i)}
		for range d.IntN(3) {
			rule.Matches = append(rule.Matches, d.grpcMatch())
		}
		r.Spec.Rules = append(r.Spec.Rules, rule)
	}
	return r
}

func (d dice) grpcMatch() gatewayv1.GRPCRouteMatch {
	var m gatewayv1.GRPCRouteMatch
	exact, regex := gatewayv1.GRPCMethodMatchExact, gatewayv1.GRPCMethodMatchRegularExpression
	switch d.IntN(6) {
	case 0:
		m.Method = &gatewayv1.GRPCMethodMatch{Type: &regex, Service: new(pick(d, "a", "[a-z]+", "a.*"))}
	case 1:
		m.Method = &gatewayv1.GRPCMethodMatch{Type: &exact, Method: new("b")}
	case 2:
		m.Method = &gatewayv1.GRPCMethodMatch{Type: &exact, Service: new("a")}
	case 3, 4:
		m.Method = &gatewayv1.GRPCMethodMatch{Type: &exact, Service: new("a"), Method: new("b")}
	}
	if m.Method == nil || d.often(30) {
		m.Headers = []gatewayv1.GRPCHeaderMatch{{Name: gatewayv1.GRPCHeaderName(fmt.Sprint("x-", d.IntN(2))), Value: "1"}}
	}
	return m
}

func (d dice) policy(namespace, name string) *v1alpha1.AgentAuthPolicy {
	p := &v1alpha1.AgentAuthPolicy{ObjectMeta: d.meta(namespace, name)}
	p.Spec.Authentication.Methods = []v1alpha1.Method{anonymous()}
	if d.often(10) {
		p.Spec.Authentication.Methods = nil // invalid
	}
	switch d.IntN(10) {
	case 0, 1:
		p.Spec.Routes = []v1alpha1.Route{{Hostnames: []v1alpha1.Hostname{v1alpha1.Hostname(d.hostname())}}}
		if d.often(50) {
			p.Spec.Routes[0].Matches = []gatewayv1.HTTPRouteMatch{d.match()}
		}
	case 2, 3, 4:
		targeting(p, "Gateway", pick(d, "g0", "g1", "g2"), pick(d, "", "", "l0", "l1", "gone"))
		p.Spec.Precedence = pick(d, "", v1alpha1.PrecedenceDefault, v1alpha1.PrecedenceOverride)
	default:
		for range 1 + d.IntN(2) {
			targeting(p, pick[v1alpha1.TargetKind](d, "HTTPRoute", "HTTPRoute", "GRPCRoute"), pick(d, "h0", "h1", "h2", "h3"), pick(d, "", "", "", "r0", "r1", "r2"))
		}
	}
	return p
}

func (d dice) world() Input {
	in := Input{Objects: attach.Objects{Namespaces: []Namespace{{Name: "shop"}, {Name: "other", Labels: map[string]string{"edge": pick(d, "yes", "no")}}}}}
	for i := range 1 + d.IntN(3) {
		in.Gateways = append(in.Gateways, d.gateway("shop", fmt.Sprint("g", i)))
	}
	for i := range 1 + d.IntN(4) {
		in.HTTPRoutes = append(in.HTTPRoutes, d.route(pick(d, "shop", "shop", "other"), fmt.Sprint("h", i)))
	}
	if d.often(40) {
		for i := range 1 + d.IntN(3) { // some have the name of an HTTPRoute
			in.GRPCRoutes = append(in.GRPCRoutes, d.grpcRoute(pick(d, "shop", "shop", "other"), fmt.Sprint("h", 3*d.IntN(2)+i)))
		}
	}
	for i := range d.IntN(3) {
		in.ListenerSets = append(in.ListenerSets, d.listenerSet(pick(d, "shop", "other"), fmt.Sprint("s", i)))
	}
	for i := range d.IntN(6) {
		in.Policies = append(in.Policies, d.policy(pick(d, "shop", "shop", "other"), fmt.Sprint("p", i)))
	}
	return in
}

func (d dice) request() authz.Raw {
	r := get(pick(d, "a.example.com", "b.example.com", "c.example.com"), pick(d, "/", "/a", "/a/b", "/ab", "/%61")+pick(d, "", "", "?q=1"))
	r.Method = pick(d, "GET", "POST")
	if d.often(30) {
		r.Headers = append(r.Headers, header("content-type", "application/grpc"))
	}
	for i := range 3 {
		if d.often(40) {
			r.Headers = append(r.Headers, header(fmt.Sprint("x-", i), "1"))
		}
	}
	return r
}

// shuffled is the same world, as events may bring it.
func (d dice) shuffled(in Input) Input {
	shuffle := func(n int, swap func(i, j int)) { d.Shuffle(n, swap) }
	in.Policies, in.HTTPRoutes, in.Gateways = slices.Clone(in.Policies), slices.Clone(in.HTTPRoutes), slices.Clone(in.Gateways)
	in.GRPCRoutes, in.ListenerSets = slices.Clone(in.GRPCRoutes), slices.Clone(in.ListenerSets)
	shuffle(len(in.GRPCRoutes), func(i, j int) { in.GRPCRoutes[i], in.GRPCRoutes[j] = in.GRPCRoutes[j], in.GRPCRoutes[i] })
	shuffle(len(in.ListenerSets), func(i, j int) { in.ListenerSets[i], in.ListenerSets[j] = in.ListenerSets[j], in.ListenerSets[i] })
	shuffle(len(in.Policies), func(i, j int) { in.Policies[i], in.Policies[j] = in.Policies[j], in.Policies[i] })
	shuffle(len(in.HTTPRoutes), func(i, j int) { in.HTTPRoutes[i], in.HTTPRoutes[j] = in.HTTPRoutes[j], in.HTTPRoutes[i] })
	shuffle(len(in.Gateways), func(i, j int) { in.Gateways[i], in.Gateways[j] = in.Gateways[j], in.Gateways[i] })
	return in
}

// verdictOf is the policy that decided, "none", or "503"; "400" is nobody's.
func verdictOf(d authz.Decision) string {
	switch {
	case d.Reason == authz.BadRequest:
		return "400"
	case d.Outcome == authz.Error && d.Reason != authz.PolicyInvalid:
		return "503"
	case d.Outcome == authz.Error:
		return "503 " + d.Policy
	case d.Policy == "":
		return "none"
	}
	return d.Policy
}

// may says whether an answer is one that the true policy allows for: it, or
// 503, or, where there is none, the one policy that may decide.
func may(answer, truth string) bool {
	return answer == truth || answer[:3] == "503" || answer == "400" || truth == "none"
}

// Whatever a proxy does with a world, the answer is that of the policy of the
// place that serves there, with the proxy's word and without it; or 503; or of
// the one policy there may be, where the place has none.
func TestWithTheProxysWordAndWithoutItOnePolicyDecides(t *testing.T) {
	worlds := 1000
	if testing.Short() {
		worlds = 300
	}
	decidedBy := map[string]int{}
	for seed := range uint64(worlds) {
		d := dice{rand.New(rand.NewPCG(seed, 7))}
		in := d.world()
		options := Options{OneTenant: d.often(50), AllowUnmatched: d.often(30)}
		e, w := newWorld(options)
		s, reports := e.Compile(in)
		e.Swap(s)
		other, _ := newWorld(options)
		before, _ := other.Compile(d.world())
		other.Swap(before) // what was in force before must not matter
		again, reports2 := other.Compile(d.shuffled(in))
		other.Swap(again)
		if !reflect.DeepEqual(reports2, reports) {
			t.Fatalf("seed %d: the order of events changes the reports:\n%v\n%v", seed, reports2, reports)
		}
		all := entries(in)
		for range 12 {
			raw := d.request()
			without := verdictOf(e.Decide(t.Context(), raw))
			if got := verdictOf(other.Decide(t.Context(), raw)); got != without {
				t.Fatalf("seed %d: %s %s: the order of events changes %s to %s", seed, raw.Host, raw.Path, without, got)
			}
			for _, at := range proxies(all, raw) {
				truth := truthOf(in, at, raw, options)
				if !may(without, truth) {
					t.Fatalf("seed %d: %s %s%s: %v serves, so %s decides, and without the proxy's word %s did", seed, raw.Method, raw.Host, raw.Path, at, truth, without)
				}
				word := raw
				word.Route = &authz.RouteRef{Kind: at.route.kind, Namespace: at.route.namespace, Name: at.route.name, SectionName: at.rule}
				with := verdictOf(e.Decide(t.Context(), word))
				if !may(with, truth) {
					t.Fatalf("seed %d: %s %s%s: %v serves, so %s decides, and with the proxy's word %s did", seed, raw.Method, raw.Host, raw.Path, at, truth, with)
				}
				if with[:3] != "503" && with != "400" && !may(without, with) {
					t.Fatalf("seed %d: %s %s%s: with the proxy's word %s, without it %s", seed, raw.Method, raw.Host, raw.Path, with, without)
				}
				decidedBy["with "+kindOf(with)]++
				decidedBy["without "+kindOf(without)]++
			}
		}
		if len(w.panics) > 0 {
			t.Fatalf("seed %d: %v", seed, w.panics)
		}
	}
	t.Log(decidedBy)
	for _, k := range []string{"with policy", "without policy", "with none", "without none", "without 503"} {
		if decidedBy[k] < worlds/10 {
			t.Errorf("%s: only %d in %d worlds", k, decidedBy[k], worlds)
		}
	}
}

func kindOf(v string) string {
	switch {
	case v == "none", v == "400":
		return v
	case v[:3] == "503":
		return "503"
	}
	return "policy"
}
