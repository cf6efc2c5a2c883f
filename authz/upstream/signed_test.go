package upstream

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/introspect"
	"github.com/agentauth-dev/agentauth/authz/signing"
	"github.com/agentauth-dev/agentauth/authz/work"
)

func newKey(t *testing.T, rsaKey bool) (*signing.Key, []byte) {
	t.Helper()
	var key any
	var err error
	if rsaKey {
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	} else {
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	data := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	k, err := signing.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return k, data
}

func signs(t *testing.T, rsaKey bool) *Signed {
	t.Helper()
	key, _ := newKey(t, rsaKey)
	s, err := NewSigned(SignedSettings{Key: key, Issuer: "agentauth.dev/shop", Audience: "orders", TTL: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var noon = time.Date(2027, 1, 1, 12, 0, 0, 900e6, time.UTC)

// said is what a token says, whoever signed it.
func said(t *testing.T, token string) map[string]any {
	t.Helper()
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256, jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(signed.UnsafePayloadWithoutVerification(), &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

func TestEachRequestHasATokenOfItsOwnThatEndsInTime(t *testing.T) {
	s := signs(t, false)
	seen := map[any]bool{}
	for name, c := range map[string]struct{ ends, want time.Time }{
		"a credential without an end":        {time.Time{}, noon.Add(time.Minute)},
		"one that ends later":                {noon.Add(time.Hour), noon.Add(time.Minute)},
		"one that ends sooner":               {noon.Add(20 * time.Second), noon.Add(20 * time.Second)},
		"one that ends now":                  {noon, noon.Add(5 * time.Second)},
		"one that ended within clocks' skew": {noon.Add(-time.Minute), noon.Add(5 * time.Second)},
	} {
		claims := said(t, get(t, s, Caller{Identity: &authz.Identity{Subject: "alice", ExpiresAt: c.ends}, Time: noon}))
		if claims["exp"] != float64(c.want.Unix()) || claims["iat"] != float64(noon.Unix()) || seen[claims["jti"]] {
			t.Errorf("%s: got %v", name, claims)
		}
		seen[claims["jti"]] = true
	}
}

func TestNoClaimOfAPolicyTakesThePlaceOfOneOfAgentauth(t *testing.T) {
	s := signs(t, false)
	mine := map[string]any{"more": "x"}
	for _, name := range OwnClaims {
		mine[name] = "mallory"
	}
	claims := said(t, get(t, s, Caller{Identity: &authz.Identity{}, Time: noon, Claims: mine}))
	for name, value := range claims {
		if value == "mallory" {
			t.Errorf("%s is that of the policy", name)
		}
	}
	if claims["sub"] != nil || claims["act"] != nil || claims["nbf"] != nil || claims["more"] != "x" || len(mine) != len(OwnClaims)+1 {
		t.Errorf("got %v, of %v", claims, mine)
	}
}

func TestAnActorIsSaidOrThereIsNoToken(t *testing.T) {
	s := signs(t, false)
	act := func(a authz.Actor) any {
		return said(t, get(t, s, Caller{Identity: &authz.Identity{Subject: "alice", Actor: &a}, Time: noon}))["act"]
	}
	if got, ok := act(authz.Actor{Subject: "bot"}).(map[string]any); !ok || len(got) != 1 || got["sub"] != "bot" {
		t.Errorf("got %v", got)
	}
	for _, a := range []authz.Actor{{}, {Unreadable: true}, {Unreadable: true, Subject: "bot"}} {
		if _, refused := none(t, s, Caller{Identity: &authz.Identity{Subject: "alice", Actor: &a}, Time: noon}); refused == nil {
			t.Errorf("%+v: expected that there is no token for this caller", a)
		}
	}
}

func TestWhatNoTokenCanSayIsSaidToBeSo(t *testing.T) {
	s := signs(t, false)
	for name, c := range map[string]Caller{
		"a subject that is no UTF-8": {Identity: &authz.Identity{Subject: "al\xffice"}, Time: noon},
		"an actor that is no UTF-8":  {Identity: &authz.Identity{Actor: &authz.Actor{Subject: "b\xff"}}, Time: noon},
		"a claim that is no UTF-8":   {Identity: &authz.Identity{}, Time: noon, Claims: map[string]any{"a": "\xff"}},
		"a token that is too large":  {Identity: &authz.Identity{}, Time: noon, Claims: map[string]any{"a": strings.Repeat("a", 12<<10)}},
	} {
		token, err := s.Token(t.Context(), c)
		var unsayable *Unsayable
		if token != "" || !errors.As(err, &unsayable) || strings.Contains(err.Error(), "aaaa") || strings.Contains(err.Error(), "ice") {
			t.Errorf("%s: got %q, %v", name, token, err)
		}
	}
	fits := Caller{Identity: &authz.Identity{}, Time: noon, Claims: map[string]any{"a": strings.Repeat("a", 11000)}}
	if token := get(t, s, fits); len(token) > authz.MaxToken || !isBearerToken(token) {
		t.Errorf("a token of %d bytes", len(token))
	}
}

// A signature by RSA takes milliseconds: whoever has no turn has no token.
func TestAKeyOfRSASignsInTheTurnOfThePolicyOnly(t *testing.T) {
	s, c := signs(t, true), Caller{Identity: &authz.Identity{}, Time: noon}
	scheduler := work.New(work.Options{Slots: 1})
	end, err := scheduler.Turn(t.Context(), work.Task{})
	if err != nil {
		t.Fatal(err)
	}
	parent, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	ctx := work.Begin(parent, time.Time{}, scheduler)
	defer ctx.End()
	_, err = s.Token(ctx, c)
	var unavailable *Unavailable
	if !errors.As(err, &unavailable) || unavailable.RetryAfter == 0 {
		t.Errorf("while another has the turn: got %v", err)
	}
	if _, err := signs(t, false).Token(ctx, c); err != nil {
		t.Errorf("P-256 needs no turn, got %v", err)
	}
	end()
	free := work.Begin(t.Context(), time.Time{}, scheduler)
	defer free.End()
	if token, err := s.Token(free, c); err != nil || token == "" {
		t.Errorf("in its turn: got %v", err)
	}
}

// The assertion of a client by RSA costs as much, whoever waits for the token.
func TestAnAssertionByRSAIsSignedInTheTurnOfTheTenantOnly(t *testing.T) {
	for _, slow := range []bool{true, false} {
		_, data := newKey(t, slow)
		key, err := introspect.ParseKey(bytes.Clone(data), "", "https://idp.example.com/token")
		if err != nil {
			t.Fatal(err)
		}
		shared := NewShared()
		var ends []func()
		for range signers {
			end, err := shared.signing.Turn(t.Context(), work.Task{Owner: work.Owner{Namespace: string(rune('a' + len(ends)))}})
			if err != nil {
				t.Fatal(err)
			}
			ends = append(ends, end)
		}
		p := &provider{answer: issues(60)}
		g := New(Config{Settings: Settings{Endpoint: "https://idp.example.com/token", Client: introspect.Client{ID: "a", Key: key}, Tenant: func() string { return "shop" }}, Post: p.post, Shared: shared})
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err = g.Token(ctx, Caller{Identity: &authz.Identity{}})
		cancel()
		if (err == nil) == slow || slow && p.requests() != 0 {
			t.Errorf("RSA %v: while others have the turns: got %v and %d requests", slow, err, p.requests())
		}
		for _, end := range ends {
			end()
		}
		g.Close()
	}
}
