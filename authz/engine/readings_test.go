package engine

import (
	"slices"
	"strings"
	"testing"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/attach"
)

// byTenant are two policies of a host: the one for a tenant wants a key, the other
// nothing.
func byTenant(name string) []*v1alpha1.AgentAuthPolicy {
	victim := onHost("victim", "api.example.com", keys("a"))
	victim.Spec.Routes[0].Matches = []gatewayv1.HTTPRouteMatch{{Headers: []gatewayv1.HTTPHeaderMatch{{Name: gatewayv1.HTTPHeaderName(name), Value: "victim"}}}}
	return []*v1alpha1.AgentAuthPolicy{victim, onHost("rest", "api.example.com", anonymous())}
}

// fieldsOf makes headers of "name: value".
func fieldsOf(list ...string) []authz.Header {
	var out []authz.Header
	for _, h := range list {
		name, value, _ := strings.Cut(h, ": ")
		out = append(out, header(name, value))
	}
	return out
}

func TestAMatchByHeaderIsDecidedOnlyIfEveryReaderAgrees(t *testing.T) {
	const allowed, keyless, refused = 0, 401, 400
	for _, c := range []struct {
		name   string
		joined bool
		want   int
		fields []string
	}{
		{"the value", false, keyless, []string{"x-tenant: victim"}},
		{"the value, joined form", true, keyless, []string{"X-Tenant: victim"}},
		{"another value", true, allowed, []string{"x-tenant: foo"}},
		{"no value", true, allowed, nil},
		{"two values", false, refused, []string{"x-tenant: victim", "x-tenant: foo"}},
		{"two values, the other first", false, refused, []string{"x-tenant: foo", "X-TENANT: victim"}},
		{"the value twice", false, refused, []string{"x-tenant: victim", "x-tenant: victim"}},
		{"the value and none", false, refused, []string{"x-tenant: victim", "x-tenant: "}},
		{"two values joined", true, refused, []string{"x-tenant: victim,foo"}},
		{"the value twice, joined", true, refused, []string{"x-tenant: victim,victim"}},
		{"a comma in one field", false, allowed, []string{"x-tenant: victim,foo"}},
		{"an alias alone", false, refused, []string{"X_Tenant: victim"}},
		{"another alias alone", true, refused, []string{"x.tenant: victim"}},
		{"an alias beside another value", false, refused, []string{"x-tenant: foo", "x_tenant: victim"}},
		{"an alias beside the value", true, refused, []string{"x-tenant: victim", "x~tenant: foo"}},
		{"another header twice", false, allowed, []string{"x-other: a", "x-other: b", "x_other: c"}},
	} {
		for _, name := range []string{"x-tenant", "X-Tenant"} {
			t.Run(c.name+" for "+name, func(t *testing.T) {
				e, _ := newWorld(Options{OneTenant: true})
				load(t, e, Input{Policies: byTenant(name)})
				raw := get("api.example.com", "/", fieldsOf(c.fields...)...)
				raw.Joined = c.joined
				if d := e.Decide(t.Context(), raw); d.Status != c.want {
					t.Errorf("expected %d, got %d %s (%s)", c.want, d.Status, d.Reason, d.Detail)
				}
			})
		}
	}
}

func TestAMatchForAnAliasIsUndecidedByThePlainName(t *testing.T) {
	e, _ := newWorld(Options{OneTenant: true})
	load(t, e, Input{Policies: byTenant("x_tenant")})
	decided(t, e.Decide(t.Context(), get("api.example.com", "/", header("x-tenant", "victim"))), authz.Deny, 400, authz.BadRequest)
	decided(t, e.Decide(t.Context(), get("api.example.com", "/", header("x_tenant", "victim"))), authz.Deny, 401, authz.NoCredential)
}

func TestAHeaderInTwoReadingsOfOneOutcomeIsFine(t *testing.T) {
	e, _ := newWorld(Options{OneTenant: true})
	policies := byTenant("x-tenant")
	policies[0].Spec.Routes[0].Matches = append(policies[0].Spec.Routes[0].Matches, gatewayv1.HTTPRouteMatch{})
	load(t, e, Input{Policies: policies[:1]})
	decided(t, e.Decide(t.Context(), get("api.example.com", "/", header("x-tenant", "victim"), header("x-tenant", "foo"))), authz.Deny, 401, authz.NoCredential)
}

func TestAHeaderMatchOfARouteIsDecidedOnlyIfEveryReaderAgrees(t *testing.T) {
	victim, rest := routeOn("shop", "victim", names("api.example.com"), "edge"), routeOn("shop", "rest", names("api.example.com"), "edge")
	victim.Spec.Rules = []gatewayv1.HTTPRouteRule{{Matches: []gatewayv1.HTTPRouteMatch{{Headers: []gatewayv1.HTTPHeaderMatch{{Name: "X-Tenant", Value: "victim"}}}}}}
	guarded := targeting(onHost("guarded", "", keys("a")), v1alpha1.TargetHTTPRoute, "victim", "")
	open := targeting(onHost("open", "", anonymous()), v1alpha1.TargetHTTPRoute, "rest", "")
	e, _ := compiledWith(t, Options{OneTenant: true}, Input{
		Objects:  attach.Objects{Gateways: []*gatewayv1.Gateway{edge("*.example.com")}, HTTPRoutes: []*gatewayv1.HTTPRoute{victim, rest}},
		Policies: []*v1alpha1.AgentAuthPolicy{guarded, open},
	})
	for want, list := range map[int][][]string{
		0:   {{}, {"x-tenant: foo"}},
		401: {{"x-tenant: victim"}, {"X-TENANT: victim"}},
		400: {{"x-tenant: victim", "x-tenant: foo"}, {"x-tenant: foo", "x-tenant: victim"}, {"x-tenant: victim", "x-tenant: victim"}, {"X_Tenant: victim"}},
	} {
		for _, fields := range list {
			if d := e.Decide(t.Context(), get("api.example.com", "/", fieldsOf(fields...)...)); d.Status != want {
				t.Errorf("%q: expected %d, got %d %s (%s)", fields, want, d.Status, d.Reason, d.Detail)
			}
		}
	}
}

