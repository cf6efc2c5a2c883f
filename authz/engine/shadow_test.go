package engine

import (
	"context"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/jwks"
	"github.com/agentauth-dev/agentauth/authz/password"
	"github.com/agentauth-dev/agentauth/authz/policy"
)

// trying gives some policies mode Shadow, and others their mode back.
func (d dice) trying(in Input, percent int) Input {
	in.Policies = slices.Clone(in.Policies)
	for i, p := range in.Policies {
		if d.often(percent) {
			p = p.DeepCopy()
			p.Generation++
			p.Spec.Mode = pick(d, v1alpha1.ModeShadow, v1alpha1.ModeShadow, v1alpha1.ModeEnforce, "")
			in.Policies[i] = p
		}
	}
	return in
}

func enforced(in Input) Input {
	in.Policies = slices.DeleteFunc(slices.Clone(in.Policies), func(p *v1alpha1.AgentAuthPolicy) bool { return p.Spec.Mode == v1alpha1.ModeShadow })
	return in
}

// withRoutes is a world with policies for routes of their own, and for those of
// Gateway API.
func (d dice) withRoutes() Input {
	in := d.world()
	for range d.IntN(6) {
		in.Policies = d.swappedPolicy(in.Policies)
	}
	if d.often(40) { // no routes of Gateway API
		in.HTTPRoutes, in.GRPCRoutes, in.Gateways, in.ListenerSets = nil, nil, nil, nil
	}
	return in
}

// without is a decision as it is without the record of a shadowed policy. The names
// that it removes are apart.
func without(d authz.Decision) (authz.Decision, []string) {
	removed := d.Remove
	d.Shadow, d.Remove = nil, nil
	if delete(d.Metadata, policy.ShadowMetadata); len(d.Metadata) == 0 {
		d.Metadata = nil
	}
	return d, removed
}

// Wherever a policy decides or a request is refused for another reason than that no
// policy claims it, shadowed policies change nothing: neither the decision nor what
// the enforced policies are told.
func TestShadowedPoliciesChangeNothingThatIsDecidedWithoutThem(t *testing.T) {
	worlds := 1500
	if testing.Short() {
		worlds = 300
	}
	seen := map[string]int{}
	for seed := range uint64(worlds) {
		d := dice{rand.New(rand.NewPCG(seed, 23))}
		options := Options{OneTenant: d.often(40), AllowUnmatched: d.often(30)}
		if d.often(30) {
			options.HostnameGrants = HostnameGrants{{Namespace: "shop", Hostname: "*.example.com"}, {Namespace: "other", Hostname: "a.example.com"}}
		}
		in := d.trying(d.withRoutes(), 50)
		all, w := newWorld(options)
		s, reports := all.Compile(in)
		all.Swap(s)
		plain, _ := newWorld(options)
		s, want := plain.Compile(enforced(in))
		plain.Swap(s)
		reports = slices.DeleteFunc(reports, func(r Report) bool { return r.Shadow })
		if !reflect.DeepEqual(reports, want) {
			t.Fatalf("seed %d: shadowed policies change reports:\n%+v\n%+v", seed, reports, want)
		}
		for range 12 {
			raw := d.request()
			if d.often(20) {
				raw.Route = &authz.RouteRef{Kind: "HTTPRoute", Namespace: pick(d, "shop", "other"), Name: pick(d, "h0", "h1", "h2")}
			}
			if d.often(10) {
				raw.ContextExtensions = map[string]string{"agentauth.dev/policy": pick(d, "shop/p0", "shop/p1", "other/p2", "shop/none")}
			}
			base, removed := without(plain.Decide(t.Context(), raw))
			tried := all.Decide(t.Context(), raw)
			shadow := tried.Shadow
			if shadow != nil && (shadow.Shadow != nil || tried.Metadata[policy.ShadowMetadata] == nil) {
				t.Fatalf("seed %d: %s%s: not told: %+v", seed, raw.Host, raw.Path, tried)
			}
			got, gone := without(tried)
			for _, name := range removed {
				if !slices.Contains(gone, name) {
					t.Fatalf("seed %d: %s%s: %s is not removed beside shadowed policies: %q", seed, raw.Host, raw.Path, name, gone)
				}
			}
			unclaimed := base.Reason == authz.NoPolicy || base.Reason == authz.Unmatched
			switch {
			case got.Reason == authz.Shadowed && unclaimed && got.Outcome == authz.Allow && shadow != nil && got.Policy == shadow.Policy:
				seen["let through, "+shadow.Outcome.String()]++
			case !reflect.DeepEqual(got, base):
				t.Fatalf("seed %d: %s%s route %v: with shadowed policies\n%+v\nwithout\n%+v", seed, raw.Host, raw.Path, raw.Route, got, base)
			case unclaimed:
				seen["unclaimed"]++
			case shadow != nil:
				seen["beside"]++
			default:
				seen["no shadow"]++
			}
		}
		if len(w.panics) > 0 {
			t.Fatalf("seed %d: %v", seed, w.panics)
		}
	}
	t.Log(seen)
	for _, k := range []string{"let through, allow", "let through, error", "unclaimed", "beside", "no shadow"} {
		if seen[k] < worlds/20 {
			t.Errorf("%s: only %d in %d worlds", k, seen[k], worlds)
		}
	}
}

