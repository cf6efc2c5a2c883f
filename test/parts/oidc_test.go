//go:build e2e

package parts

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

func startOIDC(t *testing.T, config OIDCConfig) *OIDC {
	t.Helper()
	provider, err := StartOIDC(t.Context(), config)
	Must(t, err)
	t.Cleanup(func() {
		if err := provider.Stop(); err != nil {
			t.Error(err)
		}
	})
	return provider
}

func TestTheProviderIssuesTokensForAResourceAndRotatesItsKeys(t *testing.T) {
	dir := TestDir(t)
	first, err := NewKey("RS256", "first")
	Must(t, err)
	provider := startOIDC(t, OIDCConfig{Dir: dir, JWKS: Keys{Keys: []jose.JSONWebKey{first}}})
	const resource = "https://orders.example.com"
	issue := func(key jose.JSONWebKey) {
		t.Helper()
		raw, err := provider.Token(t.Context(), resource, "orders:read")
		Must(t, err)
		token, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.RS256})
		Must(t, err)
		var claims struct {
			jwt.Claims
			Scope string `json:"scope"`
		}
		if err := token.Claims(key.Public(), &claims); err != nil {
			t.Fatalf("not signed with key %s: %v", key.KeyID, err)
		}
		Must(t, claims.Validate(jwt.Expected{Issuer: provider.Issuer, Subject: "orders-agent", AnyAudience: jwt.Audience{resource}, Time: time.Now()}))
		if typ := token.Headers[0].ExtraHeaders["typ"]; typ != "at+jwt" || claims.Scope != "orders:read" {
			t.Errorf("typ is %v, scope is %q", typ, claims.Scope)
		}
	}
	issue(first)
	second, err := NewKey("RS256", "second")
	Must(t, err)
	Must(t, provider.Rotate(t.Context(), second))
	issue(second)
	if raw, err := provider.Token(t.Context(), "", "orders:read"); err != nil || strings.Contains(raw, ".") {
		t.Errorf("without a resource expected an opaque token, got %q, %v", raw, err)
	}
	if _, err := provider.Token(t.Context(), "https://elsewhere.example", "orders:read"); err == nil || !strings.Contains(err.Error(), "invalid_target") {
		t.Errorf("expected invalid_target, got %v", err)
	}
}

func TestTheProviderServesTLSAndOtherAlgorithms(t *testing.T) {
	dir := TestDir(t)
	ca, cert, key := serverFiles(t, dir)
	es, err := NewKey("ES256", "es")
	Must(t, err)
	provider := startOIDC(t, OIDCConfig{
		Dir: dir, TLS: &Files{Cert: cert, Key: key}, CA: ca, JWKS: Keys{Keys: []jose.JSONWebKey{es}},
		Resources: []OIDCResource{{Audience: "https://a.example", Scope: "orders:read", Alg: "ES256", TTL: 5}},
	})
	raw, err := provider.Token(t.Context(), "https://a.example", "orders:read")
	Must(t, err)
	token, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.ES256})
	Must(t, err)
	var claims jwt.Claims
	Must(t, token.Claims(es.Public(), &claims))
	if claims.Issuer != provider.Issuer || !strings.HasPrefix(claims.Issuer, "https://") {
		t.Errorf("issuer is %s", claims.Issuer)
	}
	if life := claims.Expiry.Time().Sub(claims.IssuedAt.Time()); life != 5*time.Second {
		t.Errorf("expected a life of 5 s, got %s", life)
	}
}

func TestTheThreeClientsSendWhatArticlesTellThemToSend(t *testing.T) {
	provider := startOIDC(t, OIDCConfig{Dir: TestDir(t)})
	authorization := make(chan string, 1)
	var status atomic.Int64
	status.Store(http.StatusOK)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		authorization <- r.Header.Get("authorization")
		w.WriteHeader(int(status.Load()))
		_, _ = io.WriteString(w, `{"ok":true}`)
	}))
	defer api.Close()
	secret := strings.Repeat("s", 32)
	run := func(name string, env ...string) (sent string, run ClientRun) {
		t.Helper()
		run, err := RunClient(t.Context(), name, append(env, "API_URL="+api.URL)...)
		Must(t, err)
		select {
		case sent = <-authorization:
		default:
			t.Errorf("%s made no call and ended with %+v", name, run)
		}
		return sent, run
	}

	if sent, r := run("basic.mjs", "API_USER=alice", "API_PASSWORD=s3cret:x"); r.ExitCode != 0 || sent != "Basic YWxpY2U6czNjcmV0Ong=" {
		t.Errorf("basic.mjs sent %q and ended with %+v", sent, r)
	}
	sent, r := run("client-credentials.mjs", "TOKEN_URL="+provider.TokenURL(), "CLIENT_ID=orders-agent", "CLIENT_SECRET=sample-client-secret-of-orders-agent",
		"SCOPE=orders:read", "RESOURCE=https://orders.example.com")
	if r.ExitCode != 0 || strings.Count(sent, ".") != 2 || r.Stdout != "200\n{\"ok\":true}\n" {
		t.Errorf("client-credentials.mjs sent %q and ended with %+v", sent, r)
	}
	sent, r = run("jwt.mjs", "JWT_SECRET="+secret)
	if r.ExitCode != 0 {
		t.Errorf("jwt.mjs ended with %+v", r)
	}
	token, err := jwt.ParseSigned(strings.TrimPrefix(sent, "Bearer "), []jose.SignatureAlgorithm{jose.HS256})
	Must(t, err)
	var claims map[string]json.RawMessage
	Must(t, token.Claims([]byte(secret), &claims))
	if len(claims) != 4 || string(claims["id"]) != `"agent-7"` || string(claims["role"]) != `"manager"` || claims["iat"] == nil || claims["exp"] == nil {
		t.Errorf("expected id, role, iat and exp, got %s", claims)
	}
	status.Store(http.StatusForbidden)
	for _, name := range []string{"basic.mjs", "jwt.mjs"} {
		if _, r := run(name, "JWT_SECRET="+secret); r.ExitCode != 1 || !strings.HasPrefix(r.Stdout, "403\n") {
			t.Errorf("%s: expected 403 and exit code 1, got %+v", name, r)
		}
	}
}
