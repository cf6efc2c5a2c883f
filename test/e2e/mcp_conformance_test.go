//go:build e2e

package e2e

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// The suite's scenarios of authorization (auth/*) all test clients: the suite plays the servers in them, so there is none
// to be run against a resource server. Its client for servers sends no token; what stands before it here adds one.
// dns-rebinding-protection is agentauth's own to answer; the others prove that what the protocol needs comes through.
// What the server must have for the rest (images, sampling, elicitation …) says nothing of agentauth.
func TestAServerBehindAgentauthConformsToMCP(t *testing.T) {
	s := suite.useMCP(t)
	backend, err := url.Parse(s.orders.HTTPS())
	must(t, err)
	token := s.token(t, backend.String()+"/mcp", "orders:read logs:write")
	listener, err := net.Listen("tcp", "127.0.0.1:"+itoa(s.suitePort))
	must(t, err)
	adds := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: &httputil.ReverseProxy{
		FlushInterval: -1,
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.ca.Pool(), MinVersion: tls.VersionTLS12, ServerName: "localhost"}},
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(backend)
			r.Out.Host = r.In.Host
			r.Out.Header.Set("authorization", bearer(token))
		},
	}}
	go func() { _ = adds.Serve(listener) }()
	defer adds.Close()
	for _, scenario := range []string{
		"dns-rebinding-protection", "server-initialize", "ping", "logging-set-level",
		"tools-call-simple-text", "tools-call-error", "resources-read-text", "prompts-get-simple",
	} {
		run, err := parts.RunClientWith(t.Context(), "conformance.mjs", []string{
			"server", "--url", "http://localhost:" + itoa(s.suitePort) + "/mcp", "--scenario", scenario, "-o", subdir(t, s.dir, "conformance"),
		})
		must(t, err)
		if run.ExitCode != 0 || strings.Contains(run.Stdout, "FAILURE") {
			t.Errorf("%s: %s%s", scenario, run.Stdout, run.Stderr)
		}
	}
}
