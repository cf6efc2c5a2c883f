package engine

import (
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
)

// measured is a policy with three rules and three headers by CEL.
func measured(methods ...v1alpha1.Method) *v1alpha1.AgentAuthPolicy {
	p := onHost("p", "api.example.com", methods...)
	p.Spec.Authorization = &v1alpha1.Authorization{Rules: []v1alpha1.Rule{
		{Name: "writes", When: `request.method != "GET"`, Require: `"write" in identity.scopes`},
		{Name: "path", Require: `pathPrefix(request.path, "/v1") && identity.subject != ""`},
		{Name: "admin", When: `pathPrefix(request.path, "/v1/admin")`, Require: `identity.claims.?role.orValue("") == "admin"`},
	}}
	p.Spec.Response = &v1alpha1.Response{Upstream: &v1alpha1.Upstream{Headers: []v1alpha1.UpstreamHeader{
		{Name: "x-agent-id", Value: "identity.subject"}, {Name: "x-agent-method", Value: "identity.method"},
		{Name: "x-agent-scopes", Value: `identity.scopes.join(" ")`},
	}}}
	return p
}

func benchmarkDecide(b *testing.B, in Input, ask authz.Raw) {
	e, _ := newWorld(Options{})
	load(b, e, in)
	ask.Headers = append(ask.Headers, header("accept", "application/json"), header("user-agent", "agent/1.0"),
		header("x-request-id", "5b0a1e7c"), header("x-forwarded-for", "192.0.2.1"))
	if d := e.Decide(b.Context(), ask); d.Outcome != authz.Allow {
		b.Fatalf("got %+v", d)
	}
	b.ReportAllocs()
	for b.Loop() {
		e.Decide(b.Context(), ask)
	}
}

// The whole decision: a JWT (ES256) whose key is held, three rules and three
// headers by CEL.
func BenchmarkDecideJWTHotCEL3Headers(b *testing.B) {
	benchmarkDecide(b, Input{Policies: []*v1alpha1.AgentAuthPolicy{measured(partners(idp))}},
		get("api.example.com", "/v1/orders?page=2", header("authorization", "Bearer "+tokenOf(b, idp))))
}

// A password that was verified before.
func BenchmarkDecideBasic(b *testing.B) {
	benchmarkDecide(b, Input{Policies: []*v1alpha1.AgentAuthPolicy{measured(staff("staff"))}, Secrets: []*Object{alice("staff")}},
		get("api.example.com", "/v1/orders?page=2", header("authorization", "Basic YWxpY2U6c2VzYW1l")))
}

func BenchmarkDecideAPIKey(b *testing.B) {
	benchmarkDecide(b, Input{Policies: []*v1alpha1.AgentAuthPolicy{measured(keys("a"))}, Secrets: []*Object{robot("robot", "a", robotKey)}},
		get("api.example.com", "/v1/orders?page=2", header("x-api-key", robotKey)))
}

// A decision by API key must not depend on how many keys there are.
func BenchmarkKeys(b *testing.B) {
	for _, n := range []int{10, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			const perSecret = 1000
			in := Input{Policies: []*v1alpha1.AgentAuthPolicy{onHost("p", "api.example.com", keys("a"))}}
			for first := 0; first < n; first += perSecret {
				var list []string
				for i := first; i < min(n, first+perSecret); i++ {
					list = append(list, keyNumber(i))
				}
				in.Secrets = append(in.Secrets, robot(fmt.Sprint("robot-", first), "a", list...))
			}
			e, _ := newWorld(Options{})
			load(b, e, in)
			asks := make([]authz.Raw, 1024) // not one key that stays in the processor's cache
			for i := range asks {
				asks[i] = get("api.example.com", "/", header("x-api-key", keyNumber(i*7919%n)))
				if d := e.Decide(b.Context(), asks[i]); d.Outcome != authz.Allow {
					b.Fatalf("got %+v", d)
				}
			}
			runtime.GC() // what loading left is not what is measured
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				e.Decide(b.Context(), asks[i%len(asks)])
				i++
			}
		})
	}
}

func keyNumber(i int) string { return fmt.Sprintf("the-key-of-robot-number-%d", i) }

