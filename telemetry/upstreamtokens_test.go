package telemetry

import (
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz/upstream"
)

func TestATokenEndpointThatFailsIsLoggedOnceAMinute(t *testing.T) {
	var out strings.Builder
	log := UpstreamTokenLog{Log: slog.New(slog.NewTextHandler(&out, nil))}
	now := time.Unix(1_800_000_000, 0)
	for i, step := range []struct {
		failures uint64
		after    time.Duration
		want     string
	}{
		{0, 0, ""},
		{1, time.Second, "failures=1\n"},
		{900, 2 * time.Second, ""},
		{1000, 62 * time.Second, "failures=999\n"},
		{1000, 200 * time.Second, ""},
	} {
		out.Reset()
		log.Look([]upstream.Status{{Endpoint: "https://idp.example.com/token", Failures: step.failures, Error: "answered 401"}}, now.Add(step.after))
		got := out.String()
		if step.want == "" && got != "" || step.want != "" && (strings.Count(got, "\n") != 1 || !strings.Contains(got, step.want) ||
			!strings.Contains(got, `endpoint=https://idp.example.com/token cause="answered 401"`)) {
			t.Errorf("step %d: wanted %q, got %q", i, step.want, got)
		}
	}
}

func TestRequestsForTokensAreCountedByEndpointAndResult(t *testing.T) {
	m := NewMetrics(func() time.Duration { return 0 })
	m.RegisterUpstreamTokens(func() []upstream.Status {
		return []upstream.Status{{Endpoint: "https://idp.example.com/token", Requests: map[upstream.Outcome]uint64{upstream.Denied: 7}}}
	})
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{`result="denied"} 7`, `result="issued"} 0`} {
		if want = `agentauth_upstream_token_requests_total{endpoint="https://idp.example.com/token",` + want; !strings.Contains(w.Body.String(), want) {
			t.Errorf("expected %s", want)
		}
	}
}
