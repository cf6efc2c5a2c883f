//go:build e2e && !quick

package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/extauthz"
	"github.com/agentauth-dev/agentauth/test/parts"
)

const (
	// chartMemory is the chart's limit of a pod.
	chartMemory = 1 << 30
	// revocations are how many keys of the victim come and go.
	revocations = 60
	// checkTime is the time that docs/envoy.md gives a check.
	checkTime = 2 * time.Second
)

// A tenant that goes to every limit of the API, and one that only wants to work. Two replicas under the memory of the
// chart serve both.
func TestATenantAtEveryLimitHurtsNobodyElse(t *testing.T) {
	k := useKube(t)
	evil, victim := k.namespace(t, "hostile"), k.namespace(t, "victim")
	limited := underMemory(t, chartMemory)
	replica := func(name string) *parts.Agentauth {
		return startLimited(t, limited, subdir(t, parts.TestDir(t), name), "--kubeconfig", k.account,
			"--hostnames", victim+"=*.victim.test,"+evil+"=*.hostile.test")
	}
	both := []*parts.Agentauth{replica("one"), replica("two")}

	lasting := credential("victims-key-that-lasts-all-the-time")
	k.apply(t, keysOn(victim, "lasts", "lasts.victim.test", lasting))
	k.apply(t, keysOn(victim, "turns", "turns.victim.test", credential("victims-key-that-comes-and-goes-0")))
	for _, a := range both {
		answers(t, soon, a, "lasts.victim.test", lasting, 0)
	}
	h := hostileTenant{t: t, kube: k, namespace: evil}
	h.begin()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan struct{})
	go func() { defer close(ended); h.churn(ctx) }()
	steady := k.steadily(ctx, t, both, "lasts.victim.test", lasting)

	var took []time.Duration
	for i := range revocations {
		key := credential(fmt.Sprintf("victims-key-that-comes-and-goes-%d", i+1))
		k.put(t, "secrets", victim, "turns", keySecretOf(victim, "turns", key))
		for _, a := range both {
			answers(t, 20*time.Second, a, "turns.victim.test", key, 0)
		}
		k.put(t, "secrets", victim, "turns", keySecretOf(victim, "turns", credential("victims-key-that-nobody-has-yet")))
		gone := time.Now()
		for _, a := range both {
			answers(t, 20*time.Second, a, "turns.victim.test", key, 401)
		}
		took = append(took, time.Since(gone))
	}
	began := time.Now()
	fresh := replica("fresh")
	ready := time.Since(began)
	answers(t, soon, fresh, "lasts.victim.test", lasting, 0)
	answers(t, 20*time.Second, fresh, "fine.hostile.test", "", 0)
	stop()
	<-ended
	slices.Sort(took)
	p90, worst := took[len(took)*9/10], took[len(took)-1]
	sent, wrong := steady()
	t.Logf("revocations on both replicas: median %s, p90 %s, worst %s; a fresh replica is ready after %s; %d checks of the victim, %d wrong",
		took[len(took)/2], p90, worst, ready, sent, wrong)
	if p90 > time.Second || worst > 3*time.Second {
		t.Errorf("expected revocations within a second, got p90 %s and at worst %s", p90, worst)
	}
	if ready > 20*time.Second {
		t.Errorf("expected a fresh replica to be ready within 20s, got %s", ready)
	}
	if sent < 100 || wrong > 0 {
		t.Errorf("expected every check of the victim to be answered in its time, got %d wrong of %d", wrong, sent)
	}
	for _, a := range append(both, fresh) {
		if peak := peakMemory(t, a); peak > chartMemory {
			t.Errorf("expected at most %d MiB, got %d", chartMemory>>20, peak>>20)
		} else {
			t.Logf("peak memory: %d MiB", peak>>20)
		}
	}
}

// steadily asks every replica for the victim until ctx ends. The function that it returns waits for that, and says how
// many checks were sent and how many were answered wrongly or late.
func (k *kube) steadily(ctx context.Context, t *testing.T, replicas []*parts.Agentauth, host, key string) func() (sent, wrong int) {
	t.Helper()
	done := make(chan struct{})
	sent, wrong := 0, 0
	raw := authz.Raw{Method: "GET", Scheme: "https", TLS: true, Host: host, Path: "/", Headers: []authz.Header{{Name: "x-api-key", Value: key}}}
	go func() {
		defer close(done)
		for tick := time.NewTicker(50 * time.Millisecond); ; {
			select {
			case <-ctx.Done():
				tick.Stop()
				return
			case <-tick.C:
			}
			for _, a := range replicas {
				asked, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTime)
				d, err := extauthz.Ask(asked, a.GRPCAddress, raw)
				cancel()
				if sent++; err != nil || d.Outcome != authz.Allow {
					if wrong++; wrong < 5 {
						t.Errorf("a check of the victim: %s %s %v", d.Outcome, d.Reason, err)
					}
				}
			}
		}
	}()
	return func() (int, int) { <-done; return sent, wrong }
}

