package cases

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/store"
	"github.com/agentauth-dev/agentauth/authz/verified"
)

const boundClaims = `${good "cnf":{"jkt":"${jkt ec1}"}}`

// proofs is the file of cases about proofs, whose policies these tests ask.
func proofs(t *testing.T) (File, engine.Input) {
	t.Helper()
	data, err := os.ReadFile("../../testdata/dpop.txtar")
	if err != nil {
		t.Fatal(err)
	}
	f, err := Parse("dpop.txtar", data)
	if err != nil {
		t.Fatal(err)
	}
	in, err := load(f.Policies)
	if err != nil {
		t.Fatal(err)
	}
	return f, in
}

func expand(t testing.TB, format string, args ...any) string {
	t.Helper()
	out, err := Expand(fmt.Sprintf(format, args...))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// proven is a request with a bound token and a proof with this id.
func proven(t testing.TB, host, token, id string) authz.Raw {
	t.Helper()
	p := expand(t, `${dpop ec1 ES256 GET https://%s/ %s {"jti":%q}}`, host, token, id)
	return authz.Raw{Method: "GET", Scheme: "https", Host: host, Path: "/", TLS: true, Time: Now,
		Headers: []authz.Header{{Name: "authorization", Value: "DPoP " + token}, {Name: "dpop", Value: p}}}
}

// A token is verified once and found in the cache from then on; its proof is not.
func TestAProofIsCheckedOnEveryUseOfATokenThatIsKept(t *testing.T) {
	f, in := proofs(t)
	cache := verified.New(verified.Options{Bytes: 16 << 20})
	e := provingEngine(t, f, in, cache, store.NewMemory(1<<20, nil))
	token := expand(t, "${jwt rsa1 RS256 "+boundClaims+"}")
	for i, c := range []struct {
		raw  authz.Raw
		want authz.Reason
	}{
		{proven(t, "api.example.com", token, "a"), authz.Allowed},
		{proven(t, "api.example.com", token, "b"), authz.Allowed},
		{proven(t, "api.example.com", token, "a"), authz.ProofReplayed},
		{proven(t, "api.example.com", token, "b"), authz.ProofReplayed},
		{without(proven(t, "api.example.com", token, "c"), "dpop"), authz.ProofRequired},
		{asBearer(proven(t, "api.example.com", token, "c")), authz.ProofRequired},
		{other(proven(t, "api.example.com", token, "c")), authz.ProofInvalid},
		{proven(t, "api.example.com", token, "c"), authz.Allowed},
	} {
		if d := e.Decide(t.Context(), c.raw); d.Reason != c.want {
			t.Errorf("request %d: expected %s, got %s: %s", i, c.want, d.Reason, d.Detail)
		}
	}
	if s := cache.Stats(); s.Hits < 6 {
		t.Errorf("the token was not found in the cache: %+v", s)
	}
}

func without(raw authz.Raw, name string) authz.Raw {
	raw.Headers = slices.DeleteFunc(raw.Headers, func(h authz.Header) bool { return h.Name == name })
	return raw
}

func asBearer(raw authz.Raw) authz.Raw {
	raw.Headers[0].Value = strings.Replace(raw.Headers[0].Value, "DPoP", "Bearer", 1)
	return raw
}

func other(raw authz.Raw) authz.Raw {
	raw.Method = "DELETE"
	return raw
}

func TestAnIntrospectedTokenIsHeldToItsProofOnEveryUse(t *testing.T) {
	f, in := proofs(t)
	e := provingEngine(t, f, in, verified.New(verified.Options{Bytes: 16 << 20}), store.NewMemory(1<<20, nil))
	for i, want := range []authz.Reason{authz.Allowed, authz.ProofReplayed, authz.ProofReplayed} {
		if d := e.Decide(t.Context(), proven(t, "opaque.example.com", "idp-keyed", "a")); d.Reason != want {
			t.Errorf("request %d: expected %s, got %s: %s", i, want, d.Reason, d.Detail)
		}
	}
}

// Two methods of one policy, and methods of two policies on one replica, share what
// was seen.
func TestAProofThatWasUsedIsUsedForAllMethodsAndPolicies(t *testing.T) {
	f, in := proofs(t)
	e := provingEngine(t, f, in, nil, store.NewMemory(1<<20, nil))
	token := expand(t, "${jwt rsa1 RS256 "+boundClaims+"}")
	for i, c := range []struct {
		host string
		want authz.Reason
	}{{"twice.example.com", authz.Allowed}, {"twice.example.com", authz.ProofReplayed}, {"api.example.com", authz.ProofReplayed}} {
		if d := e.Decide(t.Context(), proven(t, c.host, token, "a")); d.Reason != c.want {
			t.Errorf("request %d: expected %s, got %s: %s", i, c.want, d.Reason, d.Detail)
		}
	}
}

func TestOfManyRequestsWithOneProofOneIsAllowed(t *testing.T) {
	f, in := proofs(t)
	e := provingEngine(t, f, in, nil, store.NewMemory(1<<20, nil))
	raw := proven(t, "api.example.com", expand(t, "${jwt rsa1 RS256 "+boundClaims+"}"), "a")
	var allowed, replayed atomic.Int64
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			if reason := e.Decide(t.Context(), raw).Reason; reason == authz.Allowed {
				allowed.Add(1)
			} else if reason == authz.ProofReplayed {
				replayed.Add(1)
			}
		})
	}
	wg.Wait()
	if allowed.Load() != 1 || replayed.Load() != 31 {
		t.Errorf("%d allowed, %d replayed", allowed.Load(), replayed.Load())
	}
}

