package expr

import (
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
)

func TestWhatAnExpressionReadIsShownWithoutCredentials(t *testing.T) {
	in := &Input{
		Request:  &authz.Request{Method: "PATCH", Path: "/v1/x", Host: "api.example.com", Query: authz.Query{{Name: "tenant", Value: "a"}}},
		Identity: &authz.Identity{Subject: "alice", Claims: map[string]any{"role": "reader", "roles": []any{"a", "b"}, "long": strings.Repeat("x", 5000)}},
	}
	hidden := func(_, name string) bool { return name == "authorization" }
	for src, want := range map[string]string{
		`identity.claims.role == "writer" && request.method == "PATCH"`: `; identity.claims["role"] is "reader"; request.method is "PATCH"`,
		`"c" in identity.claims.roles`:                                  `; identity.claims["roles"] is ["a", "b"]`,
		`identity.claims.?role.orValue("") == "writer"`:                 `; identity.claims["role"] is "reader"`,
		`identity.claims.nothing == "a"`:                                `; identity.claims["nothing"] cannot be read (no such key: nothing)`,
		`request.headers["authorization"] == "a"`:                       `; request.headers["authorization"] is hidden`,
		`request.query["tenant"] == "b"`:                                `; request.query["tenant"] is "a"`,
		`request.body == b"a"`:                                          ``,
		`["a"].exists(identity, identity == "b")`:                       ``,
		`identity.subject == "bob" || identity.subject == "eve"`:        `; identity.subject is "alice"`,
	} {
		p, err := Compile(Bool, src)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		if got := p.Shown(t.Context(), in, hidden); got != src+want && got != want {
			t.Errorf("%s: expected %s, got %s", src, want, got)
		}
	}
	p, err := Compile(Bool, `identity.claims.long == "a"`)
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Shown(t.Context(), in, hidden); len(got) > 300 {
		t.Errorf("expected a value that is cut, got %d bytes", len(got))
	}
}