// An engine that saw policies become shadowed and enforced again, come and go, reports
// and decides as one that sees the world for the first time.
func TestManyTrialsComeToTheSameAsAllAtOnce(t *testing.T) {
	worlds := 150
	if testing.Short() {
		worlds = 40
	}
	for seed := range uint64(worlds) {
		d := dice{rand.New(rand.NewPCG(seed, 29))}
		options := Options{OneTenant: d.often(50), AllowUnmatched: d.often(30)}
		e, _ := newWorld(options)
		in := d.withRoutes()
		for step := range 8 {
			in = d.trying(d.changed(in), pick(d, 0, 20, 60))
			if d.often(15) {
				in = enforced(in)
			}
			s, reports := e.Compile(in)
			e.Swap(s)
			fresh, _ := newWorld(options)
			s, want := fresh.Compile(in)
			fresh.Swap(s)
			if !reflect.DeepEqual(reports, want) {
				for i := range want {
					if !reflect.DeepEqual(reports[i], want[i]) {
						t.Fatalf("seed %d, step %d: reported\n%+v\nexpected\n%+v", seed, step, reports[i], want[i])
					}
				}
				t.Fatalf("seed %d, step %d: reported\n%+v\nexpected\n%+v", seed, step, reports, want)
			}
			for range 10 {
				raw := d.request()
				if got, want := e.Decide(t.Context(), raw), fresh.Decide(t.Context(), raw); !reflect.DeepEqual(got, want) {
					t.Fatalf("seed %d, step %d: %s%s: got\n%+v %+v\nexpected\n%+v %+v", seed, step, raw.Host, raw.Path, got, got.Shadow, want, want.Shadow)
				}
			}
		}
	}
}

// shadowed gives a policy mode Shadow.
func shadowed(p *v1alpha1.AgentAuthPolicy) *v1alpha1.AgentAuthPolicy {
	p.Spec.Mode = v1alpha1.ModeShadow
	return p
}

func TestConditionsOfAShadowedPolicyAreThoseThatItWouldHaveAndNobodyElsesChange(t *testing.T) {
	e, _ := newWorld(Options{OneTenant: true})
	old := onHost("old", "a.example.com", anonymous())
	_, alone := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{old}})
	s, reports := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{old,
		shadowed(onHost("beside", "a.example.com", anonymous())), shadowed(onHost("again", "a.example.com", anonymous())), shadowed(onHost("open", "b.example.com", anonymous()))}})
	e.Swap(s)
	if got := named(reports, "old"); !reflect.DeepEqual(got, alone[0]) {
		t.Errorf("got %+v, expected %+v", got, alone[0])
	}
	for name, want := range map[string][4]string{ // Ready, Accepted, ResolvedRefs, Programmed
		"again":  {"recorded only (mode Shadow)", "valid, and what it would decide of its routes is recorded", "every reference resolves", "compiled, and recorded only: mode Shadow"},
		"beside": {"an older policy, shop/again, has an equal match", "an older policy, shop/again, has an equal match", "every reference resolves", "see Accepted"},
		"open":   {"recorded only (mode Shadow), with a warning: spec.routes: ShadowedAlone", "ShadowedAlone", "every reference resolves", "compiled, and recorded only: mode Shadow"},
	} {
		r := named(reports, name)
		for i, c := range r.Conditions {
			if !strings.Contains(c.Message, want[i]) || c.Status == "True" != (name != "beside" || c.Type == v1alpha1.ConditionResolvedRefs) {
				t.Errorf("%s: %s is %s: %s", name, c.Type, c.Status, c.Message)
			}
		}
		if !r.Shadow {
			t.Errorf("%s: expected a report on a shadowed policy", name)
		}
	}
}

