//go:build e2e && !quick

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// reviewing gives agentauth's account the rights to ask, as docs/workloads.md says, until the test ends.
func (k *kube) reviewing(t *testing.T) {
	t.Helper()
	var manifests string
	for _, block := range documentedOn(t, "workloads.md", "yaml") {
		if strings.Contains(block, "name: agentauth-reviews") {
			manifests = block
		}
	}
	if manifests == "" {
		t.Fatal("expected the rights in docs/workloads.md")
	}
	k.apply(t, manifests)
	t.Cleanup(func() {
		_, err := k.Kubectl(outliving{t, &suite}.Context(), manifests, "delete", "-f", "-")
		must(t, err)
	})
}

// tokenOf asks for a token of a ServiceAccount.
func (k *kube) tokenOf(t *testing.T, namespace, account string, args ...string) string {
	t.Helper()
	return credential(strings.TrimSpace(k.kubectl(t, "", append([]string{"create", "token", account, "-n", namespace}, args...)...)))
}

const workloads = `
apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: orders, namespace: workloads}
spec:
  routes: [{hostnames: [orders.workloads.test]}]
  authentication:
    methods: [{name: workloads, kubernetesToken: {audiences: [orders], cacheTTL: 1s}}]
  response: {upstream: {headers: [{name: x-agent-id, value: identity.subject}]}}
---
apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: roles, namespace: workloads}
spec:
  routes: [{hostnames: [roles.workloads.test]}]
  authentication:
    methods: [{name: workloads, kubernetesToken: {audiences: [orders]}}]
  authorization: {kubernetes: {resource: {group: shop.example.com, resource: orders}}}
`

const readers = `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: readers, namespace: workloads}
rules: [{apiGroups: [shop.example.com], resources: [orders], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: readers, namespace: workloads}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: readers}
subjects: [{kind: ServiceAccount, name: robot, namespace: workloads}]
`

// workload sends requests with tokens through a real Envoy.
type workload struct{ *parts.Envoy }

func (w workload) status(t *testing.T, method, host, token string) (int, http.Header, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, w.HTTP()+"/", nil)
	must(t, err)
	req.Host = host
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	return res.StatusCode, res.Header, res.Body.Close()
}

func (w workload) gets(t *testing.T, limit time.Duration, host, token string, want int) http.Header {
	t.Helper()
	var header http.Header
	within(t, limit, host, func() error {
		got, h, err := w.status(t, http.MethodGet, host, token)
		if header = h; err != nil || got != want {
			return fmt.Errorf("expected %d, got %d, %v", want, got, err)
		}
		return nil
	})
	return header
}

func TestWorkloadsCallWithTokensOfTheClusterThroughEnvoy(t *testing.T) {
	k := useKube(t)
	ns := k.namespace(t, "workloads")
	for _, account := range []string{"robot", "leaver"} {
		k.kubectl(t, "", "create", "serviceaccount", account, "-n", ns)
	}
	k.apply(t, workloads)
	a := k.behindProxy(t, "replica", nil)
	dir := parts.TestDir(t)
	w := workload{startEnvoy(t, parts.EnvoyConfig{Dir: subdir(t, dir, "envoy"), Upstream: startUpstream(t).Address, Door: parts.Door{Address: a.GRPCAddress}})}
	robot, other := k.tokenOf(t, ns, "robot", "--audience", "orders"), k.tokenOf(t, ns, "robot", "--audience", "billing")

	// Without the right to ask it is 503, and the log says what is missing.
	header := w.gets(t, 20*time.Second, "orders.workloads.test", robot, http.StatusServiceUnavailable)
	if header.Get("Retry-After") == "" {
		t.Errorf("expected Retry-After, got %v", header)
	}
	within(t, 10*time.Second, "the log", func() error {
		log, err := os.ReadFile(a.Log)
		if err == nil && !bytes.Contains(log, []byte("kubernetesReviews: true")) {
			err = errors.New("expected it to say what is missing")
		}
		return err
	})
	k.reviewing(t)
	w.gets(t, 20*time.Second, "orders.workloads.test", robot, http.StatusOK)

	for name, c := range map[string]struct {
		token string
		want  int
	}{
		"no token":                       {"", http.StatusUnauthorized},
		"a token for another API":        {other, http.StatusUnauthorized},
		"a token for the API server":     {k.tokenOf(t, ns, "robot"), http.StatusUnauthorized},
		"a token of no API server":       {expand(t, `${jwt rsa1 RS256 {"iss":"https://kubernetes.default.svc","aud":["orders"],"sub":"system:serviceaccount:workloads:robot","exp":${now+600}}}`), http.StatusUnauthorized},
		"a token of robot":               {robot, http.StatusOK},
		"a token with another signature": {robot[:len(robot)-8] + "AAAAAAAA", http.StatusUnauthorized},
	} {
		if got, _, err := w.status(t, http.MethodGet, "orders.workloads.test", c.token); err != nil || got != c.want {
			t.Errorf("%s: expected %d, got %d, %v", name, c.want, got, err)
		}
	}

	leaver := k.tokenOf(t, ns, "leaver", "--audience", "orders")
	w.gets(t, soon, "orders.workloads.test", leaver, http.StatusOK)
	k.kubectl(t, "", "delete", "serviceaccount", "leaver", "-n", ns)
	w.gets(t, 20*time.Second, "orders.workloads.test", leaver, http.StatusUnauthorized)

	w.gets(t, soon, "roles.workloads.test", robot, http.StatusForbidden)
	k.apply(t, readers)
	w.gets(t, 20*time.Second, "roles.workloads.test", robot, http.StatusOK)
	if got, _, err := w.status(t, http.MethodPost, "roles.workloads.test", robot); err != nil || got != http.StatusForbidden {
		t.Errorf("POST: expected 403, got %d, %v", got, err)
	}
	k.kubectl(t, readers, "delete", "-f", "-")
	w.gets(t, 20*time.Second, "roles.workloads.test", robot, http.StatusForbidden)

	// The API server answers this replica no more.
	a.proxy.Do(func(rw http.ResponseWriter, r *http.Request, next http.Handler) {
		if strings.HasSuffix(r.URL.Path, "reviews") {
			rw.WriteHeader(http.StatusInternalServerError)
			return
		}
		next.ServeHTTP(rw, r)
	})
	w.gets(t, 20*time.Second, "orders.workloads.test", robot, http.StatusServiceUnavailable)
	w.gets(t, soon, "orders.workloads.test", k.tokenOf(t, ns, "robot", "--audience", "orders"), http.StatusServiceUnavailable)
	w.gets(t, 20*time.Second, "roles.workloads.test", robot, http.StatusServiceUnavailable) // the token is kept, what it may do is not
	a.proxy.Do(nil)
	w.gets(t, 20*time.Second, "orders.workloads.test", robot, http.StatusOK)
}