// replay answers as it says, and counts.
type replay struct {
	err   error
	asked atomic.Int64
	keep  time.Duration
}

func (r *replay) Seen(_ context.Context, _ string, _ [32]byte, keep time.Duration) (bool, error) {
	r.asked.Add(1)
	r.keep = keep
	return false, r.err
}

func TestAStoreThatDoesNotAnswerIs503AndNeverAnAllowance(t *testing.T) {
	f, in := proofs(t)
	token := expand(t, "${jwt rsa1 RS256 "+boundClaims+"}")
	for name, c := range map[string]struct {
		replay store.Replay
		want   authz.Reason
	}{
		"down":    {&replay{err: errors.New("connection refused")}, authz.Unavailable},
		"full":    {&replay{err: store.ErrFull}, authz.Overloaded},
		"no room": {store.NewMemory(0, nil), authz.Overloaded},
		"none":    {nil, authz.Unavailable},
	} {
		d := provingEngine(t, f, in, nil, c.replay).Decide(t.Context(), proven(t, "api.example.com", token, "a"))
		if d.Status != 503 || d.Reason != c.want || d.Outcome != authz.Error || !slices.ContainsFunc(d.Headers, func(h authz.Header) bool { return h.Name == "retry-after" }) {
			t.Errorf("%s: expected 503 %s with retry-after, got %d %s %v", name, c.want, d.Status, d.Reason, d.Headers)
		}
	}
}

// Only who holds a token and its key fills the store.
func TestNothingIsRememberedOfAProofThatDoesNotHold(t *testing.T) {
	f, in := proofs(t)
	r := &replay{}
	e := provingEngine(t, f, in, nil, r)
	for _, c := range f.Cases {
		before := r.asked.Load()
		d := e.Decide(t.Context(), c.Raw)
		if asked := r.asked.Load() - before; asked > 0 && d.Outcome != authz.Allow {
			t.Errorf("%s: the store was asked %d times", c.Name, asked)
		}
	}
	if r.asked.Load() < 10 {
		t.Error("the store was hardly asked")
	}
}

// What is forgotten while the proof is still accepted could be used again.
func TestAProofIsRememberedAsLongAsItWouldBeAccepted(t *testing.T) {
	f, in := proofs(t)
	token := expand(t, "${jwt rsa1 RS256 "+boundClaims+"}")
	for ahead := -90; ahead <= 35; ahead += 5 {
		r := &replay{}
		e := provingEngine(t, f, in, nil, r)
		raw := proven(t, "api.example.com", token, "a")
		raw.Time = Now.Add(-time.Duration(ahead) * time.Second) // the proof is of Now
		if d := e.Decide(t.Context(), raw); d.Outcome != authz.Allow {
			t.Fatalf("%d: %s %s", ahead, d.Reason, d.Detail)
		}
		raw.Time = raw.Time.Add(r.keep)
		if d := e.Decide(t.Context(), raw); d.Reason != authz.ProofInvalid {
			t.Errorf("a proof of %d seconds ahead is kept for %s, and holds after that", ahead, r.keep)
		}
	}
}

// What a method without skew has accepted, one with skew has not forgotten while it would
// accept it.
func TestAProofIsRememberedForTheMethodWithTheMostSkew(t *testing.T) {
	f, in := proofs(t)
	token := expand(t, "${jwt rsa1 RS256 "+boundClaims+"}")
	raw := proven(t, "skewed.example.com", token, "a")
	for after := time.Second; after <= 400*time.Second; after += 20 * time.Second {
		at := Now
		e := provingEngine(t, f, in, nil, store.NewMemory(1<<20, func() time.Time { return at }))
		raw.Time = at
		if d := e.Decide(t.Context(), raw); d.Outcome != authz.Allow {
			t.Fatalf("%s %s", d.Reason, d.Detail)
		}
		at = Now.Add(after)
		raw.Time = at
		if d := e.Decide(t.Context(), raw); d.Outcome == authz.Allow {
			t.Errorf("a proof is accepted again after %s", after)
		}
	}
}