// A warning that an enforced policy ended comes back when that policy goes.
func TestAShadowedPolicyIsWarnedOfOnceItIsAlone(t *testing.T) {
	e, _ := newWorld(Options{OneTenant: true})
	trial, other := shadowed(onHost("trial", "a.example.com", anonymous())), onHost("other", "a.example.com", anonymous())
	for step, c := range []struct {
		policies []*v1alpha1.AgentAuthPolicy
		alone    bool
	}{{[]*v1alpha1.AgentAuthPolicy{trial}, true}, {[]*v1alpha1.AgentAuthPolicy{trial, other}, false}, {[]*v1alpha1.AgentAuthPolicy{trial}, true},
		{[]*v1alpha1.AgentAuthPolicy{trial, under(onHost("other", "a.example.com", anonymous()), "/v1")}, true}} {
		s, reports := e.Compile(Input{Policies: c.policies})
		e.Swap(s)
		alone := slices.ContainsFunc(named(reports, "trial").Problems, func(p authz.Problem) bool { return p.Lint == authz.ShadowedAlone })
		if alone != c.alone {
			t.Errorf("step %d: expected %v, got %+v", step, c.alone, named(reports, "trial").Problems)
		}
	}
}

// A tenant opens and records nothing on the hosts of another by a shadowed policy.
func TestAShadowedPolicyHasNoHostOfAnotherTenant(t *testing.T) {
	trial := func(host string) *v1alpha1.AgentAuthPolicy {
		return shadowed(of("trying", onHost("trial", host, anonymous())))
	}
	mine := func(host string) *v1alpha1.AgentAuthPolicy { return of("shop", onHost("mine", host, anonymous())) }
	grants := Options{HostnameGrants: HostnameGrants{{Namespace: "shop", Hostname: "a.example.com"}}}
	for name, c := range map[string]struct {
		options  Options
		policies []*v1alpha1.AgentAuthPolicy
		decide   func(*testing.T, *Engine, string)
	}{
		"a host that another has":                        {Options{}, []*v1alpha1.AgentAuthPolicy{mine("a.example.com"), trial("a.example.com")}, func(t *testing.T, e *Engine, host string) { decides(t, e, host, "shop") }},
		"a wildcard over a host that another has":        {Options{}, []*v1alpha1.AgentAuthPolicy{mine("a.example.com"), trial("*.example.com")}, func(t *testing.T, e *Engine, host string) { decides(t, e, host, "shop") }},
		"a host within a wildcard of another":            {Options{}, []*v1alpha1.AgentAuthPolicy{mine("*.example.com"), trial("a.example.com")}, func(t *testing.T, e *Engine, host string) { decides(t, e, host, "shop") }},
		"a host that another shadowed policy has":        {Options{}, []*v1alpha1.AgentAuthPolicy{shadowed(mine("a.example.com")), trial("a.example.com")}, nobodys},
		"a host that was granted to another":             {grants, []*v1alpha1.AgentAuthPolicy{trial("a.example.com")}, nobodys},
		"a host that was granted to nobody":              {grants, []*v1alpha1.AgentAuthPolicy{trial("b.example.com"), trial("a.example.com")}[:1], nobodys},
		"every host without a grant":                     {Options{}, []*v1alpha1.AgentAuthPolicy{trial("*")}, nobodys},
		"a host that two others dispute":                 {Options{}, []*v1alpha1.AgentAuthPolicy{mine("a.example.com"), of("bank", onHost("theirs", "a.example.com", anonymous())), trial("a.example.com")}, disputes},
		"a policy that grants let decide beside a trial": {grants, []*v1alpha1.AgentAuthPolicy{mine("a.example.com"), trial("a.example.com")}, func(t *testing.T, e *Engine, host string) { decides(t, e, host, "shop") }},
	} {
		t.Run(name, func(t *testing.T) {
			e, _ := tenants(t, c.options, c.policies...)
			c.decide(t, e, "a.example.com")
			if d := e.Decide(t.Context(), get("a.example.com", "/")); d.Shadow != nil {
				t.Errorf("recorded: %+v", d.Shadow)
			}
		})
	}
	e, _ := tenants(t, Options{HostnameGrants: HostnameGrants{{Namespace: "trying", Hostname: "a.example.com"}}}, trial("a.example.com"))
	if d := e.Decide(t.Context(), get("a.example.com", "/")); d.Reason != authz.Shadowed || d.Shadow == nil {
		t.Errorf("a host that was granted: got %+v", d)
	}
}

