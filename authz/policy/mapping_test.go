package policy

import (
	"slices"
	"testing"
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
			var m Mapping
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
