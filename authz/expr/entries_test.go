package expr

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// The lists of a token have any length; costs are estimated for 256 entries.
func TestALongListOrObjectOfClaimsIsAnErrorOfWhoReadsIt(t *testing.T) {
	in := input(t)
	fill := func(n int) {
		list, object := make([]any, n), make(map[string]any, n)
		for i := range n {
			list[i], object[fmt.Sprintf("m%d", i)] = "e", "e"
		}
		in.Identity.Claims["list"], in.Identity.Claims["object"] = list, object
		in.Identity.Claims["nested"] = []any{object}
		in.Identity.Groups = slices.Repeat([]string{"e"}, n)
	}
	for _, src := range []string{
		`"e" in identity.claims.list`, `identity.claims.list.exists(e, e == "e")`, `size(identity.claims.list) > 0`,
		`identity.claims.object.exists(k, k == "m1")`, `"m1" in identity.claims.object`, `identity.claims.object == identity.claims.object`,
		`identity.claims.nested.all(o, o.m1 == "e")`, `"e" in identity.groups`, `identity.groups.exists(g, g == "e")`,
	} {
		p := mustCompile(t, Bool, src)
		fill(256)
		if ok, err := p.Bool(t.Context(), in); !ok || err != nil {
			t.Errorf("%s: within the limit: got %v and error %v", src, ok, err)
		}
		fill(257)
		if ok, err := p.Bool(t.Context(), in); ok || err == nil || !strings.Contains(err.Error(), "is too long to be read in an expression: 257 entries, at most 256") {
			t.Errorf("%s: got %v and error %v", src, ok, err)
		}
	}
	for _, src := range []string{`identity.subject == "alice"`, `identity.claims.object.m7 == "e"`, `identity.claims.list[0] == "e"`, `has(identity.claims.list)`, `"x" in identity.scopes || true`} {
		if ok, err := mustCompile(t, Bool, src).Bool(t.Context(), in); !ok || err != nil {
			t.Errorf("%s: got %v and error %v", src, ok, err)
		}
	}
}

func TestAMappingOfALongListIsAnError(t *testing.T) {
	claims := map[string]any{"roles": slices.Repeat([]any{"e"}, 257), "sub": "alice"}
	if got, err := mustCompile(t, Claim, `claims.roles`).ClaimStrings(t.Context(), claims); err == nil {
		t.Errorf("got %d texts", len(got))
	}
	if got, err := mustCompile(t, Subject, `claims.sub`).ClaimString(t.Context(), claims); err != nil || got != "alice" {
		t.Errorf("got %q and error %v", got, err)
	}
}
