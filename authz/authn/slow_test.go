package authn

import (
	"context"
	"crypto/rsa"
	"math/big"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/jwks"
)

// rsaOf is a public key of a size whose private key nobody has.
func rsaOf(bits, number int) jwks.Key {
	n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
	n.Add(n, big.NewInt(int64(2*number+1)))
	return jwks.Key{Algorithms: []string{"RS256"}, Public: &rsa.PublicKey{N: n, E: 65537}}
}

// junk is a token whose signature fits no key.
func junk(t *testing.T, bits int) *Presented {
	t.Helper()
	signature := make([]byte, bits/8)
	signature[len(signature)-1] = 2
	return &Presented{Value: b64(`{"alg":"RS256"}`) + "." + b64(claims()) + "." + b64(string(signature))}
}

func withKeys(t *testing.T, keys ...jwks.Key) *JWT {
	t.Helper()
	j := public(t, map[string]string{"ec": "ES256"})
	j.Algorithms = []string{"RS256", "ES256"}
	j.Keys = jwks.Static(keys)
	return j
}

func TestAnRSASignatureOfMoreThan2048BitsWaitsForItsTurn(t *testing.T) {
	for bits, want := range map[int]authz.Reason{
		2048: authz.SignatureInvalid, 2056: authz.Overloaded, 3072: authz.Overloaded, 4096: authz.Overloaded, 8192: authz.Overloaded,
	} {
		j := withKeys(t, rsaOf(bits, 1))
		if _, err := j.Verify(t.Context(), junk(t, bits)); reason(err) != authz.SignatureInvalid {
			t.Errorf("%d bits: expected SignatureInvalid in turn, got %v", bits, err)
		}
		j.Scheduler = nil // admits nothing
		if _, err := j.Verify(t.Context(), junk(t, bits)); reason(err) != want {
			t.Errorf("%d bits: expected %s, got %v", bits, want, err)
		}
	}
}

func TestEveryThirdAndFurtherKeyOfATokenWaitsForItsTurn(t *testing.T) {
	signed := sign(t, jose.RS256, private()["rsa"], nil, claims())
	good := jwks.Key{Algorithms: []string{"RS256"}, Public: private()["rsa"].Public()}
	for before, want := range map[int]authz.Reason{0: authz.Allowed, 1: authz.Allowed, 2: authz.Overloaded, 15: authz.Overloaded} {
		var keys []jwks.Key
		for i := range before {
			keys = append(keys, rsaOf(2048, i))
		}
		j := withKeys(t, append(keys, good)...)
		if _, err := check(t, j, signed, clock); err != nil {
			t.Errorf("behind %d keys: expected it to hold in turn, got %v", before, err)
		}
		j.Scheduler = nil // admits nothing
		if _, err := check(t, j, signed, clock); reason(err) != want {
			t.Errorf("behind %d keys: expected %s, got %v", before, want, err)
		}
	}
}

// The free keys are those of the token: sixteen methods have no sixteen shares.
func TestMethodsShareTheFreeKeysOfATokenAndTryNoKeyTwice(t *testing.T) {
	p := junk(t, 2048)
	for i, c := range []struct {
		keys []jwks.Key
		want authz.Reason
	}{
		{[]jwks.Key{rsaOf(2048, 0)}, authz.SignatureInvalid},
		{[]jwks.Key{rsaOf(2048, 0), rsaOf(2048, 1)}, authz.SignatureInvalid}, // an equal key of another set
		{[]jwks.Key{rsaOf(2048, 1), rsaOf(2048, 0)}, authz.SignatureInvalid},
		{[]jwks.Key{rsaOf(2048, 2)}, authz.Overloaded},
	} {
		j := withKeys(t, c.keys...)
		j.Scheduler = nil // admits nothing
		if _, err := j.Verify(t.Context(), p); reason(err) != c.want {
			t.Errorf("method %d: expected %s, got %v", i, c.want, err)
		}
	}
}

func TestAKeyThatVerifiedATokenVerifiesItForTheNextMethod(t *testing.T) {
	p := &Presented{Value: sign(t, jose.ES384, private()["ec384"], nil, claims())}
	j := public(t, map[string]string{"ec384": "ES384"})
	if _, err := j.Verify(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	j.Scheduler = nil // admits nothing
	if _, err := j.Verify(t.Context(), p); err != nil {
		t.Errorf("expected the attempt before to count, got %v", err)
	}
	if _, err := j.Verify(t.Context(), &Presented{Value: p.Value}); reason(err) != authz.Overloaded {
		t.Errorf("expected nothing to be known of another request's token, got %v", err)
	}
}

func TestNoKeyIsTriedAfterTheDeadline(t *testing.T) {
	ctx, cancel := context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	for name, j := range map[string]*JWT{"a cheap key": withKeys(t, rsaOf(2048, 0)), "a slow one": withKeys(t, rsaOf(8192, 0))} {
		p := junk(t, 2048)
		if _, err := j.Verify(ctx, p); reason(err) != authz.Unavailable {
			t.Errorf("%s: expected Unavailable, got %v", name, err)
		}
		if token, err := p.Token(); err != nil || len(token.attempts) != 0 {
			t.Errorf("%s: expected no attempt, got %v, %v", name, token, err)
		}
	}
}