// A tenant that has not the host takes no header from requests that nobody decides there.
func TestAShadowedPolicyRemovesNothingOnAHostThatIsAnotherTenants(t *testing.T) {
	for _, host := range []string{"a.example.com", "*.example.com", "b.example.com"} {
		e, _ := tenants(t, Options{AllowUnmatched: true}, under(of("shop", onHost("mine", "a.example.com", anonymous())), "/v1"),
			shadowed(setting(under(of("trying", onHost("trial", host, anonymous())), "/v1"), "x-user", "'trying'")))
		d := e.Decide(t.Context(), get("a.example.com", "/other", header("x-user", "bob")))
		if d.Reason != authz.Unmatched || slices.Contains(d.Remove, "x-user") {
			t.Errorf("%s: got %s %s, removed %q", host, d.Outcome, d.Reason, d.Remove)
		}
		d = e.Decide(t.Context(), get("b.example.com", "/other", header("x-user", "bob")))
		if d.Reason != authz.Unmatched || slices.Contains(d.Remove, "x-user") != (host == "b.example.com") {
			t.Errorf("%s: got %s %s on its own host, removed %q", host, d.Outcome, d.Reason, d.Remove)
		}
	}
}

// The set of a key that is waited for is asked by a trial that has less time than the
// decision, and its panic is its own.
func TestATrialThatPanicsOrWaitsChangesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		lookup func(ctx context.Context) error
		panics int
		reason authz.Reason // of the trial; "" where there is none
	}{
		"panics": {func(context.Context) error { panic("a defect") }, 1, ""},
		"waits":  {func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, 0, authz.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			e, w := newWorld(Options{OneTenant: true})
			w.lookup = func(ctx context.Context, _, _ string) ([]jwks.Key, error) { return nil, c.lookup(ctx) }
			load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{
				setting(onHost("old", "a.example.com", keys("shop")), "x-who", "'old'"),
				shadowed(onHost("beside", "a.example.com", partners(idp))), shadowed(onHost("alone", "b.example.com", partners(idp)))},
				Secrets: []*Object{robot("robot", "shop", robotKey)}})
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			bearer := header("authorization", "Bearer "+tokenOf(t, idp))
			d := e.Decide(ctx, get("a.example.com", "/", header("x-api-key", robotKey), bearer))
			decided(t, d, authz.Allow, 0, authz.Allowed)
			if ctx.Err() != nil || len(d.Set) != 1 || (d.Shadow == nil) != (c.reason == "") || d.Shadow != nil && d.Shadow.Reason != c.reason {
				t.Errorf("got %+v %+v, context: %v", d, d.Shadow, ctx.Err())
			}
			d = e.Decide(t.Context(), get("b.example.com", "/", bearer))
			if want := map[bool]authz.Outcome{true: authz.Deny, false: authz.Allow}[c.panics > 0]; d.Outcome != want { // nobody is let through by a panic
				t.Errorf("alone: expected %s, got %+v", want, d)
			}
			if len(w.panics) != 2*c.panics {
				t.Errorf("panics: %v", w.panics)
			}
		})
	}
}

