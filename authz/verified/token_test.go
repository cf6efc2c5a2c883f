package verified_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/authn"
	"github.com/agentauth-dev/agentauth/authz/jwks"
	"github.com/agentauth-dev/agentauth/authz/policy"
	"github.com/agentauth-dev/agentauth/authz/verified"
)

// tokens are two methods of a policy, each for an issuer, and a token of the second.
func tokens(t *testing.T, c *verified.Cache) ([]authn.Authenticator, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign([]byte(`{"iss":"b","aud":"api","sub":"agent","scope":"read write","exp":9000000000}`))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	keys := jwks.Static([]jwks.Key{{Algorithms: []string{"ES256"}, Public: key.Public(), Thumbprint: "k"}})
	jwt := func(issuer string) authn.Authenticator {
		return &authn.JWT{Method: issuer, Issuer: issuer, Audiences: []string{"api"}, Algorithms: []string{"ES256"}, NoType: true, Keys: keys, Map: policy.Mapping{}}
	}
	return c.Around("shop", []authn.Authenticator{jwt("a"), jwt("b")}), raw
}

func TestAHotTokenOfOneOfTwoIssuersIsNotParsedAndAllocatesNothing(t *testing.T) {
	c := verified.New(verified.Options{Bytes: 1 << 20})
	methods, token := tokens(t, c)
	r := &authz.Request{}
	r.Time = time.Unix(1_800_000_000, 0)
	p := &authn.Presented{}
	ask := func() {
		*p = authn.Presented{Value: token}
		if _, err := methods[0].Verify(t.Context(), p); err != authn.ErrNotMine {
			t.Fatal(err)
		}
		v, err := methods[1].Verify(t.Context(), p)
		if err == nil {
			err = methods[1].Check(r, v)
		}
		if err == nil {
			err = v.Complete(t.Context())
		}
		if err != nil || v.Identity.Subject != "agent" {
			t.Fatalf("got %v, %+v", err, v)
		}
	}
	ask()
	if n := testing.AllocsPerRun(100, ask); n > 0 {
		t.Errorf("expected no allocation, got %v", n)
	}
	if s := c.Stats(); s.Hits != 101 || s.Misses != 2 {
		t.Errorf("expected two misses, got %+v", s)
	}
}
