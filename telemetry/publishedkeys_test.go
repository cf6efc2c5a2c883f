package telemetry

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"

	"github.com/agentauth-dev/agentauth/authz/signing"
)

func TestPublicKeysAreServedOfASecretThatSignsAndNothingOfAnyOther(t *testing.T) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := signing.ParsePublic(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	if err != nil {
		t.Fatal(err)
	}
	serving := true
	mux := http.NewServeMux()
	mux.Handle("GET /jwks/{namespace}/{secret}", &PublishedKeys{
		Of: func(namespace, secret string) []signing.Public {
			if namespace == "shop" && secret == "keys" {
				return []signing.Public{public, public}
			}
			return nil
		},
		Serving: func() bool { return serving },
	})
	ask := func(method, path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, nil))
		return w
	}
	got := ask("GET", "/jwks/shop/keys")
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(got.Body.Bytes(), &set); err != nil || got.Code != 200 || len(set.Keys) != 1 || !set.Keys[0].IsPublic() || set.Keys[0].KeyID != public.ID() || set.Keys[0].Algorithm != "EdDSA" || set.Keys[0].Use != "sig" {
		t.Errorf("got %d %s, %v", got.Code, got.Body, err)
	}
	if strings.Contains(got.Body.String(), `"d"`) {
		t.Error("the private key is published")
	}
	if h := got.Header(); h.Get("Content-Type") != "application/jwk-set+json" || h.Get("Cache-Control") != "public, max-age=300" {
		t.Errorf("got %v", h)
	}
	for _, path := range []string{"/jwks/shop/other", "/jwks/bank/keys", "/jwks/shop/KEYS", "/jwks/shop%2Fkeys/x"} {
		if got := ask("GET", path); got.Code != 404 || got.Header().Get("Cache-Control") != "no-store" || strings.Contains(got.Body.String(), "kid") {
			t.Errorf("%s: got %d %s", path, got.Code, got.Body)
		}
	}
	for _, path := range []string{"/jwks/", "/jwks/shop", "/jwks/shop/", "/jwks/shop/keys/"} {
		if got := ask("GET", path); got.Code == 200 {
			t.Errorf("%s: something is listed: %s", path, got.Body)
		}
	}
	if got := ask("POST", "/jwks/shop/keys"); got.Code != 405 {
		t.Errorf("POST: got %d", got.Code)
	}
	serving = false
	if got := ask("GET", "/jwks/shop/other"); got.Code != 503 || got.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("before policies are loaded: got %d %v", got.Code, got.Header())
	}
}
