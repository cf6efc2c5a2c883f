package engine

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/find"
)

// of moves a policy to a namespace; who is the header that tells who decided.
func of(namespace string, p *v1alpha1.AgentAuthPolicy) *v1alpha1.AgentAuthPolicy {
	p.Namespace = namespace
	return setting(p, "x-who", `"`+namespace+`"`)
}

// tenants compiles policies for an engine with tenants.
func tenants(t *testing.T, options Options, policies ...*v1alpha1.AgentAuthPolicy) (*Engine, []Report) {
	t.Helper()
	e, _ := newWorld(options)
	s, reports := e.Compile(Input{Policies: policies})
	e.Swap(s)
	for _, r := range reports {
		for _, c := range r.Conditions {
			for _, p := range policies {
				if other := p.Namespace; other != r.Policy.Namespace && strings.Contains(c.Message, other) {
					t.Errorf("%s: %s names %s: %s", r.Policy, c.Type, other, c.Message)
				}
			}
		}
	}
	return e, reports
}

// decides wants that a host is decided by a policy of a namespace.
func decides(t *testing.T, e *Engine, host, namespace string) {
	t.Helper()
	d := e.Decide(t.Context(), get(host, "/"))
	if d.Outcome != authz.Allow || len(d.Set) != 1 || d.Set[0].Value != namespace {
		t.Errorf("%s: expected %s to decide, got %s %s %v", host, namespace, d.Outcome, d.Reason, d.Set)
	}
}

func disputes(t *testing.T, e *Engine, host string) {
	t.Helper()
	decided(t, e.Decide(t.Context(), get(host, "/")), authz.Error, 503, authz.HostDisputed)
}

// nobodys wants that no policy decides a host.
func nobodys(t *testing.T, e *Engine, host string) {
	t.Helper()
	decided(t, e.Decide(t.Context(), get(host, "/")), authz.Deny, 403, authz.NoPolicy)
}

func accepted(t *testing.T, reports []Report, name string, status metav1.ConditionStatus, reason string) {
	t.Helper()
	c := named(reports, name).Conditions[1]
	if c.Type != v1alpha1.ConditionAccepted || c.Status != status || c.Reason != reason {
		t.Errorf("%s: expected Accepted %s %s, got %s %s %s (%s)", name, status, reason, c.Type, c.Status, c.Reason, c.Message)
	}
}

func granted(pairs ...string) Options {
	var o Options
	for _, p := range pairs {
		ns, host, _ := strings.Cut(p, "=")
		o.HostnameGrants = append(o.HostnameGrants, HostnameGrant{Namespace: ns, Hostname: host})
	}
	return o
}

func TestAHostThatTwoNamespacesClaimIsInForceForNeither(t *testing.T) {
	for name, hosts := range map[string][2]string{
		"equal":                          {"api.example.com", "api.example.com"},
		"an exact host under a wildcard": {"api.example.com", "*.example.com"},
		"far under a wildcard":           {"a.b.c.example.com", "*.example.com"},
		"a wildcard under a wildcard":    {"*.api.example.com", "*.example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			old := of("mine", onHost("old", hosts[0], anonymous()))
			old.CreationTimestamp = metav1.NewTime(clock)
			young := of("yours", onHost("young", hosts[1], anonymous()))
			young.CreationTimestamp = metav1.NewTime(clock.Add(1))
			e, reports := tenants(t, Options{}, old, young, of("mine", onHost("alone", "alone.example.org", anonymous())))
			disputes(t, e, strings.Replace(hosts[0], "*", "any", 1))
			disputes(t, e, strings.Replace(hosts[1], "*", "any", 1))
			decides(t, e, "alone.example.org", "mine")
			accepted(t, reports, "old", metav1.ConditionFalse, v1alpha1.ReasonConflicted)
			accepted(t, reports, "young", metav1.ConditionFalse, v1alpha1.ReasonConflicted)
			accepted(t, reports, "alone", metav1.ConditionTrue, v1alpha1.ReasonAccepted)
		})
	}
}

func TestHostsThatDoNotOverlapAreInForceForEach(t *testing.T) {
	e, _ := tenants(t, Options{},
		of("mine", onHost("a", "*.example.com", anonymous())),
		of("mine", onHost("b", "api.example.com", anonymous())),
		of("yours", onHost("c", "example.com", anonymous())),
		of("theirs", onHost("d", "api.example.com.test", anonymous())))
	decides(t, e, "any.example.com", "mine")
	decides(t, e, "api.example.com", "mine")
	decides(t, e, "example.com", "yours")
	decides(t, e, "api.example.com.test", "theirs")
}

func TestAPolicyKeepsTheHostsNobodyElseClaims(t *testing.T) {
	both := of("mine", onHost("both", "api.example.com", anonymous()))
	both.Spec.Routes[0].Hostnames = append(both.Spec.Routes[0].Hostnames, "mine.example.com")
	e, reports := tenants(t, Options{}, both, of("yours", onHost("one", "api.example.com", anonymous())))
	disputes(t, e, "api.example.com")
	decides(t, e, "mine.example.com", "mine")
	accepted(t, reports, "both", metav1.ConditionTrue, v1alpha1.ReasonPartiallyConflicted)
}

func TestAnInvalidPolicyDisputesAHostToo(t *testing.T) {
	broken := of("yours", onHost("broken", "api.example.com", anonymous()))
	broken.Spec.Authentication.Methods = nil
	e, reports := tenants(t, Options{}, of("mine", onHost("good", "api.example.com", anonymous())), broken)
	disputes(t, e, "api.example.com")
	accepted(t, reports, "broken", metav1.ConditionFalse, v1alpha1.ReasonInvalid)
}

