package engine

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/match"
	"github.com/agentauth-dev/agentauth/authz/report"
)

// changed is a world after one event: an object more, one less, or another one
// of its name.
func (d dice) changed(in Input) Input {
	other := d.world()
	in.Policies, in.HTTPRoutes, in.GRPCRoutes, in.Gateways, in.ListenerSets = slices.Clone(in.Policies), slices.Clone(in.HTTPRoutes),
		slices.Clone(in.GRPCRoutes), slices.Clone(in.Gateways), slices.Clone(in.ListenerSets)
	switch d.IntN(12) {
	case 0:
		in.HTTPRoutes = swapped(d, in.HTTPRoutes, other.HTTPRoutes)
	case 1:
		in.GRPCRoutes = swapped(d, in.GRPCRoutes, other.GRPCRoutes)
	case 2:
		in.Gateways = swapped(d, in.Gateways, other.Gateways)
	case 3:
		in.ListenerSets = swapped(d, in.ListenerSets, other.ListenerSets)
	case 4:
		in.Namespaces = other.Namespaces
	default:
		for range 1 + d.IntN(3) {
			in.Policies = d.swappedPolicy(in.Policies)
		}
	}
	return d.shuffled(in)
}

// swapped lets one of a list go, or come.
func swapped[T metav1.Object](d dice, list, from []T) []T {
	if len(list) > 0 && d.often(60) {
		i := d.IntN(len(list))
		list = slices.Delete(list, i, i+1)
	}
	if len(from) > 0 && d.often(60) && len(list) < 4 {
		last := from[len(from)-1]
		list = append(slices.DeleteFunc(list, func(o T) bool { return o.GetNamespace() == last.GetNamespace() && o.GetName() == last.GetName() }), last)
	}
	return list
}

func (d dice) swappedPolicy(list []*v1alpha1.AgentAuthPolicy) []*v1alpha1.AgentAuthPolicy {
	p := d.routesPolicy(fmt.Sprint("p", d.IntN(12)))
	if d.often(30) {
		p = d.policy(p.Namespace, p.Name)
	}
	if i := slices.IndexFunc(list, func(o *v1alpha1.AgentAuthPolicy) bool { return o.Namespace == p.Namespace && o.Name == p.Name }); i >= 0 {
		p.Generation = list[i].Generation + 1
		list = slices.Delete(list, i, i+1)
		if d.often(30) {
			return list
		}
	}
	return append(list, p)
}

// routesPolicy has routes of few hostnames and matches, so that many are equal.
func (d dice) routesPolicy(name string) *v1alpha1.AgentAuthPolicy {
	p := d.policy(pick(d, "shop", "shop", "other", "bank"), name)
	p.Spec.TargetRefs, p.Spec.Precedence, p.Spec.Routes = nil, "", nil
	for range 1 + d.IntN(2) {
		r := v1alpha1.Route{}
		for range 1 + d.IntN(2) {
			if h := v1alpha1.Hostname(pick(d, "a.example.com", "b.example.com", "*.example.com", "c.bank.test", "*.bank.test", "*")); !slices.Contains(r.Hostnames, h) {
				r.Hostnames = append(r.Hostnames, h)
			}
		}
		for range d.IntN(3) {
			r.Matches = append(r.Matches, d.match())
		}
		p.Spec.Routes = append(p.Spec.Routes, r)
	}
	if d.often(40) {
		setting(p, pick(d, "x-agent-id", "x-agent-name"), "'a'")
	}
	return p
}

