package main

import (
	"net/http"
	"testing"
)

// subrequest asks the HTTP door as Caddy does.
func subrequest(t *testing.T, door string, header ...string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+door+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	header = append(header, "X-Forwarded-Method", "GET", "X-Forwarded-Uri", "/", "X-Forwarded-Host", "api.example.com", "X-Forwarded-Proto", "https")
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
