package telemetry

import (
	"bytes"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/introspect"
)

func TestAnEndpointWithoutSoundAnswersIsLoggedAtOnceAndThenOnceAMinute(t *testing.T) {
	var out bytes.Buffer
	log := IntrospectionLog{Log: slog.New(slog.NewTextHandler(&out, nil))}
	now := time.Unix(1_800_000_000, 0)
	server := func(failures uint64) []engine.IntrospectorStatus {
		return []engine.IntrospectorStatus{{Endpoint: "https://idp.example.com/introspect", ID: [32]byte{1}, Methods: []string{"shop/p method opaque", "shop/q method other"},
			Status: introspect.Status{Failures: failures, Error: "answered 500, 200 was expected"}}}
	}
	for i, step := range []struct {
		failures uint64
		after    time.Duration
		want     string
	}{
		{0, 0, ""},
		{1, time.Second, "failures=1 "},
		{900, 2 * time.Second, ""},
		{1000, 60 * time.Second, ""},
		{1000, 61 * time.Second, "failures=999 "},
		{1000, 200 * time.Second, ""},
		{1001, 201 * time.Second, "failures=1 "},
	} {
		out.Reset()
		log.Look(server(step.failures), now.Add(step.after))
		got := out.String()
		if step.want == "" && got != "" || step.want != "" && (strings.Count(got, "\n") != 1 || !strings.Contains(got, step.want) ||
			!strings.Contains(got, `level=WARN`) || !strings.Contains(got, `endpoint=https://idp.example.com/introspect cause="answered 500, 200 was expected"`) ||
			!strings.Contains(got, `methods="shop/p method opaque, shop/q method other"`)) {
			t.Errorf("step %d: wanted %q, got %q", i, step.want, got)
		}
	}
	out.Reset()
	log.Look(nil, now.Add(300*time.Second))
	log.Look(server(5), now.Add(301*time.Second))
	if !strings.Contains(out.String(), "failures=5 ") {
		t.Errorf("an endpoint that came back is not told: %q", out.String())
	}
}

func TestRequestsAboutTokensAreCountedByEndpointAndResult(t *testing.T) {
	m := NewMetrics(func() time.Duration { return 0 })
	m.RegisterIntrospection(func() []introspect.Count {
		return []introspect.Count{{Endpoint: "https://idp.example.com/introspect", Outcome: introspect.Refused, Requests: 7}}
	})
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if want := `agentauth_introspection_requests_total{endpoint="https://idp.example.com/introspect",result="refused"} 7`; !strings.Contains(w.Body.String(), want) {
		t.Errorf("expected %s", want)
	}
}
