//go:build e2e

package e2e

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"

	"github.com/agentauth-dev/agentauth/test/parts"
)

func newSigningKey(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// The upstream is a program with go-oidc, which knows the URL of the keys and nothing
// else of agentauth.
func TestTheUpstreamVerifiesASignedTokenWithPublishedKeysWhileTheyRotate(t *testing.T) {
	dir := parts.TestDir(t)
	policies := subdir(t, dir, "policies")
	first, second := newSigningKey(t), newSigningKey(t)
	keysFile := filepath.Join(policies, "keys.yaml")
	keys := func(entries ...string) {
		t.Helper()
		text := "apiVersion: v1\nkind: Secret\nmetadata: {name: keys, namespace: e2e, labels: {agentauth.dev/use: signing}}\nstringData:\n"
		for i := 0; i < len(entries); i += 2 {
			text += fmt.Sprintf("  %s: %q\n", entries[i], entries[i+1])
		}
		write(t, keysFile, text)
	}
	keys("tls.key", first)
	write(t, filepath.Join(policies, "policies.yaml"), fmt.Sprintf(`apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: signed, namespace: e2e}
spec:
  routes: [{hostnames: [%s], matches: [{path: {type: PathPrefix, value: /signed}}]}]
  authentication: {methods: [{name: keys, apiKey: {selector: {matchLabels: {team: e2e}}}}]}
  response: {upstream: {token: {signed: {secretRef: {name: keys}, audience: orders-backend, ttl: 30s, claims: {path: request.path}}}}}
---
apiVersion: v1
kind: Secret
metadata: {name: unused, namespace: e2e, labels: {agentauth.dev/use: signing}}
stringData: {tls.key: %q}
---
apiVersion: v1
kind: Secret
metadata: {name: robot, namespace: e2e, labels: {agentauth.dev/use: api-key, team: e2e}, annotations: {agentauth.dev/plain-keys: "*"}}
stringData: {only: a-key-of-twenty-bytes-and-more}
`, apiHost, newSigningKey(t)))
	upstream := startUpstream(t)
	agentauth := startAgentauth(t, dir, "--policies", policies)
	w := failOpen(t, dir, upstream, agentauth)

	url := "http://" + agentauth.MetricsAddress + "/jwks/e2e/keys"
	config := &oidc.Config{ClientID: "orders-backend", SupportedSigningAlgs: []string{oidc.ES256}}
	verifier := oidc.NewVerifier("agentauth.dev/e2e", oidc.NewRemoteKeySet(t.Context(), url), config)
	// sent is the token that the upstream gets.
	sent := func() string {
		t.Helper()
		expect(t, w, get("/signed/x", "x-api-key: a-key-of-twenty-bytes-and-more", "authorization: Bearer mine"), 200)
		seen := upstream.Seen()
		headers := seen[len(seen)-1].Headers
		if len(headers.Values("authorization")) != 1 || headers.Get("x-api-key") != "" {
			t.Fatalf("the upstream sees %v", headers)
		}
		return strings.TrimPrefix(headers.Get("authorization"), "Bearer ")
	}
	kid := func(token string) string {
		t.Helper()
		signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
		must(t, err)
		return signed.Signatures[0].Header.KeyID
	}
	fetched := func() (set jose.JSONWebKeySet) {
		t.Helper()
		body, err := agentauth.Get(t.Context(), "/jwks/e2e/keys")
		must(t, err)
		must(t, json.Unmarshal(body, &set))
		return set
	}
	holds := func(set jose.JSONWebKeySet, n int) error {
		if len(set.Keys) != n {
			return fmt.Errorf("expected %d keys, got %d", n, len(set.Keys))
		}
		return nil
	}
	// upstreamThatHolds verifies with a key set that it fetched some time ago.
	upstreamThatHolds := func(set jose.JSONWebKeySet) *oidc.IDTokenVerifier {
		static := &oidc.StaticKeySet{}
		for _, k := range set.Keys {
			static.PublicKeys = append(static.PublicKeys, crypto.PublicKey(k.Key))
		}
		return oidc.NewVerifier("agentauth.dev/e2e", static, config)
	}
	verified := func(v *oidc.IDTokenVerifier, token string) *oidc.IDToken {
		t.Helper()
		id, err := v.Verify(context.WithoutCancel(t.Context()), token)
		if err != nil {
			t.Fatalf("the upstream refuses the token: %v", err)
		}
		return id
	}

	token := sent()
	id := verified(verifier, token)
	var more struct {
		Path string `json:"path"`
		JTI  string `json:"jti"`
	}
	must(t, id.Claims(&more))
	if id.Subject != "robot" || more.Path != "/signed/x" || len(more.JTI) < 20 || id.Expiry.Sub(id.IssuedAt) != 30*time.Second {
		t.Errorf("got %+v, %+v", id, more)
	}
	must(t, holds(fetched(), 1))
	_, err := oidc.NewVerifier("agentauth.dev/e2e", oidc.NewRemoteKeySet(t.Context(), url), &oidc.Config{ClientID: "another", SupportedSigningAlgs: config.SupportedSigningAlgs}).Verify(t.Context(), token)
	if err == nil {
		t.Error("expected that another upstream refuses the token")
	}

	// 1. The new key is published, and the old one signs.
	keys("tls.key", first, "next.key", second)
	within(t, 10*time.Second, "the next key is published", func() error { return holds(fetched(), 2) })
	beforeTheSwap := fetched()
	old := sent()
	if kid(old) != kid(token) {
		t.Error("expected that the old key signs until it is replaced")
	}
	// 2. The new one signs, also for who holds the keys of before.
	keys("tls.key", second, "previous.key", first)
	within(t, 10*time.Second, "the new key signs", func() error {
		current := sent()
		verified(upstreamThatHolds(beforeTheSwap), current)
		verified(verifier, current)
		if kid(current) == kid(old) {
			return fmt.Errorf("the old one does")
		}
		return nil
	})
	must(t, holds(fetched(), 2))
	verified(upstreamThatHolds(fetched()), old)
	// 3. The old one is gone.
	keys("tls.key", second)
	within(t, 10*time.Second, "the old key is gone", func() error { return holds(fetched(), 1) })
	verified(upstreamThatHolds(fetched()), sent())
	if _, err := upstreamThatHolds(fetched()).Verify(t.Context(), old); err == nil {
		t.Error("expected that a token of the old key is refused by then")
	}

	for path, want := range map[string]int{"/jwks/e2e/keys": 200, "/jwks/e2e/unused": 404, "/jwks/e2e/nowhere": 404, "/jwks/e2e/": 404, "/jwks/": 404} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+agentauth.MetricsAddress+path, nil)
		must(t, err)
		response, err := http.DefaultClient.Do(request)
		must(t, err)
		must(t, response.Body.Close())
		if response.StatusCode != want || want == 200 && response.Header.Get("Content-Type") != "application/jwk-set+json" {
			t.Errorf("%s: expected %d, got %d %v", path, want, response.StatusCode, response.Header)
		}
	}

	// A Secret that is gone signs nothing more.
	before := upstream.Count()
	write(t, keysFile, "# gone\n")
	within(t, 10*time.Second, "without its key there is no token", func() error {
		if got := w.send(t, get("/signed", "x-api-key: a-key-of-twenty-bytes-and-more")); got.status != 503 {
			before++
			return fmt.Errorf("expected 503, got %d", got.status)
		}
		return nil
	})
	expect(t, w, get("/signed"), 401)
	if upstream.Count() != before {
		t.Error("a request without a token reached the upstream")
	}
	log, err := agentauth.Records()
	must(t, err)
	for _, line := range log {
		if text := fmt.Sprint(line); strings.Contains(text, token) || strings.Contains(text, strings.Split(token, ".")[2]) {
			t.Errorf("the log has a token: %s", text)
		}
	}
}