func TestWhatMisleadsIsRemovedFromEveryRequestThatIsLetThrough(t *testing.T) {
	misleading := fieldsOf("x-forwarded-host: admin.example.com", "X_Original_URL: /admin", "x-http-method-override: DELETE", "forwarded: host=admin.example.com", "x-host: api.example.com")
	want := []string{"forwarded", "x-forwarded-host", "x-http-method-override", "x_original_url"}
	for _, trusted := range []bool{false, true} {
		e, _ := newWorld(Options{AllowUnmatched: true, TrustForwarded: trusted})
		load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{under(onHost("p", "api.example.com", anonymous()), "/public")}})
		for path, reason := range map[string]authz.Reason{"/public": authz.Allowed, "/nobody": authz.Unmatched} {
			d := e.Decide(t.Context(), get("api.example.com", path, misleading...))
			decided(t, d, authz.Allow, 0, reason)
			if got := slices.DeleteFunc(d.Remove, func(n string) bool { return n == "authorization" }); trusted && len(got) > 0 || !trusted && !slices.Equal(got, want) {
				t.Errorf("%s, trusted %v: expected to remove %v, got %v", path, trusted, want, got)
			}
		}
	}
}

func TestWhatIsJoinedMisleadsByEachOfItsParts(t *testing.T) {
	e, _ := newWorld(Options{})
	load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{onHost("p", "api.example.com", anonymous())}})
	raw := get("api.example.com", "/a,/b", fieldsOf("x-original-url: /a,/b", "x-host: api.example.com,admin.example.com", "x-http-method: GET,GET", "x-rewrite-url: /a")...)
	raw.Joined = true
	if d := e.Decide(t.Context(), raw); !slices.Equal(d.Remove, []string{"x-host", "x-original-url", "x-rewrite-url"}) {
		t.Errorf("got %v", d.Remove)
	}
	raw.Joined = false
	if d := e.Decide(t.Context(), raw); !slices.Equal(d.Remove, []string{"x-host", "x-rewrite-url"}) {
		t.Errorf("got %v", d.Remove)
	}
}

// Namespaces that were granted one host share the names of its headers; others do not.
func TestNamespacesThatAreGrantedOneHostShareTheNamesOfItsHeaders(t *testing.T) {
	mine := setting(under(of("mine", onHost("private", "api.example.com", anonymous())), "/private"), "x-agent-id", `"a"`)
	yours := under(of("yours", onHost("public", "api.example.com", anonymous())), "/public")
	wide := setting(of("wide", onHost("wide", "*.example.com", anonymous())), "x-wide", `"w"`)
	theirs := setting(of("theirs", onHost("theirs", "api.example.com", anonymous())), "x-theirs", `"t"`)
	other := of("yours", onHost("other", "other.example.com", anonymous()))
	e, _ := tenants(t, granted("mine=api.example.com", "yours=api.example.com", "wide=*.example.com", "theirs=theirs.example.com", "yours=other.example.com"), mine, yours, wide, theirs, other)
	caller := fieldsOf("x-agent-id: root", "X_Agent_Id: root", "x-wide: root", "x-theirs: root")
	for path, want := range map[string][]string{
		"api.example.com/public": {"x-agent-id", "x-wide", "x_agent_id"}, "other.example.com/": {"x-wide"},
	} {
		host, rest, _ := strings.Cut(path, "/")
		d := e.Decide(t.Context(), get(host, "/"+rest, caller...))
		got := slices.DeleteFunc(d.Remove, func(n string) bool { return n == "x-who" })
		if d.Outcome != authz.Allow || !slices.Equal(got, want) {
			t.Errorf("%s: expected %v to be removed, got %s %v", path, want, d.Reason, d.Remove)
		}
	}
}

func TestWhoSendsAFormOfAPathThatThePolicyDoesNotAdmitIsToldItsWord(t *testing.T) {
	e, _ := newWorld(Options{OneTenant: true})
	load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{onHost("p", "p.example.com", anonymous())}})
	d, steps := e.Explain(t.Context(), get("p.example.com", "/a%2Fb"))
	decided(t, d, authz.Deny, 400, authz.BadRequest)
	if !slices.ContainsFunc(steps, func(s authz.Step) bool { return strings.Contains(s.Detail, "paths.allow: [EncodedSlash]") }) {
		t.Errorf("got %+v", steps)
	}
}
