//go:build e2e && !quick

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/test/parts"
)

// behind is a replica that reaches the API server through a proxy, by which the API server can be made to fail
// for this replica alone.
type behind struct {
	*parts.Agentauth
	proxy *parts.APIProxy
}

// behindProxy starts a replica that is ready, before which the proxy does fault.
func (k *kube) behindProxy(t *testing.T, name string, fault parts.Fault, args ...string) *behind {
	t.Helper()
	dir := subdir(t, parts.TestDir(t), name)
	proxy, err := k.StartAPIProxy(dir, k.account)
	must(t, err)
	t.Cleanup(func() { must(t, proxy.Stop()) })
	proxy.Do(fault)
	return &behind{startAgentauth(t, dir, append([]string{"--kubeconfig", proxy.Kubeconfig}, args...)...), proxy}
}

// steadily asks about a key that is good and one that is not, and whether the replica is ready, until the
// returned function is called: no answer may ever be another than before.
func steadily(t *testing.T, a *behind, host, key string) (stop func()) {
	t.Helper()
	var asked, wrong atomic.Int64
	var running sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	is := func(key string, want authz.Outcome, status int) {
		d, err := ask(t, a.Agentauth, host, key)
		if err != nil || d.Outcome != want || d.Status != status {
			if wrong.Add(1) <= 5 {
				t.Errorf("%s: expected %s %d, got %s %d, %v", host, want, status, d.Outcome, d.Status, err)
			}
		}
		asked.Add(1)
	}
	running.Go(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			is(key, authz.Allow, 0)
			is(othersKey, authz.Deny, http.StatusUnauthorized)
			if _, err := a.Get(t.Context(), "/readyz"); err != nil && wrong.Add(1) <= 5 {
				t.Errorf("expected ready, got %v", err)
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
	return sync.OnceFunc(func() {
		cancel()
		running.Wait()
		t.Logf("%d checks, %d wrong", asked.Load(), wrong.Load())
	})
}

// lists counts how often all there is of a kind was read.
func (a *behind) lists() int {
	return len(a.proxy.Requests(parts.APIRequest.Lists))
}

// statusWrites are the writes of a policy's status.
func (a *behind) statusWrites(policy string) []parts.APIRequest {
	return a.proxy.Requests(func(r parts.APIRequest) bool {
		return r.Resource() == "agentauthpolicies/status" && r.Method != http.MethodGet && strings.HasSuffix(r.URL.Path, "/"+policy+"/status")
	})
}

// gone is what an API server says that does not remember what the client saw last.
const gone = `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"too old resource version","reason":"Expired","code":410}`

// respond answers with a status and a body.
func respond(w http.ResponseWriter, status int, body string, headers ...string) {
	w.Header().Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		w.Header().Set(headers[i], headers[i+1])
	}
	w.WriteHeader(status)
	fmt.Fprint(w, body)
}

// label makes a DNS label of a test's name.
func label(name string) string { return "n-" + strings.ToLower(strings.ReplaceAll(name, " ", "-")) }

// busiest is the path that was asked for most within some time, and how often.
func (a *behind) busiest(within time.Duration) (path string, most int) {
	times := map[string][]time.Time{}
	for _, r := range a.proxy.Requests(func(parts.APIRequest) bool { return true }) {
		of := append(times[r.URL.Path], r.At)
		for r.At.Sub(of[0]) > within {
			of = of[1:]
		}
		if times[r.URL.Path] = of; len(of) > most {
			path, most = r.URL.Path, len(of)
		}
	}
	return path, most
}
