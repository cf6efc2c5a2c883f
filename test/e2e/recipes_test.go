//go:build e2e

package e2e

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/test/parts"
)

const quickstart = "../../config/quickstart/"

// runQuickEnvoy runs the quickstart's configuration as it is, but for addresses and changes, each of a text that is in
// there once.
func runQuickEnvoy(t *testing.T, dir, upstream, door string, changes ...[2]string) *parts.Envoy {
	t.Helper()
	content, err := os.ReadFile(quickstart + "envoy.yaml")
	must(t, err)
	text := string(content)
	for _, c := range append([][2]string{
		{"address: 127.0.0.1, port_value: 9901", "address: 127.0.0.1, port_value: 0"},
		{"address: 0.0.0.0, port_value: 10000", "address: 127.0.0.1, port_value: 0"},
		{"address: upstream, port_value: 8000", socket(upstream)},
		{"address: agentauth, port_value: 9001", socket(door)},
	}, changes...) {
		if n := strings.Count(text, c[0]); n != 1 {
			t.Fatalf("envoy.yaml: expected %q once, found it %d times", c[0], n)
		}
		text = strings.Replace(text, c[0], c[1], 1)
	}
	envoy, err := parts.RunEnvoy(t.Context(), subdir(t, dir, "envoy"), []byte(text))
	must(t, err)
	t.Cleanup(func() {
		if err := envoy.Stop(); err != nil {
			t.Errorf("%v", err)
		}
	})
	return envoy
}

func socket(address string) string {
	host, port, _ := strings.Cut(address, ":")
	return "address: " + host + ", port_value: " + port
}

// shown are the YAML blocks under a heading of a page.
func shown(t *testing.T, page, heading string) []string {
	t.Helper()
	text, err := os.ReadFile("../../docs/" + page)
	must(t, err)
	_, section, found := strings.Cut(string(text), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("%s: expected a heading %q", page, heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var out []string
	for _, block := range strings.Split(section, "```yaml\n")[1:] {
		block, _, _ = strings.Cut(block, "\n```")
		out = append(out, block)
	}
	return out
}

// indented is a block below a line of that indentation.
func indented(n int, block string) string {
	pad := strings.Repeat(" ", n)
	return pad + strings.ReplaceAll(block, "\n", "\n"+pad)
}

// The page's filter and its policy are put into the quickstart's configuration, where the page says they belong.
func TestThePagesCORSFilterAnswersPreflightsAndLetsPagesReadWhyTheyAreRefused(t *testing.T) {
	blocks := shown(t, "recipes.md", "CORS and preflight")
	if len(blocks) != 3 {
		t.Fatalf("expected a filter, its policy and policies of agentauth, got %d blocks", len(blocks))
	}
	dir := parts.TestDir(t)
	policies := subdir(t, dir, "policies")
	const key = "a-key-that-a-page-has-for-its-calls"
	credential(key)
	write(t, filepath.Join(policies, "all.yaml"), `apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: orders, namespace: shop}
spec:
  routes: [{hostnames: [api.example.com]}]
  authentication: {methods: [{name: keys, apiKey: {selector: {matchLabels: {team: orders}}}}]}
---
apiVersion: v1
kind: Secret
metadata: {name: page, namespace: shop, labels: {agentauth.dev/use: api-key, team: orders}}
stringData: {first: 'sha256:`+fmt.Sprintf("%x", sha256.Sum256([]byte(key)))+`'}
`)
	upstream := startUpstream(t)
	agentauth := startAgentauth(t, dir, "--policies", policies)
	envoy := runQuickEnvoy(t, dir, upstream.Address, agentauth.GRPCAddress,
		[2]string{"          http_filters:\n", "          http_filters:\n" + indented(10, blocks[0]) + "\n"},
		[2]string{"            - name: all\n", "            - name: all\n" + indented(14, blocks[1]) + "\n"},
	)
	for _, c := range []struct {
		sentence, method, origin, key string
		status, reached               int
		allows                        string
	}{
		{"a preflight of a page of ours is answered", http.MethodOptions, "https://app.example.com", "", 200, 0, "https://app.example.com"},
		{"a page of ours may read why it is refused", http.MethodDelete, "https://app.example.com", "", 401, 0, "https://app.example.com"},
		{"with a key it is served", http.MethodDelete, "https://app.example.com", key, 200, 1, "https://app.example.com"},
		{"a preflight of another page is refused", http.MethodOptions, "https://evil.example", "", 401, 0, ""},
	} {
		before := upstream.Count()
		req, err := http.NewRequestWithContext(t.Context(), c.method, envoy.HTTP()+"/orders/7", http.NoBody)
		must(t, err)
		req.Host = "api.example.com"
		req.Header.Set("origin", c.origin)
		if c.method == http.MethodOptions {
			req.Header.Set("access-control-request-method", http.MethodDelete)
		}
		if c.key != "" {
			req.Header.Set("x-api-key", c.key)
		}
		resp, err := http.DefaultClient.Do(req)
		must(t, err)
		_ = resp.Body.Close()
		if got := resp.Header.Get("access-control-allow-origin"); resp.StatusCode != c.status || got != c.allows || upstream.Count()-before != c.reached {
			t.Errorf("%s: expected %d, access-control-allow-origin %q and %d at the upstream, got %d, %q and %d",
				c.sentence, c.status, c.allows, c.reached, resp.StatusCode, got, upstream.Count()-before)
		}
	}
}
