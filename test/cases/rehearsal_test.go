package cases

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/store"
	"github.com/agentauth-dev/agentauth/authz/upstream"
	"github.com/agentauth-dev/agentauth/authz/verified"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// A decision that is explained on a server is the one that a proxy gets, but for what a
// rehearsal does not ask.
func TestARehearsalDecidesEveryCase(t *testing.T) {
	unasked := map[authz.Reason]bool{authz.ProofReplayed: true, authz.UpstreamTokenRefused: true, authz.UpstreamTokenUnavailable: true}
	forEachFile(t, func(t *testing.T, f File) {
		e := plainEngine(t, f)
		forEachCase(t, f, func(t *testing.T, c Case) {
			got, steps := rehearse(t, e, c.Raw)
			want := e.Decide(t.Context(), c.Raw) // after it: nothing was used up
			if err := Check(&want, c.Want, true); err != nil {
				t.Errorf("after a rehearsal: %v", err)
			}
			if len(steps) == 0 {
				t.Error("a rehearsal without steps")
			}
			if unasked[want.Reason] && got.Reason == authz.Allowed {
				return
			}
			if got.Outcome != want.Outcome || got.Reason != want.Reason || got.Status != want.Status || got.Policy != want.Policy || got.Rule != want.Rule || got.Method != want.Method {
				t.Errorf("rehearsed\n%s\nand the decision was\n%s", describe(got), describe(want))
			}
		})
	})
}

func rehearse(t *testing.T, e *engine.Engine, raw authz.Raw) (authz.Decision, []authz.Step) {
	t.Helper()
	trace := &authz.Trace{Rehearsal: true}
	d := e.Try(t.Context(), raw, trace)
	return d, trace.Steps
}

func TestARehearsalUsesUpNoProof(t *testing.T) {
	f, in := proofs(t)
	e := provingEngine(t, f, in, verified.New(verified.Options{Bytes: 1 << 20}), store.NewMemory(1<<20, nil))
	raw := proven(t, "api.example.com", expand(t, "${jwt rsa1 RS256 "+boundClaims+"}"), "a")
	for _, c := range []struct {
		decide bool
		want   authz.Reason
	}{{false, authz.Allowed}, {false, authz.Allowed}, {true, authz.Allowed}, {true, authz.ProofReplayed}, {false, authz.Allowed}} {
		if c.decide {
			if d := e.Decide(t.Context(), raw); d.Reason != c.want {
				t.Errorf("decided: expected %s, got %s", c.want, d.Reason)
			}
			continue
		}
		d, steps := rehearse(t, e, raw)
		if d.Reason != c.want {
			t.Errorf("rehearsed: expected %s, got %s", c.want, d.Reason)
		}
		if !said(steps, "whether the proof was used before is not asked when a decision is only explained") {
			t.Errorf("nobody says what was not asked: %+v", steps)
		}
	}
	raw.Headers = raw.Headers[:1]
	if d, _ := rehearse(t, e, raw); d.Reason != authz.ProofRequired {
		t.Errorf("a proof is needed all the same: got %s", d.Reason)
	}
}

func said(steps []authz.Step, text string) bool {
	for _, s := range steps {
		if strings.HasSuffix(s.Detail, text) {
			return true
		}
	}
	return false
}

type countedEndpoint struct {
	tokenEndpoint
	asked *atomic.Int32
}

func (e countedEndpoint) Token(ctx context.Context, c upstream.Caller) (string, error) {
	e.asked.Add(1)
	return e.tokenEndpoint.Token(ctx, c)
}

func TestARehearsalAsksForNoTokenForTheUpstream(t *testing.T) {
	in, err := load(`apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: api, namespace: shop}
spec:
  routes: [{hostnames: [api.example.com]}]
  authentication: {methods: [{name: everybody, anonymous: {}}]}
  response: {upstream: {token: {clientCredentials: {tokenEndpoint: https://idp.example.com/token, clientCredentials: {secretRef: {name: client}}}}}}
---
apiVersion: v1
kind: Secret
metadata: {name: client, namespace: shop, labels: {agentauth.dev/use: client}}
stringData: {client-id: agentauth, client-secret: secret-of-agentauth-as-a-client}
`)
	if err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int32
	e := engine.New(engine.Deps{Scheduler: work.New(work.Options{}), Remote: engine.Remote{Tokens: func(s upstream.Settings) engine.TokenServer {
		return countedEndpoint{tokenEndpoints(s).(tokenEndpoint), &asked}
	}}}, engine.Options{OneTenant: true})
	defer e.Close()
	snapshot, reports := e.Compile(in)
	for _, r := range reports {
		for _, p := range r.Problems {
			t.Fatal(p)
		}
	}
	e.Swap(snapshot)
	raw := authz.Raw{Method: "GET", Scheme: "https", Host: "api.example.com", Path: "/", TLS: true, Time: Now}
	d, _ := rehearse(t, e, raw)
	if d.Outcome != authz.Allow || asked.Load() != 0 || d.Token != "authorization" {
		t.Errorf("expected an allowance and no question, got %+v and %d", d, asked.Load())
	}
	if shown := d.Shown(); len(shown) != 1 || shown[0].Value != "(a token)" || d.Set[0].Value != "" {
		t.Errorf("got %+v", d.Set)
	}
	if d := e.Decide(t.Context(), raw); d.Outcome != authz.Allow || asked.Load() != 1 {
		t.Errorf("expected an allowance and one question, got %+v and %d", d, asked.Load())
	}
}