// What is in force follows from the objects alone: an engine that took many
// changes, one by one, reports and decides as one that sees the world for the
// first time. A snapshot that was in force before stays as it was.
func TestManyChangesComeToTheSameAsAllAtOnce(t *testing.T) {
	worlds := 150
	if testing.Short() {
		worlds = 40
	}
	for seed := range uint64(worlds) {
		d := dice{rand.New(rand.NewPCG(seed, 11))}
		options := Options{OneTenant: d.often(30), AllowUnmatched: d.often(30)}
		if d.often(40) {
			options.HostnameGrants = HostnameGrants{{Namespace: "shop", Hostname: "*.example.com"}, {Namespace: "bank", Hostname: "*.bank.test"}, {Namespace: "other", Hostname: "a.example.com"}}
		}
		e, _ := newWorld(options)
		in := d.world()
		if d.often(30) {
			in.Objects.HTTPRoutes, in.Objects.GRPCRoutes = nil, nil
		}
		for step := range 12 {
			before, prev := e.current.Load(), []string(nil)
			asks := make([]authz.Raw, 20)
			for i := range asks {
				asks[i] = d.request()
				asks[i].Host = pick(d, asks[i].Host, "c.bank.test", "d.bank.test", "a.example.com")
				if d.often(20) {
					asks[i] = d.metadataRequest()
				}
				asks[i].Headers = append(asks[i].Headers, header("x-agent-id", "me"), header("x-agent-name", "me"))
			}
			if before != nil {
				prev = answers(t, e, asks)
			}
			s, reports := e.Compile(in)
			if before != nil && !slices.Equal(prev, answers(t, e, asks)) {
				t.Fatalf("seed %d, step %d: the snapshot in force was changed", seed, step)
			}
			e.Swap(s)
			whole, _ := newWorld(options)
			all, wholeReports := whole.Compile(in)
			whole.Swap(all)
			if !reflect.DeepEqual(reports, wholeReports) {
				t.Fatalf("seed %d, step %d: reports: %s", seed, step, firstDifference(reports, wholeReports))
			}
			if got, want := answers(t, e, asks), answers(t, whole, asks); !slices.Equal(got, want) {
				t.Fatalf("seed %d, step %d: decisions: %s", seed, step, firstDifference(got, want))
			}
			permitted, reserved := s.find.Reserved()
			wholePermitted, wholeReserved := all.find.Reserved()
			if len(reserved)+len(wholeReserved) > 0 && (!reflect.DeepEqual(permitted, wholePermitted) || !reflect.DeepEqual(reserved, wholeReserved)) || s.find.Namespaces() != all.find.Namespaces() {
				t.Fatalf("seed %d, step %d: reserved headers:\n%v\n%v", seed, step, reserved, wholeReserved)
			}
			in = d.changed(in)
			if d.often(50) {
				in = d.protected(in)
			}
		}
	}
}

// answers are the decisions of an engine.
func answers(t *testing.T, e *Engine, asks []authz.Raw) (out []string) {
	for _, raw := range asks {
		decision := e.Decide(t.Context(), raw)
		slices.Sort(decision.Remove)
		version := authz.PolicyVersion{}
		if decision.Version != nil {
			version = *decision.Version
		}
		decision.Identity, decision.Version = nil, nil
		out = append(out, fmt.Sprintf("%+v of %+v", decision, version))
		raw.Route = &authz.RouteRef{Kind: "HTTPRoute", Namespace: "shop", Name: "h1"}
		decision = e.Decide(t.Context(), raw)
		out = append(out, fmt.Sprint(decision.Policy, decision.Reason, decision.Detail))
	}
	return out
}

func firstDifference[T any](got, want []T) string {
	for i := range min(len(got), len(want)) {
		if !reflect.DeepEqual(got[i], want[i]) {
			return fmt.Sprintf("got %+v\nwant %+v", got[i], want[i])
		}
	}
	return fmt.Sprintf("got %d, want %d", len(got), len(want))
}

func TestReportsOfOneInputAreTheSameEveryTime(t *testing.T) {
	for seed := range uint64(10) {
		d := dice{rand.New(rand.NewPCG(seed, 13))}
		in := d.world()
		for range 10 {
			in.Policies = d.swappedPolicy(in.Policies)
		}
		in.Policies = append(in.Policies, onHost("keys", "keys.example.com", keys("a")))
		in.Secrets = append(in.Secrets, robot("one", "a", robotKey, robotKey+"1", robotKey+"2", robotKey), robot("two", "a", robotKey, robotKey+"1", robotKey+"2", "short", ""))
		var first []Report
		for i := range 20 {
			e, _ := newWorld(Options{})
			_, reports := e.Compile(in)
			if first == nil {
				first = reports
			}
			if !reflect.DeepEqual(first, reports) {
				t.Fatalf("seed %d, compile %d: %s", seed, i, firstDifference(reports, first))
			}
		}
	}
}

