package expr

import (
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
)

var now = time.Date(2026, 5, 17, 12, 0, 0, 0, time.UTC)

// input is a request of an identity with most things set, and of a bare one
// under the name "anonymous".
func input(t testing.TB) *Input {
	t.Helper()
	r, err := authz.NewRequest(authz.Raw{
		ID: "id-1", Method: "GET", Scheme: "https", Host: "orders.example.com",
		Path: "/v1/orders;x=1?debug=1&twice=a&twice=b&bad=%zz&raw=%ff&na%20me=a+b",
		Headers: []authz.Header{
			{Name: "X-Env", Value: "prod"}, {Name: "x-list", Value: "a,b"},
			{Name: "x-raw", Value: "\xff"}, {Name: "authorization", Value: "Bearer hunter2"},
		},
		Source:            authz.Source{Address: "192.0.2.1", Principal: "spiffe://example.com/a"},
		ContextExtensions: map[string]string{"tier": "gold"},
		Metadata:          authz.MetadataMap{"envoy.filters.http.x": map[string]any{"n": float64(3), "on": true}},
		Body:              []byte("hidden"),
		Time:              now,
	})
	if err != nil {
		t.Fatal(err)
	}
	id := &authz.Identity{
		Method: "partners", Issuer: "https://idp.example.com", Subject: "alice", CredentialID: "jti-1",
		Audiences: []string{"orders"}, Scopes: []string{"a", "b"}, Groups: []string{"team-x", "team-y"},
		Actor:     &authz.Actor{Issuer: "https://idp.example.com", Subject: "support-bot"},
		ExpiresAt: now.Add(time.Hour),
		Claims: map[string]any{
			"role": "manager", "admin": true, "n": int64(9007199254740993), "half": 0.5, "none": nil,
			"list": []any{"x", int64(7), nil}, "nested": map[string]any{"deep": []any{map[string]any{"a": "b"}}},
		},
	}
	return &Input{Request: r, Identity: id, Identities: []*authz.Identity{id, {Method: "anonymous"}}}
}

func mustCompile(t testing.TB, kind Kind, src string) *Program {
	t.Helper()
	p, err := Compile(kind, src)
	if err != nil {
		t.Fatalf("%s: %v", src, err)
	}
	return p
}