func TestADisputeEndsWithTheOtherClaim(t *testing.T) {
	mine, yours := of("mine", onHost("a", "api.example.com", anonymous())), of("yours", onHost("b", "api.example.com", anonymous()))
	e, _ := tenants(t, Options{}, mine, yours)
	disputes(t, e, "api.example.com")
	s, reports := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{mine}})
	e.Swap(s)
	decides(t, e, "api.example.com", "mine")
	accepted(t, reports, "a", metav1.ConditionTrue, v1alpha1.ReasonAccepted)
}

func TestTheBareWildcardNeedsAGrant(t *testing.T) {
	all := of("yours", onHost("all", "*", anonymous()))
	mine := of("mine", onHost("one", "api.example.com", anonymous()))
	e, reports := tenants(t, Options{}, all, mine)
	decides(t, e, "api.example.com", "mine")
	nobodys(t, e, "other.example.com")
	accepted(t, reports, "all", metav1.ConditionFalse, v1alpha1.ReasonNotPermitted)

	e, _ = tenants(t, granted("yours=*", "mine=api.example.com"), all, mine)
	decides(t, e, "api.example.com", "mine")
	decides(t, e, "other.example.com", "yours")
}

func TestGrantsSayWhoMayUseAHost(t *testing.T) {
	mine := of("mine", onHost("mine", "*.example.com", anonymous()))
	e, reports := tenants(t, granted("mine=*.example.com", "yours=*.yours.example.org"), mine,
		of("yours", onHost("good", "api.yours.example.org", anonymous())),
		of("yours", onHost("wide", "*.example.org", anonymous())),
		of("yours", onHost("thief", "api.example.com", anonymous())),
		of("theirs", onHost("stranger", "free.example.net", anonymous())))
	decides(t, e, "api.example.com", "mine")
	decides(t, e, "api.yours.example.org", "yours")
	nobodys(t, e, "other.example.org")
	nobodys(t, e, "free.example.net")
	nobodys(t, e, "nobody.example.net")
	accepted(t, reports, "mine", metav1.ConditionTrue, v1alpha1.ReasonAccepted)
	accepted(t, reports, "good", metav1.ConditionTrue, v1alpha1.ReasonAccepted)
	for _, name := range []string{"wide", "thief", "stranger"} {
		accepted(t, reports, name, metav1.ConditionFalse, v1alpha1.ReasonNotPermitted)
	}
}

func TestNamespacesThatAreGrantedOneHostShareIt(t *testing.T) {
	orders := of("mine", onHost("orders", "api.example.com", anonymous()))
	users := of("yours", under(onHost("users", "api.example.com", anonymous()), "/users"))
	again := of("yours", under(onHost("again", "api.example.com", anonymous()), "/"))
	again.CreationTimestamp = metav1.NewTime(clock)
	e, reports := tenants(t, granted("mine=api.example.com", "yours=api.example.com"), orders, users, again)
	decides(t, e, "api.example.com", "mine")
	if d := e.Decide(t.Context(), get("api.example.com", "/users")); len(d.Set) != 1 || d.Set[0].Value != "yours" {
		t.Errorf("/users: expected yours to decide, got %v", d.Set)
	}
	accepted(t, reports, "again", metav1.ConditionFalse, v1alpha1.ReasonConflicted)
}

func TestWhatIsDisputedIsNotLetThroughUnmatched(t *testing.T) {
	open := Options{AllowUnmatched: true}
	e, _ := tenants(t, open,
		of("mine", onHost("a", "api.example.com", anonymous())), of("yours", onHost("b", "*.example.com", anonymous())),
		of("yours", under(onHost("c", "*", anonymous()), "/guarded")))
	disputes(t, e, "api.example.com")
	decided(t, e.Decide(t.Context(), get("elsewhere.test", "/guarded")), authz.Allow, 0, authz.Unmatched) // "*" needs a grant
	decided(t, e.Decide(t.Context(), get("elsewhere.test", "/open")), authz.Allow, 0, authz.Unmatched)
}

func TestNamespacesOfOneTenantShareAllHosts(t *testing.T) {
	e, _ := newWorld(Options{OneTenant: true})
	s, _ := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{
		of("mine", onHost("a", "api.example.com", anonymous())), of("yours", onHost("b", "*", anonymous()))}})
	e.Swap(s)
	decides(t, e, "api.example.com", "mine")
	decides(t, e, "other.example.com", "yours")
}

func TestWhatIsStaleDecidesNothing(t *testing.T) {
	stale := false
	e, _ := newWorld(Options{})
	e.deps.Stale = func() bool { return stale }
	load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{of("mine", onHost("a", "api.example.com", anonymous()))}})
	decides(t, e, "api.example.com", "mine")
	stale = true
	decided(t, e.Decide(t.Context(), get("api.example.com", "/")), authz.Error, 503, authz.Unavailable)
}

func TestAPolicyIsNamedAmongTenantsOnlyWhereTheProxyIsTrusted(t *testing.T) {
	raw := get("elsewhere.test", "/")
	raw.ContextExtensions = map[string]string{find.ContextPolicy: "mine/a"}
	for trusted, reason := range map[bool]authz.Reason{true: authz.Allowed, false: authz.SelectorRefused} {
		e, _ := tenants(t, Options{ContextPolicy: trusted}, of("mine", onHost("a", "api.example.com", anonymous())))
		if d := e.Decide(t.Context(), raw); d.Reason != reason {
			t.Errorf("trusted %t: expected %s, got %s", trusted, reason, d.Reason)
		}
	}
}
