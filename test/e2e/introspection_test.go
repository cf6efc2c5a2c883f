//go:build e2e

package e2e

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// opaquePolicy asks a provider about tokens.
func opaquePolicy(name, path, endpoint, client, more string) string {
	return fmt.Sprintf(`apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: %s, namespace: e2e}
spec:
  routes: [{hostnames: [%s], matches: [{path: {type: PathPrefix, value: %s}}]}]
  authentication:
    methods:
    - name: opaque
      oauth2Introspection:
        endpoint: %q
        clientCredentials: %s
        anyAudience: true
        claimMappings: {subject: claims.client_id}
%s  response: {upstream: {headers: [{name: x-agent-id, value: identity.subject}]}}
---
`, name, apiHost, path, endpoint, client, more)
}

func clientSecret(name, id, secret string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Secret
metadata: {name: %s, namespace: e2e, labels: {agentauth.dev/use: client}}
stringData: {client-id: %q, client-secret: %q}
---
`, name, id, secret)
}

func TestOpaqueTokensOfACertifiedProviderAreIntrospected(t *testing.T) {
	dir := parts.TestDir(t)
	port, err := parts.FreePort()
	must(t, err)
	const odd = "a secret of 32 bytes: 100% &+=/?" // form-encoded before base64 (RFC 6749 2.3.1)
	private, err := parts.NewKey("ES256", "rs-1")
	must(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(private.Key)
	must(t, err)
	config := parts.OIDCConfig{Dir: dir, Port: port, Clients: []parts.OIDCClient{
		{ID: "agent", Secret: "sample-client-secret-of-the-agent", Scope: "orders:read orders:write"},
		{ID: "orders-api", Secret: odd, Scope: "orders:read", Auth: "client_secret_basic"},
		{ID: "signing-api", Scope: "orders:read", Auth: "private_key_jwt", JWKS: &parts.Keys{Keys: []jose.JSONWebKey{private.Public()}}},
	}}
	provider, err := parts.StartOIDC(t.Context(), config)
	must(t, err)

	policies := subdir(t, dir, "policies")
	at := provider.IntrospectionURL()
	write(t, filepath.Join(policies, "policies.yaml"), strings.Join([]string{
		clientSecret("basic", "orders-api", odd), clientSecret("post", "agent", "sample-client-secret-of-the-agent"), clientSecret("wrong", "orders-api", "wrong"),
		opaquePolicy("kept", "/kept", at, "{secretRef: {name: basic}}", "        cacheTTL: 5m\n        issuer: "+provider.Issuer+"\n"),
		opaquePolicy("fresh", "/fresh", at, "{secretRef: {name: post}, authentication: Post}", "        cacheTTL: 0s\n"),
		fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {name: signing, namespace: e2e, labels: {agentauth.dev/use: client}}\nstringData: {client-id: signing-api, key-id: rs-1, tls.key: %q}\n---\n",
			pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		opaquePolicy("signed", "/signed", at, "{secretRef: {name: signing}, authentication: PrivateKeyJWT}", "        cacheTTL: 0s\n        issuer: "+provider.Issuer+"\n"),
		opaquePolicy("writes", "/writes", at, "{secretRef: {name: basic}}", "        scopes: [orders:write]\n"),
		opaquePolicy("wrong", "/wrong", at, "{secretRef: {name: wrong}}", ""),
		opaquePolicy("misplaced", "/misplaced", provider.Issuer+"/jwks", "{secretRef: {name: basic}}", ""),
	}, ""))
	upstream := startUpstream(t)
	agentauth := startAgentauth(t, dir, "--policies", policies)
	w := failOpen(t, dir, upstream, agentauth)

	opaque := func(scope string) string {
		t.Helper()
		token, err := provider.Token(t.Context(), "", scope)
		must(t, err)
		if strings.Contains(token, ".") {
			t.Fatal("expected an opaque token, got one with dots")
		}
		return token
	}
	send := func(path, token string) wire { return get(path, "authorization: "+bearer(token)) }
	read := opaque("orders:read")
	expect(t, w, send("/kept", read), 200)
	expect(t, w, send("/fresh", read), 200)
	expect(t, w, send("/signed", read), 200)
	expect(t, w, send("/signed", read), 200) // with an assertion of its own
	expect(t, w, send("/writes", opaque("orders:read orders:write")), 200)
	if got := expect(t, w, send("/writes", read), 403).header.Get("www-authenticate"); got != `Bearer error="insufficient_scope", scope="orders:write"` {
		t.Errorf("got the challenge %q", got)
	}
	if got := expect(t, w, send("/kept", "no-token-of-this-provider"), 401).header.Get("www-authenticate"); got != `Bearer error="invalid_token"` {
		t.Errorf("got the challenge %q", got)
	}
	expect(t, w, get("/kept"), 401)

	// What is wrong with agentauth's own request is never the caller's fault.
	expect(t, w, send("/wrong", read), 503)
	expect(t, w, send("/misplaced", read), 503)

	revoked := opaque("orders:read")
	expect(t, w, send("/fresh", revoked), 200)
	must(t, provider.Revoke(t.Context(), revoked))
	expect(t, w, send("/fresh", revoked), 401)
	expect(t, w, send("/kept", revoked), 401)

	fresh := opaque("orders:read")
	must(t, provider.Stop())
	before := upstream.Count()
	expect(t, w, send("/kept", fresh), 503)
	expect(t, w, send("/fresh", read), 503)
	expect(t, w, send("/kept", "no-token-of-this-provider-either"), 503)
	expect(t, w, get("/kept"), 401)
	if upstream.Count() != before {
		t.Error("a request reached the upstream")
	}
	expect(t, w, send("/kept", read), 200)

	provider = startProvider(t, config)
	again := opaque("orders:read") // the provider forgot the others
	within(t, 10*time.Second, "the provider is asked again", func() error {
		if got := w.send(t, send("/kept", again)); got.status != 200 {
			return fmt.Errorf("expected 200, got %d", got.status)
		}
		return nil
	})
	expect(t, w, send("/fresh", read), 401)

	metrics, err := agentauth.Get(t.Context(), "/metrics")
	must(t, err)
	for _, result := range []string{"active", "inactive", "refused", "failed"} {
		if !regexp.MustCompile(`agentauth_introspection_requests_total\{endpoint="` + regexp.QuoteMeta(at) + `",result="` + result + `"\} [1-9]`).Match(metrics) {
			t.Errorf("expected %s requests in the metrics", result)
		}
	}
}

func TestSignedAnswersOfACertifiedProviderAreVerified(t *testing.T) {
	dir := parts.TestDir(t)
	port, err := parts.FreePort()
	must(t, err)
	provider, err := parts.StartOIDC(t.Context(), parts.OIDCConfig{Dir: dir, Port: port, Signs: true, Clients: []parts.OIDCClient{
		{ID: "agent", Secret: "sample-client-secret-of-the-agent", Scope: "orders:read"},
		{ID: "orders-api", Secret: "a-secret-of-the-orders-api", Scope: "orders:read", Auth: "client_secret_basic"},
	}})
	must(t, err)
	policies, at, of := subdir(t, dir, "policies"), provider.IntrospectionURL(), "        cacheTTL: 0s\n"
	write(t, filepath.Join(policies, "policies.yaml"), strings.Join([]string{
		clientSecret("basic", "orders-api", "a-secret-of-the-orders-api"),
		opaquePolicy("verified", "/verified", at, "{secretRef: {name: basic}}", of+"        issuer: "+provider.Issuer+"\n"),
		opaquePolicy("unverified", "/unverified", at, "{secretRef: {name: basic}}", of),
	}, ""))
	agentauth := startAgentauth(t, dir, "--policies", policies)
	w := failOpen(t, dir, startUpstream(t), agentauth)

	token, err := provider.Token(t.Context(), "", "orders:read")
	must(t, err)
	send := func(path, token string) wire { return get(path, "authorization: "+bearer(token)) }
	within(t, 10*time.Second, "the keys are fetched for the first answer", func() error {
		if got := w.send(t, send("/verified", token)); got.status != 200 {
			return fmt.Errorf("expected 200, got %d", got.status)
		}
		return nil
	})
	expect(t, w, send("/verified", "no-token-of-this-provider"), 401)
	// Nothing says whose keys verify it.
	expect(t, w, send("/unverified", token), 503)
	must(t, provider.Revoke(t.Context(), token))
	expect(t, w, send("/verified", token), 401)
}
