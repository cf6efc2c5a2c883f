package engine

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/jwks"
	"github.com/agentauth-dev/agentauth/authz/pool"
)

func issuers(names ...string) Input {
	var in Input
	for _, n := range names {
		in.Policies = append(in.Policies, onHost(n, n+".example.com", partners("https://"+n+".example.com")))
	}
	return in
}

// state tells what was done to the key sets, in the order they were made.
func (w *world) state() string {
	out := ""
	for _, f := range w.made {
		s := "new"
		switch {
		case f.closed.Load() > 1 || f.started.Load() > 1:
			s = "twice"
		case f.closed.Load() == 1:
			s = "closed"
		case f.started.Load() == 1:
			s = "runs"
		}
		out += " " + f.src.Issuer[len("https://"):len("https://")+1] + ":" + s
	}
	return out
}

func TestAKeySetRunsWhileASnapshotInForceUsesIt(t *testing.T) {
	e, w := newWorld(Options{})
	expect := func(step, want string) {
		t.Helper()
		if got := w.state(); got != want {
			t.Errorf("%s: expected%s, got%s", step, want, got)
		}
	}
	s, _ := e.Compile(issuers("a", "b"))
	expect("compiled only", " a:new b:new")
	e.Swap(s)
	expect("in force", " a:runs b:runs")
	e.Swap(s)
	expect("in force once more", " a:runs b:runs")
	load(t, e, issuers("a", "b", "c"))
	expect("one more", " a:runs b:runs c:runs")
	load(t, e, issuers("b"))
	expect("less", " a:closed b:runs c:closed")
	load(t, e, issuers("a", "b"))
	expect("again", " a:closed b:runs c:closed a:runs")
	e.Compile(issuers("d"))
	load(t, e, issuers("a", "b"))
	expect("compiled and dropped", " a:closed b:runs c:closed a:runs d:closed")
	e.Close()
	expect("closed", " a:closed b:closed c:closed a:closed d:closed")
	e.Close()
	expect("closed twice", " a:closed b:closed c:closed a:closed d:closed")
}

func TestPoliciesShareAKeySetOfOneSource(t *testing.T) {
	e, w := newWorld(Options{})
	uri := partners(idp)
	uri.JWT.JWKS = &v1alpha1.JWKS{URI: "https://idp.example.com"} // the same text, but a URL of keys
	ca := partners(idp)
	ca.JWT.CACertificates = &v1alpha1.CACertificates{ConfigMapRef: &v1alpha1.ObjectKeyReference{Name: "ca"}}
	load(t, e, Input{
		Policies: []*v1alpha1.AgentAuthPolicy{
			onHost("one", "one.example.com", partners(idp)), onHost("two", "two.example.com", partners(idp)),
			onHost("uri", "uri.example.com", uri), onHost("ca", "ca.example.com", ca),
		},
		ConfigMaps: []*Object{object("ca", v1alpha1.UseCA, map[string]string{"ca.crt": certificate(t)})},
	})
	if len(w.made) != 3 {
		t.Errorf("expected three key sets (shared, by URL, by another CA), got %d", len(w.made))
	}
	if n := len(e.Remotes()); n != 3 {
		t.Errorf("expected three to be listed, got %d", n)
	}
}

func TestASharedKeySetTakesTheTurnsOfTheTenantWithTheFewestSets(t *testing.T) {
	shared, many := partners(idp), func(namespace string, n int) (out []*v1alpha1.AgentAuthPolicy) {
		for i := range n {
			name := fmt.Sprint(namespace, i)
			out = append(out, of(namespace, onHost(name, name+".example.com", partners("https://"+name+".example.com"))))
		}
		return out
	}
	hostile := of("a-hostile", onHost("shared", "a.example.com", shared))
	victim := of("victim", onHost("shared", "b.example.com", shared))
	other := of("other", onHost("shared", "c.example.com", shared))
	e, w := newWorld(Options{})
	turnsOf := func() string {
		for _, f := range w.made {
			if f.src.Issuer == idp {
				return f.src.Tenant()
			}
		}
		return "nobody"
	}
	for _, step := range []struct {
		want     string
		policies []*v1alpha1.AgentAuthPolicy
	}{
		{"a-hostile", append(many("a-hostile", 9), hostile)},
		{"victim", append(many("a-hostile", 9), hostile, victim)},
		{"other", append(many("a-hostile", 9), hostile, victim, other)}, // as few, and first by name
		{"victim", append(many("other", 9), victim, other)},
	} {
		load(t, e, Input{Policies: step.policies})
		if got := turnsOf(); got != step.want {
			t.Errorf("expected the turns of %s, got %s", step.want, got)
		}
	}
}

func TestACheckEndsWithTheSnapshotItBeganWith(t *testing.T) {
	e, w := newWorld(Options{})
	asked, answer := make(chan struct{}), make(chan struct{})
	w.lookup = func(context.Context, string, string) ([]jwks.Key, error) {
		close(asked)
		<-answer
		return []jwks.Key{{Algorithms: []string{"ES256"}, Public: signingKey().Public()}}, nil
	}
	load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{setting(onHost("p", "api.example.com", partners(idp)), "x-version", "'old'")}})
	done := make(chan authz.Decision)
	go func() {
		done <- e.Decide(context.Background(), get("api.example.com", "/", header("authorization", "Bearer "+tokenOf(t, idp))))
	}()
	<-asked
	load(t, e, Input{})
	if w.made[0].closed.Load() != 1 {
		t.Error("the key set that nothing uses any more was not closed")
	}
	decided(t, e.Decide(t.Context(), get("api.example.com", "/")), authz.Deny, 403, authz.NoPolicy)
	close(answer)
	d := <-done
	decided(t, d, authz.Allow, 0, authz.Allowed)
	if len(d.Set) != 1 || d.Set[0].Value != "old" {
		t.Errorf("got %v", d.Set)
	}
}

func TestWaitEndsWhenEveryKeySetWasTried(t *testing.T) {
	e, w := newWorld(Options{})
	w.untried = true
	e.Wait(t.Context()) // nothing is in force
	load(t, e, issuers("a", "b"))
	done := make(chan struct{})
	go func() { e.Wait(context.Background()); close(done) }()
	w.made[0].try()
	select {
	case <-done:
		t.Fatal("it ended before the second was tried")
	default:
	}
	w.made[1].try()
	select {
	case <-done:
	case <-time.After(4 * time.Second):
		t.Error("it did not end though both were tried")
	}
}

func TestWaitEndsWithItsContextAndAfterItsLimit(t *testing.T) {
	e, w := newWorld(Options{})
	w.untried = true
	s := load(t, e, issuers("a"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	e.Wait(ctx)
	start := time.Now()
	pool.Wait(context.Background(), s.used, 10*time.Millisecond)
	if took := time.Since(start); took > 4*time.Second {
		t.Errorf("a set that is never tried was waited for: %s", took)
	}
}
