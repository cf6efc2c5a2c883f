package telemetry_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/jwks"
	"github.com/agentauth-dev/agentauth/telemetry"
)

// get is what a handler answers.
func get(h http.Handler, url string) (status int, body string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, url, nil))
	return w.Code, w.Body.String()
}

func expect(t *testing.T, text string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("expected %q in\n%s", w, text)
		}
	}
}

func expectNot(t *testing.T, text string, unwanted ...string) {
	t.Helper()
	for _, u := range unwanted {
		if strings.Contains(text, u) {
			t.Errorf("expected no %q in\n%s", u, text)
		}
	}
}

func logTo(level slog.Level) (*bytes.Buffer, *slog.Logger) {
	var b bytes.Buffer
	return &b, slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: level}))
}

func never() time.Duration { return 0 }

type decides authz.Decision

func (d decides) Decide(context.Context, authz.Raw) authz.Decision { return authz.Decision(d) }

func TestADecisionIsLoggedAndCountedWithoutTheQuery(t *testing.T) {
	log, logger := logTo(slog.LevelInfo)
	m := telemetry.NewMetrics(never)
	d := (&telemetry.DecisionLog{Log: logger, Metrics: m}).Observe(decides{Outcome: authz.Deny, Status: 401, Reason: "Rejected", Policy: "shop/orders", Method: "keys"})
	got := d.Decide(t.Context(), authz.Raw{ID: "r1", Host: "api.example.com", Method: "GET", Path: "/" + strings.Repeat("long", 500) + "?token=hunter2"})
	if got.Status != 401 {
		t.Errorf("expected the decision as it was, got %+v", got)
	}
	expect(t, log.String(), "level=INFO", "msg=decision", "decision=deny", "reason=Rejected", "policy=shop/orders", "requestId=r1", "method=keys", "status=401", "…")
	expectNot(t, log.String(), "hunter2")
	if log.Len() > 1000 {
		t.Errorf("expected a path that is cut off, got %d bytes", log.Len())
	}
	_, metrics := get(m.Handler(), "/metrics")
	expect(t, metrics, `agentauth_decisions_total{decision="deny",policy="shop/orders",reason="Rejected"} 1`,
		`agentauth_decision_duration_seconds_count{decision="deny"} 1`, `agentauth_policy_last_decision_timestamp_seconds{policy="shop/orders"}`)
}

func TestAnAllowanceIsLoggedForDebuggingAndAnErrorAsAWarning(t *testing.T) {
	for outcome, want := range map[authz.Outcome]string{authz.Allow: "level=DEBUG", authz.Respond: "level=DEBUG", authz.Error: "level=WARN", authz.Deny: "level=INFO"} {
		log, logger := logTo(slog.LevelDebug)
		d := (&telemetry.DecisionLog{Log: logger, Metrics: telemetry.NewMetrics(never)}).Observe(decides{Outcome: outcome})
		d.Decide(t.Context(), authz.Raw{})
		expect(t, log.String(), want)
	}
}

func TestAPanicIsCountedAndItsValueIsNotLogged(t *testing.T) {
	log, logger := logTo(slog.LevelInfo)
	m := telemetry.NewMetrics(never)
	(&telemetry.DecisionLog{Log: logger, Metrics: m}).Panicked("hunter2", []byte("the stack"))
	expect(t, log.String(), "level=ERROR", "type=string", "the stack")
	expectNot(t, log.String(), "hunter2")
	_, metrics := get(m.Handler(), "/metrics")
	expect(t, metrics, "agentauth_panics_total 1")
}

func TestAPolicyThatIsGoneHasNoLastDecision(t *testing.T) {
	m := telemetry.NewMetrics(func() time.Duration { return 90 * time.Second })
	_, logger := logTo(slog.LevelError)
	ask := func(policy string) {
		(&telemetry.DecisionLog{Log: logger, Metrics: m}).Observe(decides{Policy: policy}).Decide(t.Context(), authz.Raw{})
	}
	m.InForce([]string{"shop/a", "shop/b"}, 3)
	ask("shop/a")
	ask("shop/b")
	m.InForce([]string{"shop/b"}, 1)
	_, metrics := get(m.Handler(), "/metrics")
	expect(t, metrics, `last_decision_timestamp_seconds{policy="shop/b"}`, "agentauth_policies 1", "agentauth_policy_problems 1",
		`agentauth_config_reloads_total{result="ok"} 2`, "agentauth_config_last_reload_successful 1", "agentauth_config_age_seconds 90",
		`agentauth_decisions_total{decision="deny",policy="shop/a"`)
	expectNot(t, metrics, `last_decision_timestamp_seconds{policy="shop/a"}`, "agentauth_schema_matches")

	m.Refused()
	m.Reviewed("allowed")
	m.CertificateShown(time.Unix(1234, 0))
	m.RegisterSchema()
	m.SchemaMatches(true)
	_, metrics = get(m.Handler(), "/metrics")
	expect(t, metrics, `agentauth_config_reloads_total{result="refused"} 1`, "agentauth_config_last_reload_successful 0",
		`agentauth_webhook_reviews_total{result="allowed"} 1`, "certificate_expiry_timestamp_seconds 1234", "agentauth_schema_matches 1")
	m.SchemaMatches(false)
	_, metrics = get(m.Handler(), "/metrics")
	expect(t, metrics, "agentauth_schema_matches 0")
}

