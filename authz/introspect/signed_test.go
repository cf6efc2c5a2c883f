package introspect

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/agentauth-dev/agentauth/authz/authn"
	"github.com/agentauth-dev/agentauth/authz/jwks"
)

func TestASignedAnswerIsVerifiedByTheKeysOfTheIssuer(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{}).WithType("token-introspection+jwt"))
	if err != nil {
		t.Fatal(err)
	}
	answer := func(client string, active bool) string {
		payload, err := json.Marshal(map[string]any{"iss": "https://idp.example.com", "aud": client, "iat": time.Now().Unix(), "token_introspection": map[string]any{"active": active, "sub": "agent"}})
		if err != nil {
			t.Fatal(err)
		}
		signed, err := signer.Sign(payload)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := signed.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	keys := jwks.Static([]jwks.Key{{Algorithms: []string{"ES256"}, Public: key.Public()}})
	const signed, plain = signedType + "; charset=utf-8", "application/json"
	for name, c := range map[string]struct {
		kind, body string
		keys       jwks.Set
		outcome    Outcome
		detail     string
	}{
		"an active token":              {signed, answer("rs", true), keys, Active, ""},
		"one that is not active":       {signed, answer("rs", false), keys, Inactive, ""},
		"an answer for another client": {signed, answer("other", true), keys, Malformed, "another client"},
		"without an issuer":            {signed, answer("rs", true), nil, Malformed, "set issuer"},
		"JSON that says it is signed":  {signed, `{"active":true}`, keys, Malformed, "no JWT"},
		"signed, and says it is JSON":  {plain, answer("rs", true), keys, Malformed, "is no JSON object"},
		"JSON beside keys, as without": {plain, `{"active":true,"sub":"agent"}`, keys, Active, ""},
	} {
		t.Run(name, func(t *testing.T) {
			provider := httptest.NewServer(answering(200, c.kind, c.body))
			defer provider.Close()
			s := New(Config{Endpoint: provider.URL, Client: Client{ID: "rs", Secret: secret}, Issuer: "https://idp.example.com", Keys: c.keys, Post: through(t, provider.URL)})
			got, err := s.Introspect(t.Context(), about(token))
			if counted(s)[c.outcome] != 1 {
				t.Errorf("expected %s, got %v (%v)", c.outcome, counted(s), err)
			}
			if c.detail == "" {
				if err != nil || got.Active != (c.outcome == Active) || got.Active && got.Claims["sub"] != "agent" || got.Asked.IsZero() {
					t.Errorf("got %+v, %v", got, err)
				}
				return
			}
			var down *authn.Unavailable
			if got != nil || !errors.As(err, &down) || !strings.Contains(down.Detail, c.detail) {
				t.Errorf("expected an *Unavailable with %q, got %+v, %v", c.detail, got, err)
			}
		})
	}
}

func TestSignedAnswersAreAcceptedOnlyWhereTheyCanBeVerified(t *testing.T) {
	for want, keys := range map[string]jwks.Set{"": nil, "application/json, " + signedType + ";q=0.9": jwks.Static(nil)} {
		s := New(Config{Endpoint: "https://idp.example.com", Keys: keys})
		r, err := s.request(t.Context(), "", token)
		if err != nil || r.Accept != want {
			t.Errorf("expected the header accept %q, got %q, %v", want, r.Accept, err)
		}
	}
}
