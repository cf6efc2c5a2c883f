//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// The three programs of the article, unchanged but for addresses and secrets, against config/samples.
func TestTheClientsOfTheArticleAreServedAndWithWrongSecretsAreNot(t *testing.T) {
	const (
		alices = "sample-password-of-alice"
		shared = "sample-secret-that-everybody-knows-do-not-use-it"
		client = "sample-client-secret-of-orders-agent"
	)
	for _, s := range []string{alices, shared, client} {
		credential(s)
	}
	dir := parts.TestDir(t)
	upstream := startUpstream(t)
	provider := startProvider(t, parts.OIDCConfig{Dir: dir, Resources: []parts.OIDCResource{
		{Audience: "https://orders.example.com", Scope: "orders:read orders:write"},
		{Audience: "https://elsewhere.example.com", Scope: "orders:read"},
	}})
	agentauth := startAgentauth(t, dir, "--policies", samples(t, dir, provider.Issuer))
	_, listener := certificates(t, dir)
	envoy := startEnvoy(t, parts.EnvoyConfig{Dir: dir, Upstream: upstream.Address, Door: parts.Door{Address: agentauth.GRPCAddress}, TLS: listener})

	token := []string{"TOKEN_URL=" + provider.TokenURL(), "CLIENT_ID=orders-agent", "CLIENT_SECRET=" + client, "SCOPE=orders:read", "RESOURCE=https://orders.example.com"}
	for _, c := range []struct {
		what, program, path string
		env                 []string
		status, agent       string
	}{
		{"Basic by fetch", "basic.mjs", "/reports", []string{"API_USER=alice", "API_PASSWORD=" + alices}, "200", "alice"},
		{"Basic with a wrong password", "basic.mjs", "/reports", []string{"API_USER=alice", "API_PASSWORD=" + alices + "x"}, "401", ""},
		{"Basic with another user", "basic.mjs", "/reports", []string{"API_USER=mallory", "API_PASSWORD=" + alices}, "401", ""},
		{"client credentials by axios", "client-credentials.mjs", "/orders", token, "200", "orders-agent"},
		{"client credentials for another API", "client-credentials.mjs", "/orders", append(token[:4:4], "RESOURCE=https://elsewhere.example.com"), "401", ""},
		{"client credentials with a wrong secret", "client-credentials.mjs", "/orders", append(slices.Clone(token), "CLIENT_SECRET="+client+"x"), "401", ""},
		{"its own token by jsonwebtoken", "jwt.mjs", "/payments", []string{"JWT_SECRET=" + shared}, "200", "agent-7"},
		{"its own token with a wrong secret", "jwt.mjs", "/payments", []string{"JWT_SECRET=" + shared + "x"}, "401", ""},
		{"its own token in another role", "jwt.mjs", "/payments", []string{"JWT_SECRET=" + shared, "ROLE=clerk"}, "403", ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			before := upstream.Count()
			env := append(c.env, "API_URL="+envoy.HTTPS()+c.path, "NODE_EXTRA_CA_CERTS="+filepath.Join(dir, "ca.crt"))
			run, err := parts.RunClient(t.Context(), c.program, env...)
			must(t, err)
			status, _, _ := strings.Cut(run.Stdout, "\n")
			if strings.Contains(run.Stderr, "status code 401") { // axios: the provider's own refusal
				status = "401"
			}
			if status != c.status || (run.ExitCode == 0) != (c.status == "200") {
				t.Fatalf("expected %s, got exit code %d, %s%s", c.status, run.ExitCode, run.Stdout, run.Stderr)
			}
			if c.agent == "" {
				if upstream.Count() != before {
					t.Error("it reached the upstream")
				}
				return
			}
			seen := upstream.Seen()
			headers := seen[len(seen)-1].Headers
			if headers.Get("x-agent-id") != c.agent || headers.Get("authorization") != "" {
				t.Errorf("expected the upstream to see %s and no credential, it saw %v", c.agent, headers)
			}
		})
	}
}

// samples copies config/samples with another issuer in them.
func samples(t *testing.T, dir, issuer string) string {
	t.Helper()
	root, err := parts.Root()
	must(t, err)
	files, err := filepath.Glob(filepath.Join(root, "config", "samples", "*.yaml"))
	must(t, err)
	policies := subdir(t, dir, "policies")
	found := false
	for _, file := range files {
		content, err := os.ReadFile(file)
		must(t, err)
		changed := strings.ReplaceAll(string(content), "https://idp.example.com", issuer)
		if !strings.HasPrefix(issuer, "https:") { // metadata names no other servers
			changed = strings.ReplaceAll(changed, "authorizationServers: ["+issuer, "authorizationServers: [https://idp.example.com")
		}
		found = found || changed != string(content)
		write(t, filepath.Join(policies, filepath.Base(file)), changed)
	}
	if !found {
		t.Fatal("expected the issuer https://idp.example.com in config/samples")
	}
	return policies
}
