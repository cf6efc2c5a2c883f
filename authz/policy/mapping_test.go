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
	}{
		"nothing":                       {claims: map[string]any{}},
		"sub":                           {claims: map[string]any{"sub": "a"}, subject: "a"},
		"sub as a whole number":         {claims: map[string]any{"sub": int64(9007199254740993)}, subject: "9007199254740993"},
		"sub as a fraction":             {claims: map[string]any{"sub": 1.5}},
		"sub as a bool":                 {claims: map[string]any{"sub": true}},
		"sub as a list":                 {claims: map[string]any{"sub": list("a")}},
		"scope":                         {claims: map[string]any{"scope": "a  b"}, scopes: []string{"a", "b"}},
		"an empty scope":                {claims: map[string]any{"scope": ""}},
		"scope as a list":               {claims: map[string]any{"scope": list("a")}, scopes: []string{"a"}},
		"scope before scp":              {claims: map[string]any{"scope": "a", "scp": "b"}, scopes: []string{"a"}},
		"scp as a string":               {claims: map[string]any{"scp": "a b"}, scopes: []string{"a", "b"}},
		"scp as a list":                 {claims: map[string]any{"scp": list("a", "b c")}, scopes: []string{"a", "b c"}},
		"scope as a longer list":        {claims: map[string]any{"scope": list("a", "b"), "scp": "c"}, scopes: []string{"a", "b"}},
		"an empty scope beside scp":     {claims: map[string]any{"scope": "", "scp": "b"}, scopes: []string{"b"}},
		"an empty list beside scp":      {claims: map[string]any{"scope": list(), "scp": list("b")}, scopes: []string{"b"}},
		"an odd scope beside scp":       {claims: map[string]any{"scope": map[string]any{}, "scp": list("b")}, scopes: []string{"b"}},
		"scp with an object":            {claims: map[string]any{"scp": list("a", map[string]any{})}},
		"groups as objects":             {claims: map[string]any{"groups": list(map[string]any{"id": "x"})}},
		"many groups":                   {claims: map[string]any{"groups": slices.Repeat(list("a"), 300)}, groups: slices.Repeat([]string{"a"}, 300)},
		"scp as an object":              {claims: map[string]any{"scp": map[string]any{}}},
		"scp with a null":               {claims: map[string]any{"scp": list("a", nil)}, scopes: []string{"a"}},
		"groups":                        {claims: map[string]any{"groups": list("a", int64(7))}, groups: []string{"a", "7"}},
		"groups as a string":            {claims: map[string]any{"groups": "a b"}, groups: []string{"a b"}},
		"groups with a list":            {claims: map[string]any{"groups": list(list("a"))}},
		"claims in another letter case": {claims: map[string]any{"Sub": "a", "SCOPE": "b", "Groups": "c"}},
	} {
		t.Run(name, func(t *testing.T) {
			var m Mapping
			subject, err1 := m.Subject(t.Context(), c.claims)
			scopes, err2 := m.Scopes(t.Context(), c.claims)
			groups, err3 := m.Groups(t.Context(), c.claims)
			if err1 != nil || err2 != nil || err3 != nil {
				t.Fatalf("got %v, %v, %v", err1, err2, err3)
			}
			if subject != c.subject || !slices.Equal(scopes, c.scopes) || !slices.Equal(groups, c.groups) {
				t.Errorf("got %q, %q, %q", subject, scopes, groups)
			}
		})
	}
}