// Finding one policy of many, each with a host of its own.
func BenchmarkIndex(b *testing.B) {
	for _, n := range []int{10, 1000, 50_000} { // a namespace has room for 65,536
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			e, _ := newWorld(Options{})
			load(b, e, many(n, false))
			asks := make([]authz.Raw, 1024)
			for i := range asks {
				asks[i] = get(fmt.Sprintf("host-%d.example.com", i*7919%n), "/v1/orders")
				if d := e.Decide(b.Context(), asks[i]); d.Outcome != authz.Allow {
					b.Fatalf("got %+v", d)
				}
			}
			runtime.GC() // what loading left is not what is measured
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				e.Decide(b.Context(), asks[i%len(asks)])
				i++
			}
		})
	}
}

// many are n policies for n hosts, public ones or with keys, a rule and
// headers.
func many(n int, full bool) Input {
	var in Input
	for i := range n {
		name, host := fmt.Sprint("p-", i), fmt.Sprintf("host-%d.example.com", i)
		if !full {
			in.Policies = append(in.Policies, under(onHost(name, host, anonymous()), "/v1"))
			continue
		}
		p := measured(keys(name), partners(fmt.Sprintf("https://idp-%d.example.com", i%100)))
		p.Name, p.Spec.Routes[0].Hostnames[0] = name, v1alpha1.Hostname(host)
		// Half of what is written in each policy is its own.
		p.Spec.Authorization.Rules[0].Require = v1alpha1.Expression(fmt.Sprintf(`"write-%d" in identity.scopes`, i))
		in.Policies = append(in.Policies, p)
		in.Secrets = append(in.Secrets, robot(name, name, keyNumber(i)))
	}
	return in
}

func BenchmarkCompile10000Cold(b *testing.B) {
	in := many(10_000, true)
	b.ReportAllocs()
	for b.Loop() {
		e, _ := newWorld(Options{})
		if s, _ := e.Compile(in); len(s.policies) != 10_000 {
			b.Fatal("not all policies were compiled")
		}
	}
}

// One policy of 10,000 changes; all objects come anew, as from a directory.
func BenchmarkCompile10000OneChange(b *testing.B) {
	e, _ := newWorld(Options{})
	load(b, e, many(10_000, true))
	in := copied(many(10_000, true))
	value := 0
	b.ReportAllocs()
	for b.Loop() {
		value++
		p := in.Policies[4711].DeepCopy()
		p.Spec.Response.Upstream.Headers[0].Value = v1alpha1.Expression(fmt.Sprint("'", value, "'"))
		in.Policies[4711] = p
		s, _ := e.Compile(in)
		e.Swap(s)
	}
}

// One policy of 10,000 on one host, each with a path of its own, changes its path.
func BenchmarkCompile10000OneHost(b *testing.B) {
	e, _ := newWorld(Options{})
	var in Input
	for i := range 10_000 {
		in.Policies = append(in.Policies, under(onHost(fmt.Sprint("p-", i), "api.example.com", anonymous()), fmt.Sprint("/team-", i)))
	}
	load(b, e, in)
	in.Policies = slices.Clone(in.Policies)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		p := under(onHost("p-4711", "api.example.com", anonymous()), fmt.Sprint("/other-", i))
		p.Generation, in.Policies[4711] = int64(i+2), p
		s, _ := e.Compile(in)
		e.Swap(s)
	}
}

// One key of 10,000 is deleted and comes back in a cluster, where all that did
// not change is the same object.
func BenchmarkCompile10000OneKey(b *testing.B) {
	e, _ := newWorld(Options{})
	in := many(10_000, true)
	load(b, e, in)
	without := in
	without.Secrets = slices.Delete(slices.Clone(in.Secrets), 4711, 4712)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s, _ := e.Compile([]Input{without, in}[i%2])
		e.Swap(s)
	}
}

// One grant of 10,000 comes and goes, each for one of 10,000 policies that
// borrow the Secret they need.
func BenchmarkCompile10000OneGrant(b *testing.B) {
	e, _ := newWorld(Options{})
	in := many(10_000, true)
	for i, p := range in.Policies {
		name := fmt.Sprint("of-", i)
		p.Spec.Authentication.Methods = append(p.Spec.Authentication.Methods, borrowing("", name).Spec.Authentication.Methods[0])
		in.Secrets = append(in.Secrets, abroad(alice(name)))
		in.ReferenceGrants = append(in.ReferenceGrants, granting(name))
	}
	load(b, e, in)
	without := in
	without.ReferenceGrants = slices.Delete(slices.Clone(in.ReferenceGrants), 4711, 4712)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s, _ := e.Compile([]Input{without, in}[i%2])
		e.Swap(s)
	}
}
