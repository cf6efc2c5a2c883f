//go:build e2e

package e2e

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"text/template"
	"time"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// rollingEnvoy is an Envoy with several replicas behind one cluster, with the settings of docs/envoy.md.
//
//go:embed testdata/rolling.yaml.tmpl
var rollingEnvoy string

// rollingConfig fills rollingEnvoy in.
type rollingConfig struct {
	Upstream string
	Replicas []string
	TLS      *parts.DoorTLS // default: plaintext
}

// startRollingEnvoy runs Envoy with the configuration.
func startRollingEnvoy(t *testing.T, dir string, c rollingConfig) *parts.Envoy {
	t.Helper()
	host := func(address string) string { h, _, _ := strings.Cut(address, ":"); return h }
	port := func(address string) string { _, p, _ := strings.Cut(address, ":"); return p }
	var text bytes.Buffer
	must(t, template.Must(template.New("").Funcs(template.FuncMap{"host": host, "port": port}).Parse(rollingEnvoy)).Execute(&text, c))
	envoy, err := parts.RunEnvoy(t.Context(), dir, text.Bytes())
	must(t, err)
	t.Cleanup(func() { _ = envoy.Stop() })
	return envoy
}

// replica is an agentauth that is started again at its address.
type replica struct {
	*parts.Agentauth
	address, dir string
	args         []string
}

func (r *replica) start(t *testing.T) {
	t.Helper()
	var err error
	r.Agentauth, err = parts.StartAgentauth(t.Context(), parts.AgentauthConfig{
		Dir: r.dir, Binary: binary, Args: append([]string{"--grpc-address", r.address}, r.args...),
	})
	must(t, err)
}

// end sends SIGTERM and waits for exit code 0.
func (r *replica) end(t *testing.T) {
	t.Helper()
	must(t, r.Signal(syscall.SIGTERM))
	if code := r.ExitCode(); code != 0 {
		t.Errorf("expected exit code 0, got %d; the log is %s", code, r.Log)
	}
}

// startReplicas starts n replicas of one directory of policies.
func startReplicas(t *testing.T, dir string, n int, args ...string) (out []*replica, addresses []string) {
	t.Helper()
	for i := range n {
		port, err := parts.FreePort()
		must(t, err)
		r := &replica{address: "127.0.0.1:" + itoa(port), dir: subdir(t, dir, fmt.Sprintf("replica-%d", i)), args: args}
		r.start(t)
		t.Cleanup(func() {
			r.Kill()
			keepEvidence(t, r.Agentauth, nil)
		})
		out, addresses = append(out, r), append(addresses, r.address)
	}
	return out, addresses
}

// rolledLoad is a load of so many requests a second, whatever the answers take. Every second request has a key.
type rolledLoad struct {
	sent, wrong atomic.Int64
	mu          sync.Mutex
	first       []string // of what was wrong
	stop        chan struct{}
	done        sync.WaitGroup
}

func startRolledLoad(url string, perSecond int) *rolledLoad {
	s := &rolledLoad{stop: make(chan struct{})}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	s.done.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(perSecond))
		defer tick.Stop()
		began := time.Now()
		for {
			select {
			case <-s.stop:
				return
			case <-tick.C:
				n := s.sent.Add(1)
				s.done.Go(func() { s.send(client, url, n%2 == 0, began) })
			}
		}
	})
	return s
}

func (s *rolledLoad) send(client *http.Client, url string, withKey bool, began time.Time) {
	request, err := http.NewRequest(http.MethodGet, url, nil)
	want := http.StatusUnauthorized
	got := ""
	if err == nil {
		request.Host = "api.example.com"
		if withKey {
			request.Header.Set("x-api-key", rollingKey)
			want = http.StatusOK
		}
		var answer *http.Response
		if answer, err = client.Do(request); err == nil {
			_, _ = io.Copy(io.Discard, answer.Body)
			_ = answer.Body.Close()
			got = answer.Status
			if answer.StatusCode == want {
				return
			}
		}
	}
	s.wrong.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.first) < 10 {
		s.first = append(s.first, fmt.Sprintf("after %s: expected %d, got %q, %v", time.Since(began).Round(time.Millisecond), want, got, err))
	}
}

// end waits for the answers that are due and says how many were not as they should be.
func (s *rolledLoad) end() (sent, wrong int64, first string) {
	close(s.stop)
	s.done.Wait()
	return s.sent.Load(), s.wrong.Load(), strings.Join(s.first, "\n")
}

const rollingKey = "the-key-of-the-rolling-robot-0001"

func rollingPolicies(t *testing.T, dir string) string {
	t.Helper()
	policies, digest := subdir(t, dir, "policies"), sha256.Sum256([]byte(credential(rollingKey)))
	write(t, filepath.Join(policies, "policy.yaml"), `apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: orders, namespace: shop}
spec:
  routes: [{hostnames: [api.example.com]}]
  authentication: {methods: [{name: keys, apiKey: {selector: {matchLabels: {team: a}}}}]}
---
apiVersion: v1
kind: Secret
metadata: {name: robot, namespace: shop, labels: {agentauth.dev/use: api-key, team: a}}
stringData: {key: "sha256:`+hex.EncodeToString(digest[:])+`"}
`)
	return policies
}

// Each of two replicas is restarted in its turn, as an upgrade does, and no request fails for it.
func TestARollingRestartOfTwoReplicasFailsNoRequest(t *testing.T) {
	dir := parts.TestDir(t)
	upstream := startUpstream(t)
	replicas, addresses := startReplicas(t, dir, 2, "--policies", rollingPolicies(t, dir), "--drain-delay", "3s")
	envoy := startRollingEnvoy(t, subdir(t, dir, "envoy"), rollingConfig{Upstream: upstream.Address, Replicas: addresses})
	parts.Within(t, 20*time.Second, func() error { return bothHealthy(t, envoy, 2) })
	load := startRolledLoad(envoy.HTTP()+"/orders", 200)
	for range 2 { // rounds
		for _, r := range replicas {
			time.Sleep(time.Second) // of load
			r.end(t)
			time.Sleep(time.Second) // one replica has all of it
			r.start(t)
			parts.Within(t, 20*time.Second, func() error { return bothHealthy(t, envoy, 2) })
		}
	}
	sent, wrong, first := load.end()
	t.Logf("%d requests, %d wrong", sent, wrong)
	if wrong > 0 || sent < 500 {
		t.Errorf("expected no request to fail of 500 or more, got %d of %d:\n%s", wrong, sent, first)
	}
}

// bothHealthy says whether Envoy takes n endpoints of agentauth for healthy.
func bothHealthy(t *testing.T, envoy *parts.Envoy, n int) error {
	text, err := envoy.Get(t.Context(), "/stats?filter=cluster.agentauth.membership_healthy")
	if err != nil {
		return err
	}
	if want := fmt.Sprintf("membership_healthy: %d", n); !strings.Contains(string(text), want) {
		return fmt.Errorf("expected %s, got %s", want, text)
	}
	return nil
}
