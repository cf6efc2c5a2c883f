package engine

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
)

func TestAnIdentityIsMadeOfTheUsualClaims(t *testing.T) {
	list := func(v ...any) []any { return v }
	for name, c := range map[string]struct {
		claims  map[string]any
		subject string
		scopes  []string
		groups  []string
		bad     bool
	}{
		"nothing":                       {claims: map[string]any{}},
		"sub":                           {claims: map[string]any{"sub": "a"}, subject: "a"},
		"sub as a whole number":         {claims: map[string]any{"sub": int64(9007199254740993)}, subject: "9007199254740993"},
		"sub as a fraction":             {claims: map[string]any{"sub": 1.5}, bad: true},
		"sub as a bool":                 {claims: map[string]any{"sub": true}, bad: true},
		"sub as a list":                 {claims: map[string]any{"sub": list("a")}, bad: true},
		"scope":                         {claims: map[string]any{"scope": "a  b"}, scopes: []string{"a", "b"}},
		"an empty scope":                {claims: map[string]any{"scope": ""}},
		"scope as a list":               {claims: map[string]any{"scope": list("a")}, bad: true},
		"scope before scp":              {claims: map[string]any{"scope": "a", "scp": "b"}, scopes: []string{"a"}},
		"scp as a string":               {claims: map[string]any{"scp": "a b"}, scopes: []string{"a", "b"}},
		"scp as a list":                 {claims: map[string]any{"scp": list("a", "b c")}, scopes: []string{"a", "b c"}},
		"scp as an object":              {claims: map[string]any{"scp": map[string]any{}}, bad: true},
		"scp with a null":               {claims: map[string]any{"scp": list("a", nil)}, bad: true},
		"groups":                        {claims: map[string]any{"groups": list("a", int64(7))}, groups: []string{"a", "7"}},
		"groups as a string":            {claims: map[string]any{"groups": "a b"}, groups: []string{"a b"}},
		"groups with a list":            {claims: map[string]any{"groups": list(list("a"))}, bad: true},
		"claims in another letter case": {claims: map[string]any{"Sub": "a", "SCOPE": "b", "Groups": "c"}},
	} {
		t.Run(name, func(t *testing.T) {
			var m mapping
			subject, err1 := m.Subject(t.Context(), c.claims)
			scopes, err2 := m.Scopes(t.Context(), c.claims)
			groups, err3 := m.Groups(t.Context(), c.claims)
			if bad := err1 != nil || err2 != nil || err3 != nil; bad != c.bad {
				t.Fatalf("got %v, %v, %v", err1, err2, err3)
			}
			if !c.bad && (subject != c.subject || !slices.Equal(scopes, c.scopes) || !slices.Equal(groups, c.groups)) {
				t.Errorf("got %q, %q, %q", subject, scopes, groups)
			}
		})
	}
}

func TestMappingsReplaceTheUsualClaims(t *testing.T) {
	e, _ := newWorld(Options{})
	b := building{compiler: &compiler{engine: e}, policy: &policy{}}
	m := b.mapper(&v1alpha1.ClaimMappings{Subject: "claims.id", Scopes: "claims.permissions", Groups: `claims.?roles.orValue([])`}, field.NewPath("x"))
	if b.invalid {
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