// hostileTenant is a tenant at every limit of the API.
type hostileTenant struct {
	t         *testing.T
	kube      *kube
	namespace string
}

// begin makes its objects: each is admitted by the API server.
func (h hostileTenant) begin() {
	h.policy("fine", `{name: a, anonymous: {}}`, "fine", 1, "")
	for name, expression := range map[string]string{
		"types":      "[1]" + strings.Repeat(".map(i,{i:i})", 30) + "==[]",
		"values":     "[[[1]]]" + strings.Repeat(".map(i,[i,i])", 36) + ".map(i,i==i)[0]",
		"dyn":        "[dyn(1)]" + strings.Repeat(".map(i,[i,[i]])", 40) + "==[]",
		"optionals":  "[1]" + strings.Repeat(".map(i,optional.of({i:i}))", 20) + "==[]",
		"conditions": strings.Repeat("true?[{1:", 60) + "1" + strings.Repeat("}]:[]", 60) + "==[]",
	} {
		h.policy(name, `{name: a, anonymous: {}}`, name, 1, expression)
	}
	for i := range 4 {
		h.policy(fmt.Sprint("long-", i), `{name: a, anonymous: {}}`, fmt.Sprint("long", i), 1, strings.Repeat("request.path.contains('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')||", 68)+"true")
	}
	h.object("configmaps", "nobody-asks", 40, map[string]any{"binaryData": map[string]string{"jwks.json": base64.StdEncoding.EncodeToString(make([]byte, 700_000))}}, "jwks")
	entries := map[string]string{}
	for i := range 60_000 {
		entries[fmt.Sprint(i)] = ""
	}
	h.object("secrets", "empty", 1, map[string]any{"data": entries}, "api-key")
	lines := strings.Repeat("u:$2a$10$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuvwxyz01234\n", 10_000)
	for i := range 10_000 {
		lines = strings.Replace(lines, "u:", fmt.Sprintf("u%d:", i), 1)
		if i == 500 { // the rest are one user many times, which is a problem each
			break
		}
	}
	h.object("secrets", "users", 1, map[string]any{"data": map[string]string{"auth": base64.StdEncoding.EncodeToString([]byte(lines))}}, "basic")
	var keys, users []string
	for i := range 16 {
		keys = append(keys, fmt.Sprintf("{name: k%d, apiKey: {selector: {matchLabels: {for: empty}}, from: [{header: {name: x-%d}}]}}", i, i))
		users = append(users, fmt.Sprintf("{name: u%d, basic: {users: {secretRef: {name: users}}}}", i))
	}
	for i := range 10 {
		h.policy(fmt.Sprint("keys-", i), strings.Join(keys, ","), fmt.Sprint("keys", i), 1, "")
		h.policy(fmt.Sprint("users-", i), strings.Join(users, ","), fmt.Sprint("users", i), 1, "")
		h.policy(fmt.Sprint("matches-", i), `{name: a, anonymous: {}}`, fmt.Sprint("matches", i), 16, "")
	}
	h.statuses()
}

// churn changes its objects until ctx ends.
func (h hostileTenant) churn(ctx context.Context) {
	for i := 0; ctx.Err() == nil; i++ {
		for _, path := range []string{
			"/api/v1/namespaces/" + h.namespace + "/secrets/empty", "/api/v1/namespaces/" + h.namespace + "/secrets/users",
			"/api/v1/namespaces/" + h.namespace + "/configmaps/nobody-asks-0",
		} {
			h.patch(ctx, path, fmt.Sprintf(`{"metadata":{"annotations":{"touched":"%d"}}}`, i))
		}
		for _, name := range []string{"types", "values", "long-0", "keys-0", "users-0", "matches-0"} {
			h.patch(ctx, h.policyPath(name), fmt.Sprintf(`{"spec":{"response":{"metadata":{"n":"'%d'"}}}}`, i))
		}
		select {
		case <-ctx.Done():
		case <-time.After(300 * time.Millisecond):
		}
	}
}

// statuses writes what the API server takes for a time and Go does not.
func (h hostileTenant) statuses() {
	odd := `{"status":{"ancestors":[{"ancestorRef":{"name":"x"},"controllerName":"evil.example/x","conditions":[{"type":"X","status":"True","reason":"R","message":"","lastTransitionTime":"2024-01-01t00:00:00z"}]}]}}`
	h.patch(h.t.Context(), h.policyPath("fine")+"/status", odd)
}

