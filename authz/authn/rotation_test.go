package authn

import (
	"context"
	"crypto"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/jwks"
)

// published is a provider with one key.
type published struct {
	mu      sync.Mutex
	kid     string
	key     crypto.Signer
	fetches int
}

func (p *published) fetch(context.Context, jwks.Turn, string) (jwks.Answer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fetches++
	time.Sleep(100 * time.Millisecond)
	key, err := jose.JSONWebKey{Key: p.key.Public(), KeyID: p.kid}.MarshalJSON()
	return jwks.Answer{Status: 200, Body: fmt.Appendf(nil, `{"keys":[%s]}`, key)}, err
}

func (p *published) rotate(kid string, key crypto.Signer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kid, p.key = kid, key
}

func (p *published) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fetches
}

func TestTokensOfARotatedKeyAreAcceptedAtOnceWhateverTheirKid(t *testing.T) {
	for name, c := range map[string]struct{ before, now, token string }{
		"nobody has a kid":        {"", "", ""},
		"the kid stays":           {"a", "a", "a"},
		"only the token has one":  {"", "", "a"},
		"the key gets one":        {"", "a", "a"},
		"the key loses its kid":   {"a", "", "b"},
		"the kid changes with it": {"a", "b", "b"},
	} {
		t.Run(name, func(t *testing.T) {
			header := map[string]any{}
			if c.token != "" {
				header["kid"] = c.token
			}
			raw := sign(t, jose.ES256, private()["ec2"], header, claims())
			synctest.Test(t, func(t *testing.T) {
				j, p := public(t, map[string]string{"ec": "ES256"}), &published{kid: c.before, key: private()["ec"]}
				set := jwks.NewRemote(jwks.Config{URL: "https://idp.example.com/keys", Fetch: p.fetch})
				defer set.Close()
				j.Keys = set
				set.Start()
				<-set.Ready()
				p.rotate(c.now, private()["ec2"])
				began := time.Now()
				if _, err := check(t, j, raw, clock); err != nil || p.count() != 2 || time.Since(began) != 100*time.Millisecond {
					t.Errorf("got %v after %s and %d fetches", err, time.Since(began), p.count())
				}
			})
		})
	}
}

func TestAFloodOfBadSignaturesFetchesOnceInTenSecondsAndKeepsNobodyWaiting(t *testing.T) {
	bad := sign(t, jose.ES256, private()["ec2"], map[string]any{"kid": "a"}, claims())
	unknown := sign(t, jose.ES256, private()["ec2"], map[string]any{"kid": "b"}, claims())
	good := sign(t, jose.ES256, private()["ec"], map[string]any{"kid": "a"}, claims())
	synctest.Test(t, func(t *testing.T) {
		j, p := public(t, map[string]string{"ec": "ES256"}), &published{kid: "a", key: private()["ec"]}
		set := jwks.NewRemote(jwks.Config{URL: "https://idp.example.com/keys", Fetch: p.fetch})
		defer set.Close()
		j.Keys = set
		set.Start()
		<-set.Ready()
		for round := range 3 {
			var all sync.WaitGroup
			for i := range 200 {
				raw, want := bad, authz.SignatureInvalid
				if i%2 == 1 {
					raw, want = unknown, authz.KeyUnknown
				}
				all.Go(func() {
					if _, err := check(t, j, raw, clock); reason(err) != want {
						t.Errorf("want %s, got %v", want, err)
					}
				})
				all.Go(func() {
					began := time.Now()
					if _, err := check(t, j, good, clock); err != nil || time.Since(began) != 0 {
						t.Errorf("a good token: %v after %s", err, time.Since(began))
					}
				})
			}
			all.Wait()
			if n := p.count(); n != 2+round {
				t.Fatalf("round %d: %d fetches", round, n)
			}
			time.Sleep(10 * time.Second)
		}
	})
}