// programmedPolicies are the policies that are Programmed.
func programmedPolicies(reports []Report) map[string]bool {
	out := map[string]bool{}
	for _, r := range reports {
		for _, c := range r.Conditions {
			if c.Type == v1alpha1.ConditionProgrammed && c.Status == metav1.ConditionTrue {
				out[r.Policy.String()] = true
			}
		}
	}
	return out
}

// every is each request that a match of the dice may have, and more.
func every(d dice) (out []authz.Raw) {
	for _, host := range []string{"a.example.com", "b.example.com", "x.example.com", "x.com", "c.bank.test", "x.bank.test", "other.test"} {
		for _, path := range []string{"/", "/a", "/a/b", "/a/xyz", "/ab", "/b", "/x/y", "/a/x/y", "/a/b/z", "/x/b"} {
			for _, method := range []string{"GET", "POST", "PURGE"} {
				for extra := range 8 {
					raw := get(host, path+pick(d, "", "?q=1"))
					if raw.Method = method; extra&1 > 0 {
						raw.Headers = append(raw.Headers, header("x-0", "1"))
					}
					if extra&2 > 0 {
						raw.Headers = append(raw.Headers, header("x-1", "1"))
					}
					if extra&4 > 0 {
						raw.Headers = append(raw.Headers, header("content-type", "application/grpc"))
					}
					out = append(out, raw)
				}
			}
		}
	}
	return out
}

// What Programmed says is asked here of Decide: of some request that a proxy
// would send, with its word or without.
func TestEveryPolicyThatIsProgrammedDecidesSomeRequest(t *testing.T) {
	worlds := 60
	if testing.Short() {
		worlds = 20
	}
	said, checked := 0, 0
	for seed := range uint64(worlds) {
		d := dice{rand.New(rand.NewPCG(seed, 17))}
		options := Options{OneTenant: d.often(50), AllowUnmatched: d.often(30)}
		in := d.world()
		for range 8 {
			in.Policies = d.swappedPolicy(in.Policies)
		}
		e, _ := newWorld(options)
		s, reports := e.Compile(in)
		e.Swap(s)
		decide := map[string]bool{}
		for _, raw := range every(d) {
			decide[e.Decide(t.Context(), raw).Policy] = true
			for _, at := range proxies(entries(in), raw) {
				raw.Route = &authz.RouteRef{Kind: at.route.kind, Namespace: at.route.namespace, Name: at.route.name, SectionName: at.rule}
				decide[e.Decide(t.Context(), raw).Policy] = true
			}
		}
		for _, r := range routesOf(in) { // a proxy may serve a route that no listener admits
			if attachedAnywhere(in, r) {
				continue
			}
			for _, raw := range every(d) {
				if len(r.hostnames) > 0 && !slices.ContainsFunc(r.hostnames, func(h string) bool { return match.Within(raw.Host, h) }) {
					continue
				}
				for _, rule := range r.rules {
					raw.Route = &authz.RouteRef{Kind: r.kind, Namespace: r.namespace, Name: r.name, SectionName: rule.name}
					decide[e.Decide(t.Context(), raw).Policy] = true
				}
			}
		}
		programmed := programmedPolicies(reports)
		for name := range programmed {
			if checked++; !decide[name] {
				t.Errorf("seed %d: %s is Programmed, and decided no request", seed, name)
			}
		}
		for _, r := range reports {
			name := r.Policy.String()
			if decide[name] && !programmed[name] && report.Accepted(r.Conditions[1].Reason) {
				t.Errorf("seed %d: %s decides, and is not Programmed: %+v", seed, name, r.Conditions)
			}
			if decide[name] && strings.Contains(fmt.Sprint(r.Problems), "expected some request that this policy decides") {
				t.Errorf("seed %d: %s decides, and is told that it does not", seed, name)
			}
			if !programmed[name] {
				said++
			}
		}
	}
	if checked < worlds || said < worlds/2 {
		t.Errorf("expected worlds with both, got %d and %d", checked, said)
	}
}

func attachedAnywhere(in Input, r *aRoute) bool {
	for _, g := range in.Gateways {
		for _, l := range listenersOf(in, g) {
			if r.names(l) && admitted(in, l, r) && (len(r.hostnames) == 0 || slices.ContainsFunc(r.hostnames, func(h string) bool { return match.Overlap(h, l.hostname) })) {
				return true
			}
		}
	}
	return false
}
