package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// apiServer answers lists, and remembers which Secrets were asked for.
type apiServer struct {
	lists   map[string]string // items by path
	refuses string            // the path that is forbidden

	mu        sync.Mutex
	selectors []string
}

func (a *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status := func(code int, reason string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		fmt.Fprintf(w, `{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": %q, "code": %d}`, reason, code)
	}
	if r.URL.Path == a.refuses {
		status(http.StatusForbidden, "Forbidden")
		return
	}
	kind, ok := map[string]string{
		"/apis/agentauth.dev/v1alpha1/agentauthpolicies": "AgentAuthPolicyList agentauth.dev/v1alpha1", "/api/v1/secrets": "SecretList v1",
		"/api/v1/configmaps": "ConfigMapList v1", "/api/v1/namespaces": "NamespaceList v1",
		"/apis/gateway.networking.k8s.io/v1/httproutes": "HTTPRouteList gateway.networking.k8s.io/v1",
	}[r.URL.Path]
	if !ok {
		status(http.StatusNotFound, "NotFound")
		return
	}
	if r.URL.Path == "/api/v1/secrets" {
		a.mu.Lock()
		a.selectors = append(a.selectors, r.URL.Query().Get("labelSelector"))
		a.mu.Unlock()
	}
	w.Header().Set("Content-Type", "application/json")
	name, version, _ := strings.Cut(kind, " ")
	fmt.Fprintf(w, `{"kind": %q, "apiVersion": %q, "metadata": {"resourceVersion": "7"}, "items": [%s]}`, name, version, a.lists[r.URL.Path])
}

// kubeconfigOf writes a kubeconfig with the contexts good and bad.
func kubeconfigOf(t *testing.T, url string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	text := "apiVersion: v1\nkind: Config\ncurrent-context: good\nclusters:\n- {name: good, cluster: {server: " + url + "}}\n- {name: bad, cluster: {server: 'http://127.0.0.1:1'}}\n" +
		"contexts:\n- {name: good, context: {cluster: good, user: u}}\n- {name: bad, context: {cluster: bad, user: u}}\nusers:\n- {name: u, user: {}}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const clusterPolicies = `
{"metadata": {"name": "open", "namespace": "shop", "uid": "1", "managedFields": []}, "spec": {"routes": [{"hostnames": ["open.example.com"]}], "authentication": {"methods": [{"name": "everybody", "anonymous": {}}]}}},
{"metadata": {"name": "keys", "namespace": "shop", "uid": "2"}, "spec": {"routes": [{"hostnames": ["api.example.com"]}], "authentication": {"methods": [{"name": "agents", "jwt": {"issuer": "https://idp.example.com", "audiences": ["a"], "hmac": {"secretRef": {"name": "shared"}}}}]}}},
{"metadata": {"name": "wrong", "namespace": "shop", "uid": "3"}, "spec": {"rotes": []}}`

const clusterSecrets = `{"metadata": {"name": "shared", "namespace": "shop", "labels": {"agentauth.dev/use": "hmac"}}, "data": {"secret": "YS1zZWNyZXQtb2YtbW9yZS10aGFuLTMyLWJ5dGVzLWZvci10ZXN0cw=="}}`

func TestCheckAndValidateReadACluster(t *testing.T) {
	api := &apiServer{lists: map[string]string{"/apis/agentauth.dev/v1alpha1/agentauthpolicies": clusterPolicies, "/api/v1/secrets": clusterSecrets}}
	server := httptest.NewServer(api)
	defer server.Close()
	config := kubeconfigOf(t, server.URL)
	for name, c := range map[string]struct {
		args []string
		code int
		want []string
	}{
		"check":                    {[]string{"check", "--kubeconfig", config, "https://open.example.com/"}, 0, []string{"allow", "policy   shop/open"}},
		"check with a Secret":      {[]string{"check", "--kubeconfig", config, "https://api.example.com/"}, 1, []string{"deny 401"}},
		"check of a context":       {[]string{"check", "--kubeconfig", config, "--context", "good", "https://open.example.com/"}, 0, []string{"allow"}},
		"check says what is wrong": {[]string{"check", "--kubeconfig", config, "https://open.example.com/"}, 0, []string{`AgentAuthPolicy shop/wrong: spec.rotes: Forbidden: this version of agentauth does not know the field`}},
		"hosts of others":          {[]string{"check", "--kubeconfig", config, "--hostnames", "other=*.example.com", "https://open.example.com/"}, 1, []string{"NoPolicy"}},
		"validate":                 {[]string{"validate", "--kubeconfig", config}, 1, []string{`AgentAuthPolicy shop/wrong: spec.rotes: Forbidden: this version of agentauth does not know the field`, "in 3 policies; read too: 1 Secret"}},
		"another context":          {[]string{"validate", "--kubeconfig", config, "--context", "nowhere"}, 2, []string{"--kubeconfig " + config + " cannot be used", "nowhere"}},
		"nobody there":             {[]string{"validate", "--kubeconfig", config, "--context", "bad"}, 2, []string{"cannot be listed"}},
		"no such file":             {[]string{"validate", "--kubeconfig", "nowhere"}, 2, []string{"--kubeconfig: ", "nowhere"}},
		"a context alone":          {[]string{"check", "--policies", ".", "--context", "good", "https://a.example.com/"}, 2, []string{"--context is for --kubeconfig FILE"}},
		"a path too":               {[]string{"validate", "--kubeconfig", config, "."}, 2, []string{"PATHs or --kubeconfig, and got both"}},
		"policies too":             {[]string{"check", "--policies", ".", "--kubeconfig", config, "https://a.example.com/"}, 2, []string{"give one of them"}},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if code := run(c.args, strings.NewReader(""), &out, &out); code != c.code {
				t.Errorf("got the exit code %d", code)
			}
			for _, want := range c.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("expected %q in\n%s", want, out.String())
				}
			}
		})
	}
	for _, selector := range api.selectors {
		if !strings.HasPrefix(selector, "agentauth.dev/use in (") {
			t.Errorf("Secrets were asked for by %q", selector)
		}
	}
}

func TestWhatMayNotBeListedIsSaid(t *testing.T) {
	for path, want := range map[string]string{
		"/api/v1/secrets": "the user of the kubeconfig may not list secrets in all namespaces",
		"/apis/agentauth.dev/v1alpha1/agentauthpolicies": "may not list agentauthpolicies.agentauth.dev",
		"/apis/gateway.networking.k8s.io/v1/httproutes":  "may not list httproutes.gateway.networking.k8s.io",
	} {
		server := httptest.NewServer(&apiServer{refuses: path})
		var out bytes.Buffer
		if code := run([]string{"validate", "--kubeconfig", kubeconfigOf(t, server.URL)}, strings.NewReader(""), &out, &out); code != 2 || !strings.Contains(out.String(), want) {
			t.Errorf("%s: exit code %d\n%s", path, code, out.String())
		}
		server.Close()
	}
}
