package expr

import (
	"strings"
	"testing"
)

// FuzzCompileAndEval holds that nothing panics, that a failed evaluation is
// never true, that errors are one line and repeat no credential, and that
// evaluating again yields the same.
func FuzzCompileAndEval(f *testing.F) {
	for _, seed := range []string{
		`request.method == "GET" && "a" in identity.scopes`,
		`identity.claims.?role.orValue("") == "manager"`,
		`identity.claims[request.headers["authorization"]]`,
		`request.headers.exists(k, request.headers[k].matches("(a|b)+$"))`,
		`request.query.twice == "a" || has(identity.actor)`,
		`pathPrefix(request.path, "/v1/")`,
		`[identity].map(i, i.actor)[0].subject + request.id`,
		`identities.filter(n, has(identities[n].actor))`,
		`claims.groups.map(g, string(g))`,
		`optional.of(claims.a).optMap(x, x + x)`,
		`{"a": [1, 2u, 3.0, null, b"x"]}.a[1] == 2`,
		`dyn(request).headers == dyn(request).query`,
		`timestamp("2026-01-01T00:00:00Z") + duration("1h") < request.time`,
		`type(identity) == type(1)`,
		`Request{}`,
	} {
		f.Add(seed)
	}
	in := input(f)
	f.Fuzz(func(t *testing.T, src string) {
		for _, kind := range []Kind{Bool, String, Claim, Subject} {
			p, err := Compile(kind, src)
			if (p == nil) == (err == nil) {
				t.Fatalf("got program %v and error %v", p, err)
			}
			if err != nil {
				if strings.ContainsAny(err.Error(), "\n\r") || len(err.Error()) > maxMessage+50 {
					t.Fatalf("a long error: %q", err)
				}
				continue
			}
			ok, err := p.Bool(t.Context(), in)
			again, err2 := p.Bool(t.Context(), in)
			if err != nil && ok || ok != again || (err == nil) != (err2 == nil) {
				t.Fatalf("%s: got %v, %v, then %v, %v", src, ok, err, again, err2)
			}
			value, present, err3 := p.String(t.Context(), in)
			if err3 != nil && present || present != (value != "") {
				t.Fatalf("%s: got %q, %v, %v", src, value, present, err3)
			}
			list, err4 := p.ClaimStrings(t.Context(), in.Identity.Claims)
			if err4 != nil && list != nil {
				t.Fatalf("%s: got %q and error %v", src, list, err4)
			}
			for _, err := range []error{err, err3, err4} {
				if err != nil && strings.Contains(err.Error(), "hunter2") && !strings.Contains(src, "hunter2") {
					t.Fatalf("%s: the error repeats a credential: %v", src, err)
				}
			}
		}
	})
}
