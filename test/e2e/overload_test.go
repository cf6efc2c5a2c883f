//go:build e2e

package e2e

import (
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/agentauth-dev/agentauth/test/parts"
)

func TestAFloodOfPasswordsIsTurnedAwayAndStarvesNobodyElse(t *testing.T) {
	dir := parts.TestDir(t)
	policies := subdir(t, dir, "policies")
	hash, err := bcrypt.GenerateFromPassword([]byte(password), hashCost)
	must(t, err)
	staff := func(name string) string {
		return loadPolicy(name, "/"+name, "{name: staff, basic: {users: {secretRef: {name: staff}}, allowPlaintext: true}}", "")
	}
	write(t, filepath.Join(policies, "flood.yaml"), staff("flooded")+staff("neighbour")+
		"---\napiVersion: v1\nkind: Secret\nmetadata: {name: staff, namespace: e2e, labels: {agentauth.dev/use: basic}}\nstringData: {auth: \"alice:"+string(hash)+"\\n\"}\n")
	write(t, filepath.Join(policies, "keys.yaml"), plain{}.manifest())
	upstream := startUpstream(t)
	agentauth := startAgentauth(t, dir, "--policies", policies)
	w := way{name: "flood", envoy: startEnvoy(t, parts.EnvoyConfig{
		Dir: dir, Upstream: upstream.Address, Door: parts.Door{Address: agentauth.GRPCAddress}, StatusOnError: http.StatusInternalServerError,
	})}
	expect(t, w, get("/neighbour", "authorization: "+basic("alice", password)), 200)
	before := upstream.Count()

	const callers = 60
	var group sync.WaitGroup
	var guesses, late atomic.Int64
	over := make(chan struct{})
	for range callers {
		group.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				guess := basic("alice", "a-guess-of-number-"+itoa(int(guesses.Add(1))))
				switch got := w.send(t, get("/flooded", "authorization: "+guess)); {
				case got.status == 401, got.status == 503 && got.header.Get("retry-after") != "":
				case got.status == http.StatusInternalServerError:
					late.Add(1)
				default:
					t.Errorf("expected 401, or 503 with Retry-After, got %d %v: %s", got.status, got.header, got.body)
				}
			}
		})
	}
	within(t, 20*time.Second, "the queue is full", func() error {
		return w.answers(t, get("/flooded", "authorization: "+basic("alice", "one-guess-more")), 503)
	})
	for range 10 {
		start := time.Now()
		expect(t, w, get("/keys", "x-api-key: "+loadKeys[0]), 200)
		if took := time.Since(start); took > time.Second {
			t.Errorf("a key was looked up in %s while passwords flood in", took)
		}
	}
	within(t, 10*time.Second, "another policy's passwords have their turn", func() error {
		return w.answers(t, get("/neighbour", "authorization: "+basic("alice", "a guess at another policy")), 401)
	})
	close(over)
	group.Wait()
	t.Logf("%d guesses, for %d of them Envoy did not wait", guesses.Load(), late.Load())
	if reached := upstream.Count() - before; reached != 10 {
		t.Errorf("expected the 10 requests with a key to reach the upstream, %d did", reached)
	}
	if metric(t, agentauth, "agentauth_decisions_total", `policy="e2e/flooded"`, `reason="Overloaded"`) == 0 {
		t.Error("what was turned away is not counted as Overloaded")
	}
}

func TestACheckThatTakesTooLongIsAnsweredByAgentauthBeforeEnvoyGivesUp(t *testing.T) {
	u := startUnderWay(t)
	defer close(u.release)
	hasty := way{name: "hasty", envoy: startEnvoy(t, parts.EnvoyConfig{
		Dir: subdir(t, filepath.Dir(u.agentauth.Log), "hasty"), Upstream: u.upstream.Address,
		Door: parts.Door{Address: u.agentauth.GRPCAddress}, Timeout: 500 * time.Millisecond, StatusOnError: http.StatusInternalServerError,
	})}
	// A busy machine may be late once, but not always.
	within(t, 4*time.Second, "503 of agentauth", func() error { return hasty.answers(t, u.call, 503) })
	if u.upstream.Count() != 0 {
		t.Error("a request reached the upstream")
	}
}
