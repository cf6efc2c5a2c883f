package authn

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/jwks"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// clock is when requests of these tests come: 1800000000 seconds after 1970.
var clock = time.Unix(1_800_000_000, 0)

var secret = []byte("a-secret-of-more-than-32-bytes-for-these-tests")

// private keys, made once.
var private = sync.OnceValue(func() map[string]crypto.Signer {
	out := map[string]crypto.Signer{}
	for name, curve := range map[string]elliptic.Curve{"ec": elliptic.P256(), "ec2": elliptic.P256(), "ec384": elliptic.P384(), "ec521": elliptic.P521()} {
		k, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			panic(err)
		}
		out[name] = k
	}
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	out["rsa"], out["ed"] = k, ed
	return out
})

// keySetOf makes a key set of public keys by kid, each for one algorithm.
func keySetOf(t testing.TB, algorithms map[string]string) jwks.Set {
	t.Helper()
	var keys []jwks.Key
	for kid, alg := range algorithms {
		keys = append(keys, jwks.Key{ID: kid, Algorithms: []string{alg}, Public: private()[kid].Public()})
	}
	return jwks.Static(keys)
}

// sign signs a payload as it is written.
func sign(t testing.TB, alg jose.SignatureAlgorithm, key any, header map[string]any, payload string) string {
	t.Helper()
	options := &jose.SignerOptions{}
	for k, v := range header {
		options = options.WithHeader(jose.HeaderKey(k), v)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// mac signs a header and a payload that no library would write.
func mac(header, payload string) string {
	input := b64(header) + "." + b64(payload)
	return input + "." + macOf(input)
}

func macOf(input string) string {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(input))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

const hs256 = `{"alg":"HS256"}`

// claims is a payload that holds, and more members.
func claims(more ...string) string {
	return `{` + strings.Join(append([]string{`"iss":"https://idp.example.com"`, `"aud":"orders"`, `"sub":"agent"`, `"exp":1800000600`}, more...), ",") + `}`
}

// shared is a method for tokens signed with secret.
func shared() *JWT {
	return &JWT{
		Method: "agents", Owner: work.Owner{Namespace: "shop", Policy: "orders"}, Issuer: "https://idp.example.com", Audiences: []string{"orders"},
		Algorithms: []string{"HS256"}, TokenTypes: []string{"at+jwt", "jwt"}, NoType: true, ClockSkew: 30 * time.Second,
		Secret: secret, Scheduler: work.New(work.Options{}), Map: usual{},
	}
}

// public is a method for tokens signed with private keys.
func public(t testing.TB, algorithms map[string]string) *JWT {
	j := shared()
	j.Secret, j.Keys, j.Algorithms = nil, keySetOf(t, algorithms), nil
	for _, alg := range algorithms {
		j.Algorithms = append(j.Algorithms, alg)
	}
	return j
}

// usual maps what is usual, as strings.
type usual struct{}

func (usual) Subject(_ context.Context, c map[string]any) (string, error) {
	s, ok := c["sub"].(string)
	if !ok && c["sub"] != nil {
		return "", errors.New("sub is no string")
	}
	return s, nil
}

func (usual) Scopes(_ context.Context, c map[string]any) ([]string, error) {
	s, _ := c["scope"].(string)
	return strings.Fields(s), nil
}

func (usual) Groups(context.Context, map[string]any) ([]string, error) { return nil, nil }
func (usual) Actor(_ context.Context, claims map[string]any) (*authz.Actor, error) {
	return ActorOf(claims["act"])
}

// check asks a method about a credential, at a time.
func check(t testing.TB, a Authenticator, credential string, now time.Time) (*authz.Identity, error) {
	t.Helper()
	var id *authz.Identity
	p, r := &Presented{Value: credential}, &authz.Request{Time: now, TLS: true}
	v, err := a.Verify(t.Context(), p)
	if err == nil {
		err = a.Check(r, v)
	}
	if prover := ProverOf(a); err == nil && prover != nil {
		err = prover.Prove(t.Context(), r, p, v)
	}
	if err == nil {
		err = v.Complete(t.Context())
	}
	if err == nil {
		id = &v.Identity
	}
	var rejected *Rejected
	var unavailable *Unavailable
	switch {
	case (id == nil) == (err == nil):
		t.Fatalf("expected an identity or an error, got %v and %v", id, err)
	case err == nil, errors.Is(err, ErrNotMine):
	case errors.As(err, &rejected), errors.As(err, &unavailable):
		if credential != "" && strings.Contains(err.Error(), credential) {
			t.Errorf("the error holds the credential: %v", err)
		}
	default:
		t.Fatalf("expected ErrNotMine, *Rejected or *Unavailable, got %T: %v", err, err)
	}
	return id, err
}

// reason is the word for an error; "" for none.
func reason(err error) authz.Reason {
	var rejected *Rejected
	var unavailable *Unavailable
	switch {
	case err == nil:
		return authz.Allowed
	case errors.As(err, &rejected):
		return rejected.Reason
	case errors.As(err, &unavailable):
		return unavailable.Reason
	case errors.Is(err, ErrNotMine):
		return "NotMine"
	}
	return authz.Internal
}
