//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// mcpStage is one agentauth with the policies of testdata/mcp.yaml, a provider behind a proxy that can fail, MCP
// servers of both SDKs, and the Envoys before them.
type mcpStage struct {
	dir       string
	ca        *parts.CA
	chaos     *parts.ChaosProxy
	provider  *parts.OIDC
	agentauth *parts.Agentauth
	echo      *parts.Upstream
	program   string // of the Go SDK
	suitePort int    // of what stands before the conformance suite's server

	orders, newest *parts.Envoy // before the servers of the two SDKs
	plain          *parts.Envoy // before the echo
}

const (
	aloneHost     = "mcp.example.test"
	aloneResource = "https://mcp.example.test/mcp"
	maxMCPBody    = 4096
)

// useMCP returns the shared parts, and starts them for the first who asks.
func (s *shared) useMCP(t *testing.T) *mcpStage {
	t.Helper()
	if s.mcp == nil {
		if s.triedMCP {
			t.Fatal("the shared parts of MCP did not start")
		}
		s.triedMCP = true
		s.mcp = startMCPStage(outliving{t, s})
	}
	t.Cleanup(func() { s.failed = s.failed || t.Failed() })
	return s.mcp
}

func startMCPStage(t tester) *mcpStage {
	s := &mcpStage{dir: parts.TestDir(t)}
	var listener *parts.Listener
	s.ca, listener = certificates(t, s.dir)
	port, err := parts.FreePort()
	must(t, err)
	newestPort, err := parts.FreePort()
	must(t, err)
	s.suitePort, err = parts.FreePort()
	must(t, err)
	s.startProvider(t, port, newestPort)
	policies := subdir(t, s.dir, "policies")
	write(t, filepath.Join(policies, "mcp.yaml"), s.policies(t, port, newestPort))
	s.agentauth = startAgentauth(t, s.dir, "--policies", policies)

	s.echo = startUpstream(t)
	server, err := parts.StartMCPServer(t.Context(), s.dir)
	must(t, err)
	t.Cleanup(func() { stops(t, server.Process) })
	s.program, err = parts.BuildMCP(t.Context(), s.dir)
	must(t, err)
	newest, err := parts.StartGoMCPServer(t.Context(), s.dir, s.program)
	must(t, err)
	t.Cleanup(func() { stops(t, newest.Process) })

	before := func(name, upstream string, port int) *parts.Envoy {
		config := s.envoy(t, name, upstream)
		config.TLS, config.HTTPSPort = listener, port
		return startEnvoy(t, config)
	}
	s.orders, s.newest = before("orders", server.Address, port), before("newest", newest.Address, newestPort)
	s.plain = startEnvoy(t, s.envoy(t, "plain", s.echo.Address))
	return s
}

// envoy is the configuration that docs/mcp.md shows.
func (s *mcpStage) envoy(t tester, name, upstream string) parts.EnvoyConfig {
	return parts.EnvoyConfig{
		Dir: subdir(t, s.dir, name), Upstream: upstream, Door: parts.Door{Address: s.agentauth.GRPCAddress}, EncodeRawHeaders: true,
		RequestBody: &parts.RequestBody{MaxBytes: maxMCPBody, AllowPartial: true, AsBytes: true},
		Timeout:     6 * time.Second, // above the 5 s that a check takes at most, so that the answer is agentauth's
	}
}

func (s *mcpStage) startProvider(t tester, port, newestPort int) {
	var err error
	s.chaos, err = parts.StartChaosProxy(s.ca)
	must(t, err)
	t.Cleanup(func() { _ = s.chaos.Stop() })
	pair, err := s.ca.Server()
	must(t, err)
	cert, key, err := pair.Write(s.dir, "idp")
	must(t, err)
	const all = "orders:read refunds:write logs:write"
	s.provider, err = parts.StartOIDC(t.Context(), parts.OIDCConfig{
		Dir: s.dir, Issuer: s.chaos.URL, TLS: &parts.Files{Cert: cert, Key: key}, CA: s.ca, People: true,
		Clients: []parts.OIDCClient{
			{ID: "agent", Secret: "sample-client-secret-of-the-agent", Scope: all},
			{ID: "mcp-rs", Secret: "sample-client-secret-of-the-mcp-server", Scope: "orders:read", Auth: "client_secret_basic"},
		},
		Resources: []parts.OIDCResource{
			{Audience: localhost(port) + "/mcp", Scope: all},
			{Audience: localhost(port) + "/opaque", Scope: all, Opaque: true},
			{Audience: localhost(newestPort) + "/newest", Scope: all},
			{Audience: aloneResource, Scope: all},
			{Audience: "https://elsewhere.example.com", Scope: all},
		},
	})
	must(t, err)
	t.Cleanup(func() { stops(t, s.provider.Process) })
	must(t, s.chaos.Forward(s.provider))
}

func localhost(port int) string { return "https://localhost:" + itoa(port) }

func stops(t tester, p *parts.Process) {
	if err := p.Stop(); err != nil {
		t.Errorf("%v", err)
	}
}

func (s *mcpStage) policies(t tester, port, newestPort int) string {
	text, err := os.ReadFile("testdata/mcp.yaml")
	must(t, err)
	return strings.NewReplacer(
		"@CA@", indented(4, strings.TrimSpace(string(s.ca.PEM))), "@ISSUER@", s.chaos.URL, "@PORT@", itoa(port), "@NEWEST@", itoa(newestPort), "@CONFORMANCE@", itoa(s.suitePort),
	).Replace(string(text))
}

// token is one of the client agent.
func (s *mcpStage) token(t tester, resource, scope string) string {
	t.Helper()
	token, err := s.provider.Token(t.Context(), resource, scope)
	must(t, err)
	return credential(token)
}

// post is a message to the server that echoes, with a token.
func post(token, body string, headers ...string) wire {
	r := wire{method: "POST", target: "/mcp", host: aloneHost, body: body}.with("content-type: application/json", "accept: application/json, text/event-stream")
	if token != "" {
		r = r.with("authorization: " + bearer(token))
	}
	return r.with(headers...)
}

func callOf(tool, arguments string) string {
	return `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"` + tool + `","arguments":` + arguments + `}}`
}
