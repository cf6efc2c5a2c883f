//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// withUpstreamToken gives the upstream of a policy a token.
func withUpstreamToken(policy, token string) string {
	return strings.Replace(policy, "response: {upstream: {", "response: {upstream: {token: {"+token+"}, ", 1)
}

func TestTheUpstreamSeesATokenOfTheProviderAndNeverTheAgents(t *testing.T) {
	dir := parts.TestDir(t)
	port, err := parts.FreePort()
	must(t, err)
	const secret = "sample-client-secret-of-the-gateway"
	config := parts.OIDCConfig{Dir: dir, Port: port, Clients: []parts.OIDCClient{
		{ID: "agent", Secret: "sample-client-secret-of-the-agent", Scope: "orders:read"},
		{ID: "gateway", Secret: secret, Scope: "orders:read", Auth: "client_secret_basic", Exchanges: true},
		{ID: "brief", Secret: secret, Scope: "orders:read", Auth: "client_secret_basic", TTL: 2},
	}}
	provider, err := parts.StartOIDC(t.Context(), config)
	must(t, err)
	at := provider.IntrospectionURL()
	granted := func(client string) string {
		return fmt.Sprintf("clientCredentials: {tokenEndpoint: %q, clientCredentials: {secretRef: {name: %s}}, scopes: [\"orders:read\"]}", provider.TokenURL(), client)
	}
	exchanged := func(client, more string) string {
		return fmt.Sprintf("exchanged: {endpoint: %q, clientCredentials: {secretRef: {name: %s}}, audience: tickets%s}", provider.TokenURL(), client, more)
	}
	policy := func(name, token string) string {
		return withUpstreamToken(opaquePolicy(name, "/"+name, at, "{secretRef: {name: gateway}}", "        cacheTTL: 5m\n"), token)
	}
	policies := subdir(t, dir, "policies")
	key := func(value string) string {
		return fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {name: provider, namespace: e2e, labels: {agentauth.dev/use: provider}}\nstringData: {token: %q}\n---\n", value)
	}
	keyFile := filepath.Join(policies, "key.yaml")
	write(t, keyFile, key("sk-the-first-key"))
	write(t, filepath.Join(policies, "policies.yaml"), strings.Join([]string{
		clientSecret("gateway", "gateway", secret), clientSecret("brief", "brief", secret), clientSecret("wrong", "gateway", "wrong"),
		policy("key", "secret: {secretRef: {name: provider}}"),
		policy("granted", granted("gateway")), policy("brief", granted("brief")), policy("wrong", granted("wrong")),
		policy("exchanged", exchanged("gateway", ", actorToken: {"+granted("gateway")+"}")),
		policy("late", exchanged("gateway", ", scopes: [\"orders:read\"]")),
		policy("exchanged-wrong", exchanged("wrong", "")),
	}, ""))
	upstream := startUpstream(t)
	agentauth := startAgentauth(t, dir, "--policies", policies)
	w := failOpen(t, dir, upstream, agentauth)

	agent := func() string {
		t.Helper()
		token, err := provider.Token(t.Context(), "", "orders:read")
		must(t, err)
		return token
	}
	mine := agent()
	// sees is the bearer token that the upstream sees.
	sees := func(path, token string) string {
		t.Helper()
		expect(t, w, get(path, "authorization: "+bearer(token)), 200)
		seen := upstream.Seen()
		headers := seen[len(seen)-1].Headers
		for name, values := range headers {
			if strings.Contains(strings.Join(values, ","), token) {
				t.Errorf("%s: the upstream sees the agent's token in %s", path, name)
			}
		}
		scheme, value, _ := strings.Cut(headers.Get("authorization"), " ")
		if scheme != "Bearer" || len(headers.Values("authorization")) != 1 {
			t.Errorf("%s: expected one bearer token, got %q", path, headers.Values("authorization"))
		}
		return value
	}
	about := func(token string) map[string]any {
		t.Helper()
		members, err := provider.Introspect(t.Context(), token)
		must(t, err)
		return members
	}

	if got := sees("/key", mine); got != "sk-the-first-key" {
		t.Errorf("the upstream sees %q", got)
	}
	write(t, keyFile, key("sk-the-second-key"))
	within(t, 10*time.Second, "the new key is in force", func() error {
		if got := sees("/key", mine); got != "sk-the-second-key" {
			return fmt.Errorf("the upstream sees %q", got)
		}
		return nil
	})

	ours := sees("/granted", mine)
	if m := about(ours); m["active"] != true || m["client_id"] != "gateway" {
		t.Errorf("the upstream sees a token that is %v", m)
	}
	if sees("/granted", agent()) != ours {
		t.Error("expected one token for all callers")
	}
	brief := sees("/brief", mine)
	within(t, 10*time.Second, "a token that ended is another one", func() error {
		if sees("/brief", mine) == brief {
			return fmt.Errorf("it is the same")
		}
		return nil
	})

	eve := sees("/exchanged", mine)
	m := about(eve)
	if act, _ := m["act"].(map[string]any); m["subject"] != "agent" || m["audience"] != "tickets" || act["sub"] != "gateway" {
		t.Errorf("the upstream sees a token that is %v", m)
	}
	if sees("/exchanged", mine) != eve {
		t.Error("expected the same token for the same caller")
	}
	if sees("/exchanged", agent()) == eve {
		t.Error("expected another token for another token of a caller")
	}

	before := upstream.Count()
	send := func(path, token string, status int) answer {
		t.Helper()
		return expect(t, w, get(path, "authorization: "+bearer(token)), status)
	}
	send("/wrong", mine, 503)
	send("/exchanged-wrong", mine, 503)
	expect(t, w, get("/wrong"), 401)
	send("/exchanged", "no-token-of-this-provider", 401)
	// A token that is good here, as introspection said a moment ago, and is not exchanged.
	withdrawn := agent()
	send("/exchanged", withdrawn, 200)
	before++
	must(t, provider.Revoke(t.Context(), withdrawn))
	send("/late", withdrawn, 403)

	must(t, provider.Stop())
	if sees("/granted", mine) != ours || sees("/exchanged", mine) != eve {
		t.Error("expected that what is held is used while the provider is down")
	}
	before += 2
	within(t, 10*time.Second, "a token that ended cannot be had", func() error {
		if got := w.send(t, get("/brief", "authorization: "+bearer(mine))); got.status != 503 {
			before++
			return fmt.Errorf("expected 503, got %d", got.status)
		}
		return nil
	})
	if upstream.Count() != before {
		t.Errorf("a request without a token reached the upstream: expected %d, got %d", before, upstream.Count())
	}

	startProvider(t, config)
	within(t, 20*time.Second, "the provider is asked again", func() error {
		if got := w.send(t, get("/brief", "authorization: "+bearer(mine))); got.status != 200 {
			return fmt.Errorf("expected 200, got %d", got.status)
		}
		return nil
	})

	metrics, err := agentauth.Get(t.Context(), "/metrics")
	must(t, err)
	for _, result := range []string{"issued", "refused", "failed"} {
		if !regexp.MustCompile(`agentauth_upstream_token_requests_total\{endpoint="` + regexp.QuoteMeta(provider.TokenURL()) + `",result="` + result + `"\} [1-9]`).Match(metrics) {
			t.Errorf("expected %s requests in the metrics", result)
		}
	}
}

