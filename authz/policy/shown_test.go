package policy_test

import (
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/expr"
	"github.com/agentauth-dev/agentauth/authz/policy"
)

func TestATraceShowsWhatARuleReadAndNoCredential(t *testing.T) {
	require, err := expr.Compile(expr.Bool, `request.headers["X-Badge"] == "x" || request.headers["authorization"] == "x" || request.method == "GET"`)
	if err != nil {
		t.Fatal(err)
	}
	p := policy.New(policy.Config{
		Methods: []policy.Method{{Name: "badges", Authenticator: &badge{}}},
		Rules:   []policy.Rule{{Name: "reads", Require: require}},
	})
	raw := authz.Raw{Method: "PATCH", Scheme: "https", Host: "api.example.com", Path: "/",
		Headers: []authz.Header{{Name: "x-badge", Value: "eve:sesame"}, {Name: "authorization", Value: "Bearer hush"}}}
	r, err := authz.NewRequest(raw)
	if err != nil {
		t.Fatal(err)
	}
	var trace authz.Trace
	d := p.Decide(t.Context(), r, policy.Host{}, &trace)
	if d.Reason != authz.RuleDenied {
		t.Fatalf("expected RuleDenied, got %+v", d)
	}
	came := trace.Steps[len(trace.Steps)-1].Came
	if !strings.Contains(came, `request.method is "PATCH"`) || strings.Count(came, "is hidden") != 2 || strings.Contains(came, "sesame") || strings.Contains(came, "hush") {
		t.Errorf("expected the method and no credential, got %s", came)
	}
	if strings.Contains(d.Detail, "PATCH") {
		t.Errorf("expected the values in the trace only, got %s", d.Detail)
	}
}
