package policy

import "testing"

func TestAChallengeHasTheParametersThatAreNotEmpty(t *testing.T) {
	for _, c := range []struct {
		scheme   string
		problem  string
		scopes   []string
		metadata string
		want     string
	}{
		{bearer, "", nil, "", `Bearer`},
		{bearer, "invalid_token", nil, "", `Bearer error="invalid_token"`},
		{bearer, "", nil, "https://a.example/.well-known/oauth-protected-resource", `Bearer resource_metadata="https://a.example/.well-known/oauth-protected-resource"`},
		{bearer, "insufficient_scope", []string{"a", "offline_access", "b"}, "https://a.example/x", `Bearer error="insufficient_scope", scope="a b", resource_metadata="https://a.example/x"`},
		{bearer, "insufficient_scope", []string{"offline_access"}, "", `Bearer error="insufficient_scope"`},
		{dpop, "insufficient_scope", []string{"a"}, "", `DPoP error="insufficient_scope", algs="ES256 ES384 EdDSA Ed25519 PS256 RS256", scope="a"`},
		{bearer, "", nil, `https://a.example/"x\`, `Bearer resource_metadata="https://a.example/\"x\\"`},
	} {
		if got := tokenChallenge(c.scheme, c.problem, c.scopes, c.metadata); got.Value != c.want || got.Name != "www-authenticate" {
			t.Errorf("got %v, wanted %s", got, c.want)
		}
	}
}

func TestTheMetadataStandsBetweenHostAndPath(t *testing.T) {
	for resource, want := range map[string]string{
		"https://a.example":             "https://a.example/.well-known/oauth-protected-resource",
		"https://a.example/":            "https://a.example/.well-known/oauth-protected-resource",
		"https://a.example/mcp":         "https://a.example/.well-known/oauth-protected-resource/mcp",
		"https://a.example:8443/a/b/":   "https://a.example:8443/.well-known/oauth-protected-resource/a/b/",
		"":                              "",
		"https://a.example/mcp/\"quote": "https://a.example/.well-known/oauth-protected-resource/mcp/\"quote",
	} {
		if got := metadataURL(resource); got != want {
			t.Errorf("%s: got %s, wanted %s", resource, got, want)
		}
	}
}
