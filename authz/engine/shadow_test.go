package engine

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
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