func (h hostileTenant) policyPath(name string) string {
	return "/apis/agentauth.dev/v1alpha1/namespaces/" + h.namespace + "/agentauthpolicies/" + name
}

func (h hostileTenant) patch(ctx context.Context, path, patch string) {
	status, answer, err := h.kube.Do(ctx, "PATCH", path, "application/merge-patch+json", []byte(patch))
	if ctx.Err() == nil && (err != nil || status >= 300) {
		h.t.Errorf("%s: %d %.300s %v", path, status, answer, err)
	}
}

// policy makes one with routes of 64 hosts and matches each. An expression is required often.
func (h hostileTenant) policy(name, methods, host string, routes int, expression string) {
	var spec strings.Builder
	for r := range routes {
		fmt.Fprintf(&spec, "  - hostnames: [%s.hostile.test", host)
		for i := range 3 {
			fmt.Fprintf(&spec, ", r%dh%d.%s.hostile.test", r, i, host)
		}
		spec.WriteString("]\n    matches:\n")
		for i := range 16 {
			fmt.Fprintf(&spec, "    - path: {value: /r%d/m%d}\n", r, i)
		}
		if r == 0 {
			spec.WriteString("    - path: {value: /}\n")
		}
	}
	fmt.Fprintf(&spec, "  authentication:\n    methods: [%s]\n", methods)
	if expression != "" {
		spec.WriteString("  authorization:\n    rules:\n")
		for i := range 16 {
			fmt.Fprintf(&spec, "    - {name: r%d, require: %q}\n", i, expression)
		}
	}
	text := fmt.Sprintf("apiVersion: agentauth.dev/v1alpha1\nkind: AgentAuthPolicy\nmetadata: {name: %s, namespace: %s}\nspec:\n  routes:\n%s", name, h.namespace, &spec)
	h.kube.apply(h.t, text)
}

func (h hostileTenant) object(kind, name string, count int, content map[string]any, use string) {
	for i := range count {
		o := map[string]any{"apiVersion": "v1", "kind": map[string]string{"secrets": "Secret", "configmaps": "ConfigMap"}[kind]}
		full := name
		if count > 1 {
			full = fmt.Sprintf("%s-%d", name, i)
		}
		o["metadata"] = map[string]any{"name": full, "namespace": h.namespace, "labels": map[string]string{"agentauth.dev/use": use, "for": name}}
		for field, value := range content {
			o[field] = value
		}
		text, err := json.Marshal(o)
		must(h.t, err)
		status, answer, err := h.kube.Do(h.t.Context(), "POST", "/api/v1/namespaces/"+h.namespace+"/"+kind, "application/json", text)
		must(h.t, err)
		if status != http.StatusCreated {
			h.t.Fatalf("%s %s: %d %.300s", kind, full, status, answer)
		}
	}
}

// put replaces an object.
func (k *kube) put(t *testing.T, kind, namespace, name, text string) {
	t.Helper()
	status, answer, err := k.Do(t.Context(), "PUT", "/api/v1/namespaces/"+namespace+"/"+kind+"/"+name, "application/yaml", []byte(text))
	must(t, err)
	if status != http.StatusOK {
		t.Fatalf("%s: %d %.300s", name, status, answer)
	}
}

func keySecretOf(namespace, name, key string) string {
	_, secret, _ := strings.Cut(keysOn(namespace, name, "x.test", key), "---\n")
	return secret
}

// underMemory is a program that runs agentauth, without the race detector, in so much memory.
func underMemory(t *testing.T, limit int) string {
	t.Helper()
	dir := parts.TestDir(t)
	built, err := parts.Build(t.Context(), dir)
	must(t, err)
	path := filepath.Join(dir, "limited")
	text := fmt.Sprintf("#!/bin/sh\nulimit -d %d || exit 9\nGOMEMLIMIT=%d exec %s \"$@\"\n", limit>>10, limit/10*9, built)
	must(t, os.WriteFile(path, []byte(text), 0o700)) // #nosec G306 -- a program
	return path
}

func startLimited(t *testing.T, program, dir string, args ...string) *parts.Agentauth {
	t.Helper()
	plain := binary
	binary = program
	defer func() { binary = plain }()
	return startAgentauth(t, dir, args...)
}

// peakMemory is the most resident memory that a process had.
func peakMemory(t *testing.T, a *parts.Agentauth) (peak int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", a.Pid()))
	must(t, err)
	for line := range bytes.Lines(text) {
		if n, _ := fmt.Sscanf(string(line), "VmHWM: %d kB", &peak); n == 1 {
			return peak << 10
		}
	}
	t.Fatal("expected the peak of the memory")
	return 0
}
