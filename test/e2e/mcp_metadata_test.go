//go:build e2e

package e2e

import (
	"testing"
)

// Envoy sends what a refusal with status 200 or 204 says, and the upstream never sees the request.
func TestTheMetadataOfAnMCPServerReachesTheCallerAndNotTheUpstream(t *testing.T) {
	s := suite.use(t)
	const path = "/.well-known/oauth-protected-resource/mcp"
	const want = `{"resource":"https://mcp.example.test/mcp","authorization_servers":["https://idp.example.test"],"bearer_methods_supported":["header"],"dpop_signing_alg_values_supported":["ES256","ES384","EdDSA","Ed25519","PS256","RS256"]}`
	for _, w := range s.ways() {
		ask := func(method, target string, headers ...string) answer {
			r := get(target, headers...)
			r.method, r.host = method, "mcp.example.test"
			return w.send(t, r)
		}
		got := ask("GET", path, "origin: https://evil.example.test")
		if got.status != 200 || got.body != want || got.header.Get("content-type") != "application/json" || got.header.Get("access-control-allow-origin") != "*" {
			t.Errorf("%s: expected the metadata, got %d %v %s", w.name, got.status, got.header, got.body)
		}
		if got = ask("GET", "/.well-known/oauth-protected-resource"); got.status != 200 || got.body != want {
			t.Errorf("%s: expected the metadata at the root form, got %d %s", w.name, got.status, got.body)
		}
		if got = ask("HEAD", path); got.status != 200 || got.body != "" {
			t.Errorf("%s: HEAD: expected 200 without a body, got %d %q", w.name, got.status, got.body)
		}
		if got = ask("OPTIONS", path, "origin: https://evil.example.test", "access-control-request-method: GET"); got.status != 204 || got.header.Get("access-control-allow-headers") != "*" {
			t.Errorf("%s: OPTIONS: expected 204, got %d %v", w.name, got.status, got.header)
		}
		if got = ask("POST", "/mcp"); got.status != 401 || got.header.Get("www-authenticate") != `Bearer resource_metadata="https://mcp.example.test`+path+`"` {
			t.Errorf("%s: expected a challenge, got %d %v", w.name, got.status, got.header)
		}
		if got = ask("POST", "/mcp", "origin: https://evil.example.test"); got.status != 403 {
			t.Errorf("%s: expected 403, got %d", w.name, got.status)
		}
		if got = ask("POST", "/mcp?access_token=x"); got.status != 400 {
			t.Errorf("%s: expected 400, got %d", w.name, got.status)
		}
	}
}