// A shadowed policy takes neither turns nor places from those that are enforced.
func TestPasswordsOfShadowedPoliciesTakeNoTurnsOfOthers(t *testing.T) {
	e := New(Deps{Passwords: password.New(nil, password.Options{})}, Options{OneTenant: true}) // which has no turns at all
	users := object("users", v1alpha1.UseBasic, map[string]string{"auth": "alice:$2a$04$3L0C6hiLcCRUnNTukQz26OfBq3tt5n7P/uPHsHfdLELfwRcSw.4q2\n"})
	load(t, e, Input{Secrets: []*Object{users}, Policies: []*v1alpha1.AgentAuthPolicy{onHost("old", "a.example.com", staff("users")), shadowed(onHost("new", "a.example.com", staff("users")))}})
	d := e.Decide(t.Context(), get("a.example.com", "/", header("authorization", "Basic YWxpY2U6bm90LWhlcnM=")))
	decided(t, d, authz.Error, 503, authz.Overloaded)
	if d.Shadow == nil || d.Shadow.Reason != authz.PasswordMismatch {
		t.Errorf("expected a trial with turns of its own, got %+v", d.Shadow)
	}
}

// Whoever may read metadata of a resource reads that of an enforced policy, or what the
// upstream says.
func TestTheMetadataOfAShadowedPolicyIsNotServed(t *testing.T) {
	server := func(name, host string) *v1alpha1.AgentAuthPolicy {
		p := onHost(name, host, partners(idp))
		p.Spec.Authentication.Methods[0].JWT.Audiences = nil
		p.Spec.MCP = &v1alpha1.MCP{Resource: "https://" + host + "/mcp", AuthorizationServers: []string{idp}}
		return p
	}
	e, _ := newWorld(Options{OneTenant: true})
	s, reports := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{shadowed(server("alone", "a.example.com")), server("old", "b.example.com"), shadowed(server("new", "b.example.com"))}})
	e.Swap(s)
	d := e.Decide(t.Context(), get("a.example.com", policy.WellKnown+"/mcp"))
	if d.Outcome != authz.Allow || d.Reason != authz.Shadowed || d.Shadow == nil || d.Shadow.Outcome != authz.Respond {
		t.Errorf("got %+v %+v, reports %+v", d, d.Shadow, reports)
	}
	d = e.Decide(t.Context(), get("b.example.com", policy.WellKnown+"/mcp"))
	if d.Outcome != authz.Respond || d.Policy != "shop/old" || d.Shadow == nil || d.Shadow.Policy != "shop/new" {
		t.Errorf("got %+v %+v", d, d.Shadow)
	}
}

func TestStepsOfAShadowedPolicyComeLastAndApart(t *testing.T) {
	e, _ := newWorld(Options{OneTenant: true})
	load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{onHost("old", "a.example.com", anonymous()), shadowed(onHost("new", "a.example.com", partners(idp)))}})
	_, steps := e.Explain(t.Context(), get("a.example.com", "/"))
	at := slices.IndexFunc(steps, func(s authz.Step) bool { return s.Stage == authz.StageShadow })
	if at < 0 {
		t.Fatalf("got %+v", steps)
	}
	for i, s := range steps {
		if s.Name == "shop/old" && i > at || s.Name == "shop/new" && i < at || s.Name == "partners" && i < at || s.Name == "public" && i > at {
			t.Errorf("step %d is %+v, and those of the shadowed policy begin at %d", i, s, at)
		}
	}
	if s := steps[at]; s.Name != "shop/new" || !strings.Contains(s.Detail, "deny (NoCredential)") {
		t.Errorf("got %+v", s)
	}
}

func TestWithoutShadowedPoliciesNothingIsMadeTwice(t *testing.T) {
	e, _ := newWorld(Options{OneTenant: true})
	s := load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{onHost("old", "a.example.com", anonymous())}})
	if s.find.Shadows() {
		t.Error("expected one snapshot")
	}
	raw := get("a.example.com", "/")
	before := testing.AllocsPerRun(200, func() { e.Decide(t.Context(), raw) })
	load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{onHost("old", "a.example.com", anonymous()), shadowed(onHost("new", "b.example.com", anonymous()))}})
	load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{onHost("old", "a.example.com", anonymous())}})
	if after := testing.AllocsPerRun(200, func() { e.Decide(t.Context(), raw) }); after != before {
		t.Errorf("expected %v allocations once there is no shadowed policy any more, got %v", before, after)
	}
}
