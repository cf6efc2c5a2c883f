//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// soakFor is how long the soak lasts: SOAK_DURATION (`make soak DURATION=10m`), else half a minute.
func soakFor(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("SOAK_DURATION")
	if text == "" {
		return 30 * time.Second
	}
	d, err := time.ParseDuration(text)
	must(t, err)
	return d
}

// Policies come, change and go twice a second while 100 requests a second are decided, and two replicas are restarted
// in turn. No decision is wrong and none is missing; the memory at the start, in the middle and at the end is told.
func TestASoakOfPoliciesThatComeAndGoDecidesEveryRequestRightly(t *testing.T) {
	dir, lasts := parts.TestDir(t), soakFor(t)
	upstream := startUpstream(t)
	policies := rollingPolicies(t, dir)
	replicas, addresses := startReplicas(t, dir, 2, "--policies", policies, "--drain-delay", "3s")
	envoy := startRollingEnvoy(t, subdir(t, dir, "envoy"), rollingConfig{Upstream: upstream.Address, Replicas: addresses})
	parts.Within(t, 20*time.Second, func() error { return bothHealthy(t, envoy, 2) })
	load, ends := startRolledLoad(envoy.HTTP()+"/orders", 100), time.Now().Add(lasts)
	table := "requests  resident memory of the replicas\n"
	note := func() {
		table += fmt.Sprintf("%8d  %s  %s\n", load.sent.Load(), resident(t, replicas[0]), resident(t, replicas[1]))
	}
	note()
	restart := time.Now().Add(lasts / 2)
	for n := 0; time.Now().Before(ends); n++ {
		churn(t, policies, n)
		time.Sleep(500 * time.Millisecond)
		if time.Now().After(restart) {
			note()
			restart = ends.Add(time.Hour)
			r := replicas[n%2]
			r.end(t)
			r.start(t)
			parts.Within(t, 20*time.Second, func() error { return bothHealthy(t, envoy, 2) })
		}
	}
	note()
	sent, wrong, first := load.end()
	t.Logf("%s: %d requests, %d wrong\n%s", lasts, sent, wrong, table)
	if wrong > 0 || sent < 500 {
		t.Errorf("expected no wrong answer of 500 or more, got %d of %d:\n%s", wrong, sent, first)
	}
}

// churn writes, changes or removes one of a few policies beside the one that is asked for.
func churn(t *testing.T, policies string, n int) {
	t.Helper()
	file := filepath.Join(policies, fmt.Sprintf("extra-%d.yaml", n%7))
	if n%3 == 2 {
		if err := os.Remove(file); err != nil && !os.IsNotExist(err) {
			t.Error(err)
		}
		return
	}
	text := fmt.Sprintf(`apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: extra-%d, namespace: shop}
spec:
  routes: [{hostnames: [extra-%d.example.com]}]
  authentication: {methods: [{name: anybody, anonymous: {}}]}
  response: {upstream: {headers: [{name: x-round, value: '"%d"'}]}}
`, n%7, n%7, n)
	must(t, os.WriteFile(file+".new", []byte(text), 0o600))
	must(t, os.Rename(file+".new", file))
}

var residentLine = regexp.MustCompile(`VmRSS:\s*(\d+ kB)`)

// resident is how much memory a replica has.
func resident(t *testing.T, r *replica) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.Pid()))
	must(t, err)
	if m := residentLine.FindSubmatch(text); m != nil {
		return string(m[1])
	}
	return "?"
}