func TestWhatWasCountedOfAPolicyThatIsGoneIsForgottenUnlessItComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := telemetry.NewMetrics(never)
		_, logger := logTo(slog.LevelError)
		ask := func(policy string) {
			(&telemetry.DecisionLog{Log: logger, Metrics: m}).Observe(decides{Policy: policy}).Decide(t.Context(), authz.Raw{})
		}
		m.InForce([]string{"shop/a", "shop/b", "shop/c"}, 0)
		for _, policy := range []string{"shop/a", "shop/b", "shop/c", ""} {
			ask(policy)
		}
		m.InForce([]string{"shop/c"}, 0)
		ask("shop/a") // by the snapshot before
		m.InForce([]string{"shop/b", "shop/c"}, 0)
		_, metrics := get(m.Handler(), "/metrics")
		expectNot(t, metrics, `last_decision_timestamp_seconds{policy="shop/b"}`)
		time.Sleep(time.Hour)
		synctest.Wait()
		_, metrics = get(m.Handler(), "/metrics")
		expectNot(t, metrics, "shop/a")
		expect(t, metrics, `policy="shop/b"`, `policy="shop/c"`, `policy=""`, `last_decision_timestamp_seconds{policy="shop/c"}`)
		for n := range 1000 { // churn
			name := fmt.Sprint("shop/", n)
			m.InForce([]string{name}, 0)
			ask(name)
		}
		m.InForce(nil, 0)
		time.Sleep(time.Hour)
		synctest.Wait()
		_, metrics = get(m.Handler(), "/metrics")
		if expectNot(t, metrics, "shop/"); strings.Count(metrics, "agentauth_decisions_total{") != 1 {
			t.Errorf("got %s", metrics)
		}
	})
}

func TestOfKeySetsWithOneSourceTheBestIsShown(t *testing.T) {
	m := telemetry.NewMetrics(never)
	set := func(issuer, url string, status jwks.Status) engine.RemoteStatus {
		return engine.RemoteStatus{RemoteSource: engine.RemoteSource{Issuer: issuer, URL: url}, Status: status}
	}
	m.RegisterKeySets(func() []engine.RemoteStatus {
		return []engine.RemoteStatus{
			set("https://issuer.example", "", jwks.Status{Keys: 2, Success: time.Unix(100, 0)}),
			set("https://issuer.example", "", jwks.Status{}),
			set("", "https://keys.example/jwks", jwks.Status{}),
		}
	})
	_, metrics := get(m.Handler(), "/metrics")
	expect(t, metrics, `agentauth_jwks_keys{source="https://issuer.example"} 2`, `agentauth_jwks_last_success_timestamp_seconds{source="https://issuer.example"} 100`,
		`agentauth_jwks_last_success_timestamp_seconds{source="https://keys.example/jwks"} 0`)
}

func TestTheZeroReadinessIsNotReady(t *testing.T) {
	var r telemetry.Readiness
	status, body := get(&r, "/readyz?verbose")
	if status != 503 || body != "not ready: policies and keys are being loaded\n" || r.Serving() || r.Stale() {
		t.Errorf("got %d %q", status, body)
	}
	r.Ready()
	if status, body = get(&r, "/readyz"); status != 200 || body != "ready\n" || !r.Serving() {
		t.Errorf("got %d %q", status, body)
	}
	r.Stopping()
	if status, body = get(&r, "/readyz"); status != 503 || body != "stopping\n" || r.Serving() {
		t.Errorf("got %d %q", status, body)
	}
}

func TestWhatIsTooOldIsNotReady(t *testing.T) {
	behind := time.Minute
	r := telemetry.Readiness{MaxAge: time.Minute, Behind: func() time.Duration { return behind }, Causes: func() []string { return []string{"gateways are not watched"} }}
	r.Ready()
	if !r.Serving() || r.Stale() || r.Age() != behind {
		t.Error("expected an age of MaxAge to be served")
	}
	behind++
	status, body := get(&r, "/readyz?verbose")
	if status != 503 || r.Serving() || !r.Stale() {
		t.Errorf("got %d", status)
	}
	expect(t, body, "not ready: what is in force is older than --max-config-age", "what is in force is 1m0s behind the API server\ngateways are not watched\n")
	r.MaxAge = 0
	if !r.Serving() || r.Stale() {
		t.Error("expected no limit")
	}
}

func TestOnlyVerboseReadinessShowsProblems(t *testing.T) {
	r := telemetry.Readiness{KeySets: func() []engine.RemoteStatus {
		return []engine.RemoteStatus{
			{RemoteSource: engine.RemoteSource{URL: "https://keys.example"}, Status: jwks.Status{Keys: 1, Error: "refused"}},
			{RemoteSource: engine.RemoteSource{URL: "https://later.example"}, Status: jwks.Status{Error: "refused", Next: time.Now().Add(90 * time.Second)}},
		}
	}}
	r.Ready()
	r.InForce([]string{"a warning"})
	r.Refused([]string{"an error"})
	r.Schema("another CRD")
	_, brief := get(&r, "/readyz")
	expectNot(t, brief, "a warning", "an error", "another CRD", "keys of")
	status, all := get(&r, "/readyz?verbose")
	if status != 200 || r.Age() <= 0 {
		t.Errorf("expected to stay ready, and an age; got %d and %v", status, r.Age())
	}
	expect(t, all, "the last load was refused 0s ago; what was loaded before is in force:\nan error\n", "in force, with problems:\na warning\n",
		"another CRD\n", "keys of https://keys.example: 1 held; the last attempt failed: refused\n",
		"keys of https://later.example: 0 held; the last attempt failed: refused; the next one is in 1m30s\n")
	r.InForce(nil)
	_, all = get(&r, "/readyz?verbose")
	expectNot(t, all, "an error", "a warning")
	if r.Age() != 0 {
		t.Errorf("expected no age, got %v", r.Age())
	}
}
