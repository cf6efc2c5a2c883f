package engine

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
)

func TestMappingsReplaceTheUsualClaims(t *testing.T) {
	e, _ := newWorld(Options{})
	b := building{compiler: &compiler{engine: e}, compiled: &compiled{}}
	m := b.mapping(&v1alpha1.ClaimMappings{Subject: "claims.id", Scopes: "claims.permissions", Groups: `claims.?roles.orValue([])`}, nil, field.NewPath("x"))
	if b.Invalid {
		t.Fatal(b.origin.problems)
	}
	claims := map[string]any{"id": int64(7), "permissions": "read write", "sub": "no", "scope": "no", "groups": "no"}
	subject, err := m.Subject(t.Context(), claims)
	if err != nil || subject != "7" {
		t.Errorf("got %q, %v", subject, err)
	}
	scopes, err := m.Scopes(t.Context(), claims)
	if err != nil || !slices.Equal(scopes, []string{"read", "write"}) {
		t.Errorf("got %q, %v", scopes, err)
	}
	groups, err := m.Groups(t.Context(), claims)
	if err != nil || len(groups) != 0 {
		t.Errorf("got %q, %v", groups, err)
	}
	if _, err := m.Subject(t.Context(), map[string]any{"sub": "no"}); err == nil {
		t.Error("a mapping that fails falls back to the usual claim")
	}
}

func TestAMappingThatDoesNotCompileIsAnInvalidPolicy(t *testing.T) {
	p := partners(idp)
	p.JWT.ClaimMappings = &v1alpha1.ClaimMappings{Subject: "request.path"}
	e, _ := newWorld(Options{})
	_, reports := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{onHost("p", "api.example.com", p)}})
	if got := reports[0].Problems; len(got) != 1 || got[0].Field != "spec.authentication.methods[0].jwt.claimMappings.subject" {
		t.Errorf("got %v", got)
	}
}
