package main

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// subrequest asks the HTTP door as Caddy does.
func subrequest(t *testing.T, door string, header ...string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+door+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	header = append([]string{"X-Forwarded-Method", "GET", "X-Forwarded-Uri", "/", "X-Forwarded-Host", "api.example.com", "X-Forwarded-Proto", "https"}, header...)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	return answer.StatusCode
}

func TestChecksOfTheHTTPDoorHaveSpans(t *testing.T) {
	spans, address := startCollector(t)
	door := freePort(t)
	s := serveHere(t, openPolicy, "--http-address", door, "--http-dialect", "caddy", "--tracing-otlp-endpoint", "http://"+address, "--tracing-sample-ratio", "1")
	if got := subrequest(t, door); got != http.StatusOK {
		t.Errorf("got %d", got)
	}
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
	if checks := spans.named("agentauth check"); len(checks) != 1 {
		t.Errorf("expected the span of one check, got %d; the log:\n%s", len(checks), s.log)
	}
}

func TestTheHTTPDoorRefusesACertificateThatItsProxyPassesOn(t *testing.T) {
	door := freePort(t)
	serveHere(t, openPolicy, "--http-address", door, "--http-dialect", "caddy", "--trust-xfcc")
	if got := subrequest(t, door, "X-Forwarded-Client-Cert", "Cert=a"); got != http.StatusBadRequest {
		t.Errorf("expected 400, got %d", got)
	}
}

const servesMetadata = openPolicy + `---
apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: tools, namespace: shop}
spec:
  routes: [{hostnames: [mcp.example.com]}]
  authentication: {methods: [{name: anybody, anonymous: {}}]}
  mcp: {resource: "https://mcp.example.com/", authorizationServers: ["https://idp.example.com"]}
`

func TestTheAuditStreamHasWhatTheHTTPDoorAnswered(t *testing.T) {
	door, file := freePort(t), filepath.Join(t.TempDir(), "audit.log")
	s := serveHere(t, servesMetadata, "--http-address", door, "--http-dialect", "caddy", "--audit-file", file)
	if got := subrequest(t, door, "X-Forwarded-Host", "mcp.example.com", "X-Forwarded-Uri", "/.well-known/oauth-protected-resource"); got != http.StatusNotFound {
		t.Errorf("expected 404, got %d", got)
	}
	if got := subrequest(t, door, "X-Forwarded-Proto", "gopher", "X-Request-Id", "req-1"); got != http.StatusBadRequest {
		t.Errorf("expected 400, got %d", got)
	}
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	for _, want := range []string{
		`"outcome":"failure","reason":"NoPolicy".*"status_code":404.*"decision":"deny","policy":"shop/tools".*"proxy":"loopback"`,
		`"outcome":"failure","reason":"BadRequest".*"id":"req-1".*"status_code":400.*"domain":"api.example.com"`,
	} {
		if err != nil || !regexp.MustCompile(want).Match(text) {
			t.Errorf("expected %s, got %v\n%s", want, err, text)
		}
	}
	if log := s.log.String(); !regexp.MustCompile(`"reason":"BadRequest".*"requestId":"req-1".*"host":"api.example.com"`).MatchString(log) {
		t.Errorf("got\n%s", log)
	}
}