// A token endpoint that answers anything but a token: nothing reaches the upstream.
func TestWithoutASoundAnswerNothingReachesTheUpstream(t *testing.T) {
	answer := func(contentType, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			_, _ = io.WriteString(w, body)
		}
	}
	const good = `{"access_token":"good-token","token_type":"Bearer","expires_in":60`
	ended := make(chan struct{})
	bad := map[string]http.HandlerFunc{
		"slow":  func(http.ResponseWriter, *http.Request) { <-ended },
		"html":  answer("text/html", "<html>"+good+"}</html>"),
		"huge":  answer("application/json", good+`,"x":"`+strings.Repeat("x", 1<<20)+`"}`),
		"twice": answer("application/json", good+`,"access_token":"evil-token"}`),
		"crlf":  answer("application/json", `{"access_token":"a\r\nx-admin: 1","token_type":"Bearer"}`),
		"dpop":  answer("application/json", `{"access_token":"a","token_type":"DPoP"}`),
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/good", http.StatusTemporaryRedirect)
		},
		"error": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		"half": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, good)
			panic(http.ErrAbortHandler)
		},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/good", answer("application/json", good+"}"))
	policies := []string{clientSecret("gateway", "gateway", "sample-client-secret-of-the-gateway")}
	endpoint := httptest.NewServer(mux)
	t.Cleanup(func() { close(ended); endpoint.Close() })
	policy := func(name string) string {
		return fmt.Sprintf(`apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: %s, namespace: e2e}
spec:
  routes: [{hostnames: [%s], matches: [{path: {type: PathPrefix, value: /%s}}]}]
  authentication: {methods: [{name: public, anonymous: {}}]}
  response: {upstream: {token: {clientCredentials: {tokenEndpoint: "%s/%s", clientCredentials: {secretRef: {name: gateway}}}}}}
---
`, name, apiHost, name, endpoint.URL, name)
	}
	for name, handler := range bad {
		mux.HandleFunc("/"+name, handler)
		policies = append(policies, policy(name))
	}
	policies = append(policies, policy("good"))
	dir := parts.TestDir(t)
	write(t, filepath.Join(subdir(t, dir, "policies"), "policies.yaml"), strings.Join(policies, ""))
	upstream := startUpstream(t)
	agentauth := startAgentauth(t, dir, "--policies", filepath.Join(dir, "policies"))
	w := failOpen(t, dir, upstream, agentauth)

	for name := range bad {
		expect(t, w, get("/"+name), 503)
		expect(t, w, get("/"+name), 503)
	}
	if n := upstream.Count(); n != 0 {
		t.Errorf("expected that nothing reaches the upstream, got %d requests", n)
	}
	expect(t, w, get("/good"), 200)
	if got := upstream.Seen()[0].Headers.Get("authorization"); got != "Bearer good-token" {
		t.Errorf("the upstream sees %q", got)
	}
}
