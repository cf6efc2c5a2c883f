//go:build e2e

package cases

import (
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/engine"
)

// How long a key works after its Secret was deleted, on the slower of two replicas, in a cluster of 10,000
// policies and 10,000 Secrets, each with a key. The first iterations come while statuses are still written.
//
//	go test -tags e2e -run '^$' -bench Cluster -benchtime 200x ./test/cases
func BenchmarkClusterOf10000PoliciesRevokesAKey(b *testing.B) {
	const n, makers = 10_000, 8
	c := startCluster(b)
	var made sync.WaitGroup
	for first := range makers {
		made.Go(func() {
			for i := first; i < n; i += makers {
				c.do(b, "POST", collection("AgentAuthPolicy", "shop"), "application/yaml", fmt.Appendf(nil, `
apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: p-%[1]d}
spec:
  routes: [{hostnames: [p-%[1]d.example.com]}]
  authentication: {methods: [{name: keys, apiKey: {selector: {matchLabels: {for: p-%[1]d}}}}]}
  authorization: {rules: [{name: r, require: identity.subject == "p-%[1]d"}]}
`, i))
				c.do(b, "POST", collection("Secret", "shop"), "application/yaml", fmt.Appendf(nil, `
apiVersion: v1
kind: Secret
metadata: {name: p-%[1]d, labels: {agentauth.dev/use: api-key, for: p-%[1]d}, annotations: {agentauth.dev/plain-keys: "*"}}
stringData: {first: the-api-key-of-policy-%[1]d}
`, i))
			}
		})
	}
	made.Wait()

	var lists, writes atomic.Int64 // requests of the replicas
	c.rest.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			switch {
			case strings.Contains(r.URL.Path, "/leases/"): // not of policies
			case r.Method != http.MethodGet:
				writes.Add(1)
			case r.URL.Query().Get("watch") == "":
				lists.Add(1)
			}
			return next.RoundTrip(r)
		})
	})
	before := heap()
	start := time.Now()
	var replicas []*engine.Engine
	for range 2 {
		e := newEngine(b, File{}, engine.Input{})
		follow(b, c, e, nil)
		replicas = append(replicas, e)
	}
	ready, held := time.Since(start)/2, (heap()-before)/2

	listed := lists.Load()

	var took []time.Duration
	i := 0
	for b.Loop() {
		raw := authz.Raw{Method: "GET", Scheme: "https", TLS: true, Host: fmt.Sprintf("p-%d.example.com", i), Path: "/", Time: Now,
			Headers: []authz.Header{{Name: "x-api-key", Value: fmt.Sprintf("the-api-key-of-policy-%d", i)}}}
		works := func(e *engine.Engine) bool { return e.Decide(b.Context(), raw).Outcome == authz.Allow }
		if !works(replicas[0]) || !works(replicas[1]) {
			b.Fatalf("key %d does not work", i)
		}
		c.do(b, "DELETE", fmt.Sprintf("%s/p-%d", collection("Secret", "shop"), i), "", nil)
		deleted := time.Now()
		for works(replicas[0]) || works(replicas[1]) {
			if time.Since(deleted) > 10*time.Second {
				b.Fatalf("key %d still works", i)
			}
			time.Sleep(time.Millisecond) // what is measured is longer
		}
		took = append(took, time.Since(deleted))
		i++
	}
	if again := lists.Load() - listed; again > 0 {
		b.Errorf("expected changes to be watched, and %d lists were asked for", again)
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Milliseconds()), "ms-p50")
	b.ReportMetric(float64(took[len(took)*99/100].Milliseconds()), "ms-p99")
	b.ReportMetric(float64(took[len(took)-1].Milliseconds()), "ms-max")
	b.ReportMetric(float64(ready.Milliseconds()), "ms-to-ready")
	b.ReportMetric(float64(held>>20), "MiB-a-replica")
	b.ReportMetric(float64(listed), "lists-to-ready")
	b.ReportMetric(float64(writes.Load()), "status-writes")
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
