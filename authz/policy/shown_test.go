package policy_test

import (
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/expr"
	"github.com/agentauth-dev/agentauth/authz/policy"
)

// came decides a PATCH with two badges by one rule, and returns what the trace
// shows of the rule.
func came(t *testing.T, when, require string, reason authz.Reason) string {
	t.Helper()
	rule := policy.Rule{Name: "reads"}
	for _, e := range []struct {
		src string
		to  **expr.Program
	}{{when, &rule.When}, {require, &rule.Require}} {
		if e.src == "" {
			continue
		}
		p, err := expr.Compile(expr.Bool, e.src)
		if err != nil {
			t.Fatal(err)
		}
		*e.to = p
	}
	p := policy.New(policy.Config{
		Methods: []policy.Method{{Name: "badges", Authenticator: &badge{}}}, Rules: []policy.Rule{rule}, DenyOtherwise: true,
	})
	r, err := authz.NewRequest(authz.Raw{Method: "PATCH", Scheme: "https", Host: "api.example.com", Path: "/a/eve:sesame?tenant=a&access_token=hush2&code=hush3",
		Headers: []authz.Header{
			{Name: "x-badge", Value: "eve:sesame"}, {Name: "authorization", Value: "Bearer hush4"}, {Name: "x-badge-proof", Value: "hush5"},
			{Name: "cookie", Value: "sid=hush6"}, {Name: "proxy-authorization", Value: "Basic hush7"}, {Name: "x-copy", Value: "it is eve:sesame"},
			{Name: "x-assertion-of", Value: "hush8"}, {Name: "x-other", Value: "jwt=eyJhbGciOiJub25lIn0.e30.hush9"}, {Name: "x-env", Value: "prod"},
		}, Metadata: authz.MetadataMap{"lua": map[string]any{"authorization": "hush10", "zone": "eu"}}, Time: noon})
	if err != nil {
		t.Fatal(err)
	}
	var trace authz.Trace
	d := p.Decide(t.Context(), r, policy.Host{}, &trace)
	if d.Reason != reason {
		t.Fatalf("expected %s, got %+v", reason, d)
	}
	shown := ""
	for _, s := range trace.Steps {
		if s.Stage == authz.StageAuthorize && s.Came != "" {
			shown = s.Came
		}
	}
	if strings.Contains(d.Detail, "PATCH") || strings.Contains(d.Body, "PATCH") {
		t.Errorf("expected the values in the trace only, got %+v", d)
	}
	return shown
}

func TestATraceShowsARuleThatFailsAndTheValuesItRead(t *testing.T) {
	for _, c := range []struct {
		when, require string
		reason        authz.Reason
		want          string
	}{
		{"", `request.method == "GET"`, authz.RuleDenied, `request.method == "GET"; request.method is "PATCH"`},
		{`request.method != "GET"`, "identity.subject == \"bob\" &&\n  request.path == \"/\"", authz.RuleDenied,
			`identity.subject == "bob" && request.path == "/"; identity.subject is "eve"; request.path is not shown, since it may hold a credential; request.method is "PATCH"`},
		{`request.method == "GET"`, `identity.subject == "bob"`, authz.NoRuleApplies, `request.method == "GET"; request.method is "PATCH"`},
		{"", `false`, authz.RuleDenied, ""},
		{"", `identity.claims.role == "a"`, authz.ExpressionFailed, `identity.claims.role == "a"; identity.claims.role is absent`},
		{`identity.claims.role == "a"`, `false`, authz.ExpressionFailed, `identity.claims.role == "a"; identity.claims.role is absent`},
		{"", `request.headers["x-env"] + request.query.tenant + string(metadata.lua.zone) == ""`, authz.RuleDenied,
			`request.headers["x-env"] + request.query.tenant + string(metadata.lua.zone) == ""; request.headers["x-env"] is "prod"; request.query.tenant is "a"; metadata.lua.zone is "eu"`},
	} {
		if got := came(t, c.when, c.require, c.reason); got != c.want {
			t.Errorf("%s: expected\n%s, got\n%s", c.require, c.want, got)
		}
	}
}

func TestATraceShowsNoCredentialThatARuleRead(t *testing.T) {
	for _, reads := range []string{
		`request.headers["x-badge"]`, `request.headers["X-Badge"]`, `request.headers[identity.subject == "eve" ? "x-badge" : "x"]`,
		`request.headers["authorization"]`, `request.headers.?authorization.orValue("")`, `request.headers["x-badge-proof"]`,
		`request.headers.cookie`, `request.headers["Proxy-Authorization"]`, `request.headers["x-copy"]`, `request.headers["x-assertion-of"]`,
		`request.headers["x-other"]`, `request.query.access_token`, `request.query["code"]`, `request.path`,
		`string(metadata.lua.authorization)`, `request.headers.map(n, request.headers[n]).join("")`,
	} {
		got := came(t, "", reads+` == "x" || request.method == "GET"`, authz.RuleDenied)
		if strings.Contains(got, "hush") || strings.Contains(got, "sesame") || !strings.Contains(got, `request.method is "PATCH"`) {
			t.Errorf("%s: expected no credential, got %s", reads, got)
		}
	}
}
