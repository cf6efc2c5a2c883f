package cases

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/jwks"
	"github.com/agentauth-dev/agentauth/authz/password"
	"github.com/agentauth-dev/agentauth/authz/reviews"
	"github.com/agentauth-dev/agentauth/authz/revoke"
	"github.com/agentauth-dev/agentauth/authz/store"
	"github.com/agentauth-dev/agentauth/authz/verified"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// provider is a key set as if it had been fetched: that of
// https://idp.example.com, by discovery or at its URL, has rsa1 and ec1.
// Nobody else is there, and asking again makes sense in 7 seconds.
type provider struct {
	jwks.Set
	ready chan struct{}
}

func (provider) Start()                   {}
func (provider) Close()                   {}
func (p provider) Ready() <-chan struct{} { return p.ready }

func (p provider) Status() jwks.Status { return jwks.Status{} }

func (p provider) Fingerprint() (jwks.Fingerprint, bool) { return jwks.FingerprintOf(p.Set) }

type down struct{}

func (down) Lookup(context.Context, string, string) ([]jwks.Key, error) {
	return nil, &jwks.UnavailableError{RetryAfter: 7 * time.Second, Err: errors.New("no answer")}
}

func (d down) Renewed(ctx context.Context, kid, alg string, _ []jwks.Key) ([]jwks.Key, error) {
	return d.Lookup(ctx, kid, alg)
}

func remote(src engine.RemoteSource) engine.RemoteKeys {
	p := provider{Set: down{}, ready: make(chan struct{})}
	close(p.ready)
	if src.Issuer == "https://idp.example.com" || src.URL == "https://idp.example.com/keys" {
		var held []jwks.Key
		for name, algorithms := range map[string][]string{"rsa1": {"RS256"}, "ec1": {"ES256"}} {
			k, err := Key(name)
			if err != nil {
				panic(err)
			}
			held = append(held, jwks.Key{ID: name, Algorithms: algorithms, Public: k.Public(), Thumbprint: name})
		}
		p.Set = jwks.Static(held)
	}
	return p
}

// forgetful remembers no proof: each case is asked more than once.
type forgetful struct{}

func (forgetful) Seen(context.Context, string, [32]byte, time.Duration) (bool, error) {
	return false, nil
}

// newEngine is a kernel that decides by in.
func newEngine(t testing.TB, f File, in engine.Input) *engine.Engine {
	t.Helper()
	return keepingEngine(t, f, in, nil)
}

// keepingEngine is newEngine with a cache of verified credentials.
func keepingEngine(t testing.TB, f File, in engine.Input, cache *verified.Cache) *engine.Engine {
	t.Helper()
	return provingEngine(t, f, in, cache, forgetful{})
}

// provingEngine is keepingEngine with a store of proofs.
func provingEngine(t testing.TB, f File, in engine.Input, cache *verified.Cache, replay store.Replay) *engine.Engine {
	t.Helper()
	scheduler := work.New(work.Options{})
	e := engine.New(engine.Deps{
		Passwords: password.New(scheduler, password.Options{}),
		Scheduler: scheduler,
		Verified:  cache,
		Replay:    replay,
		Remote:    engine.Remote{Keys: remote, Introspector: introspector, Tokens: tokenEndpoints, Cluster: reviews.New(apiServer{}, nil)},
		Panicked:  func(v any, stack []byte) { t.Errorf("a panic: %v\n%s", v, stack) },
	}, engine.Options{AllowUnmatched: f.AllowUnmatched, OneTenant: true, TrustPrincipal: f.TrustPrincipal, TrustXFCC: f.TrustXFCC})
	snapshot, reports := e.Compile(in)
	e.Swap(snapshot)
	revocations, problems := revoke.Read(in.Revocations, nil, Now)
	e.Revoke(revocations)
	for _, p := range problems {
		t.Logf("%s: %s", p.Object, p)
	}
	t.Cleanup(e.Close)
	for _, r := range reports {
		for _, p := range r.Problems {
			t.Logf("%s: %s: %s", r.Policy, p.Severity, p)
		}
	}
	return e
}
