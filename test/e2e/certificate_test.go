//go:build e2e

package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/test/parts"
)

const robotID = "spiffe://prod.example.test/ns/shop/sa/robot"

// certificatePolicy takes certificates, or principals, of a trust domain.
func certificatePolicy(name, more string) string {
	return fmt.Sprintf(`apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: %s, namespace: e2e}
spec:
  routes: [{hostnames: [%s], matches: [{path: {type: PathPrefix, value: /%s}}]}]
  authentication:
    methods: [{name: workloads, clientCertificate: {trustDomains: [prod.example.test], %s}}]
  response: {upstream: {headers: [{name: x-agent-id, value: identity.subject}]}}
---
`, name, apiHost, name, more)
}

func TestClientCertificatesThroughEnvoy(t *testing.T) {
	dir := parts.TestDir(t)
	ca, listener := certificates(t, dir)
	others, err := parts.NewCA("others")
	must(t, err)
	// Envoy verifies more than the policy does: what an authority of its own signed passes the handshake.
	listener.ClientCAFile = filepath.Join(dir, "clients.crt")
	write(t, listener.ClientCAFile, string(ca.PEM)+string(others.PEM))

	policies := subdir(t, dir, "policies")
	authorities := "certificateAuthorities: {configMapRef: {name: mesh-ca}}"
	write(t, filepath.Join(policies, "policies.yaml"), certificatePolicy("connection", authorities)+
		certificatePolicy("principal", "source: Principal")+certificatePolicy("xfcc", "source: XFCC, "+authorities)+
		fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: mesh-ca, namespace: e2e, labels: {agentauth.dev/use: ca}}\ndata: {ca.crt: %q}\n", ca.PEM))
	upstream := startUpstream(t)
	trusting := startAgentauth(t, subdir(t, dir, "trusting"), "--policies", policies, "--trust-principal", "--trust-xfcc")
	trustsNobody := startAgentauth(t, subdir(t, dir, "trusts-nobody"), "--policies", policies)

	config := parts.EnvoyConfig{Upstream: upstream.Address, TLS: listener, EncodeRawHeaders: true, FailureModeAllow: true}
	open := func(name string, agentauth *parts.Agentauth, passes bool, forward string) *parts.Envoy {
		c := config
		c.Dir, c.Door, c.IncludePeerCertificate, c.ForwardCertificate = subdir(t, dir, name), parts.Door{Address: agentauth.GRPCAddress}, passes, forward
		return startEnvoy(t, c)
	}
	set, appends := open("sets", trusting, true, "SANITIZE_SET"), open("appends", trusting, true, "APPEND_FORWARD")
	usual := open("usual", trusting, false, "") // Envoy's defaults
	strict := open("strict", trustsNobody, true, "SANITIZE_SET")

	show := func(envoy *parts.Envoy, by *parts.CA, leaf parts.Leaf) way {
		t.Helper()
		pair, err := by.Issue(leaf)
		must(t, err)
		cert, err := tls.X509KeyPair(pair.Cert, pair.Key)
		must(t, err)
		return way{name: "a certificate", envoy: envoy, tls: &tls.Config{RootCAs: ca.Pool(), MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}}}
	}
	nobody := func(envoy *parts.Envoy) way {
		return way{name: "no certificate", envoy: envoy, tls: &tls.Config{RootCAs: ca.Pool(), MinVersion: tls.VersionTLS12}}
	}
	robot := parts.Leaf{URIs: []string{robotID}, Usage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	served := func(w way, path string, headers ...string) parts.Echo {
		t.Helper()
		echo := expect(t, w, get(path, headers...), 200).echo(t)
		if got := echo.Headers.Get("x-agent-id"); got != robotID {
			t.Errorf("%s: the upstream was told of %q", path, got)
		}
		return echo
	}
	paths := []string{"/connection", "/principal", "/xfcc"}

	for _, path := range paths {
		for _, envoy := range []*parts.Envoy{set, appends} {
			echo := served(show(envoy, ca, robot), path, "x-agent-id: somebody-else")
			if got := echo.Headers.Get("x-forwarded-client-cert"); (got == "") != (path == "/xfcc") {
				t.Errorf("%s: the upstream got %q", path, got)
			}
			expect(t, nobody(envoy), get(path), 401)
			expect(t, way{name: "plaintext", envoy: envoy}, get(path), 401)
		}
		other := robot
		other.URIs = []string{"spiffe://test.example.test/ns/shop/sa/robot"}
		expect(t, show(set, ca, other), get(path), 401)
		expect(t, show(set, ca, parts.Leaf{CommonName: robotID, Usage: robot.Usage}), get(path), 401)
	}

	// The policy's authorities decide where agentauth sees the certificate; a principal is as good as what Envoy verified.
	two := robot
	two.URIs = append(two.URIs, "spiffe://prod.example.test/ns/shop/sa/other")
	for path, status := range map[string]int{"/connection": 401, "/xfcc": 401, "/principal": 200} {
		expect(t, show(set, others, robot), get(path), status)
		expect(t, show(set, ca, two), get(path), status)
	}

	// What a caller writes is not what the proxy writes.
	pair, err := ca.Issue(robot)
	must(t, err)
	forged := `x-forwarded-client-cert: Cert="` + url.PathEscape(string(pair.Cert)) + `"`
	for _, envoy := range []*parts.Envoy{set, appends} {
		expect(t, nobody(envoy), get("/xfcc", forged), 401)
		expect(t, way{name: "plaintext", envoy: envoy}, get("/xfcc", forged), 401)
		expect(t, show(envoy, others, robot), get("/xfcc", forged), 401)
		served(show(envoy, ca, robot), "/xfcc", `x-forwarded-client-cert: Cert="nobody's"`)
	}
	expect(t, show(appends, ca, robot), get("/xfcc", `x-forwarded-client-cert: By="`), 401)

	// Envoy's defaults pass no certificate on, only the principal.
	expect(t, show(usual, ca, robot), get("/connection"), 401)
	expect(t, show(usual, ca, robot), get("/xfcc", forged), 401)
	served(show(usual, ca, robot), "/principal")

	// Without the operator's word nobody is believed, and 503 is not let through by failure_mode_allow.
	served(show(strict, ca, robot), "/connection")
	for _, path := range []string{"/principal", "/xfcc"} {
		expect(t, show(strict, ca, robot), get(path), 503)
		expect(t, nobody(strict), get(path), 401)
	}

	// An Envoy that takes certificates that do not verify has no principal for them.
	untrusted := *listener
	untrusted.AcceptUntrusted = true
	config.TLS = &untrusted
	lax := open("verifies-nobody", trusting, true, "SANITIZE_SET")
	strangers, err := parts.NewCA("strangers")
	must(t, err)
	for _, path := range paths {
		expect(t, show(lax, strangers, robot), get(path), 401)
		expect(t, show(lax, ca, robot), get(path), 200)
	}

	// A certificate that ends while its connection lives is refused, though it was good a moment ago.
	short := robot
	short.NotBefore, short.Lifetime = time.Now().Add(-time.Minute), time.Minute+3*time.Second
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: show(set, ca, short).tls}}
	defer client.CloseIdleConnections()
	handshakes := 0
	ask := func() int {
		t.Helper()
		trace := &httptrace.ClientTrace{TLSHandshakeStart: func() { handshakes++ }}
		r, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), http.MethodGet, set.HTTPS()+"/connection", nil)
		must(t, err)
		r.Host = apiHost
		a, err := client.Do(r)
		must(t, err)
		_, err = io.Copy(io.Discard, a.Body)
		must(t, err)
		must(t, a.Body.Close())
		return a.StatusCode
	}
	if got := ask(); got != 200 {
		t.Fatalf("expected 200, got %d", got)
	}
	parts.Within(t, 10*time.Second, func() error {
		if got := ask(); got != 401 {
			return fmt.Errorf("expected 401, got %d", got)
		}
		return nil
	})
	if handshakes != 1 {
		t.Errorf("expected one connection, there were %d", handshakes)
	}
}
