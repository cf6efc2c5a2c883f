//go:build e2e

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/agentauth-dev/agentauth/test/cases"
	"github.com/agentauth-dev/agentauth/test/parts"
)

func itoa(n int) string { return strconv.Itoa(n) }

func freeAddress(t tester) string {
	t.Helper()
	port, err := parts.FreePort()
	must(t, err)
	return "127.0.0.1:" + itoa(port)
}

func subdir(t tester, dir, name string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	must(t, os.MkdirAll(path, 0o750))
	return path
}

func write(t tester, path, content string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(content), 0o600))
}

func startUpstream(t tester) *parts.Upstream {
	t.Helper()
	upstream, err := parts.StartUpstream()
	must(t, err)
	t.Cleanup(func() { _ = upstream.Stop() })
	return upstream
}

// startAgentauth runs the real binary; when it has ended, its log and metrics are kept to be searched.
func startAgentauth(t tester, dir string, args ...string) *parts.Agentauth {
	t.Helper()
	cases.Now = time.Now() // tokens of a minute are minted by the test that needs them
	a, err := parts.StartAgentauth(t.Context(), parts.AgentauthConfig{Dir: dir, Binary: binary, Args: append([]string{
		"--log-level", "debug", "--egress-allow-http", "--egress-allow-cidr", "127.0.0.0/8",
	}, args...)})
	must(t, err)
	t.Cleanup(func() {
		metrics, _ := a.Get(context.Background(), "/metrics") // gone already where a test ended it
		select {
		case <-a.Exited():
		default:
			if err := a.Stop(); err != nil {
				t.Errorf("%v", err)
			}
		}
		keepEvidence(t, a, metrics)
	})
	return a
}

func startEnvoy(t tester, config parts.EnvoyConfig) *parts.Envoy {
	t.Helper()
	envoy, err := parts.StartEnvoy(t.Context(), config)
	must(t, err)
	t.Cleanup(func() {
		if err := envoy.Stop(); err != nil {
			t.Errorf("%v", err)
		}
	})
	return envoy
}

func startProvider(t tester, config parts.OIDCConfig) *parts.OIDC {
	t.Helper()
	provider, err := parts.StartOIDC(t.Context(), config)
	must(t, err)
	t.Cleanup(func() {
		if err := provider.Stop(); err != nil {
			t.Errorf("%v", err)
		}
	})
	return provider
}

// certificates makes a CA and what Envoy's TLS listener needs.
func certificates(t tester, dir string) (*parts.CA, *parts.Listener) {
	t.Helper()
	ca, err := parts.NewCA("e2e")
	must(t, err)
	pair, err := ca.Server()
	must(t, err)
	listener := new(parts.Listener)
	listener.CertFile, listener.KeyFile, err = pair.Write(dir, "server")
	must(t, err)
	_, err = ca.Write(dir, "ca")
	must(t, err)
	return ca, listener
}
