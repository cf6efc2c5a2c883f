package telemetry_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/extauthz"
	"github.com/agentauth-dev/agentauth/telemetry"
	"github.com/agentauth-dev/agentauth/telemetry/audit"
)

// full is a disk without space.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func auditing(t *testing.T, to audit.Sink, required bool) *audit.Stream {
	t.Helper()
	s, err := audit.New(audit.Config{Sinks: []audit.Sink{to}, Allows: 1, Required: required})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	return s
}

func TestNoDecisionIsGivenThatCannotBeRecordedWhereRecordsAreRequired(t *testing.T) {
	m := telemetry.NewMetrics(never)
	out, logger := logTo(slog.LevelInfo)
	for _, outcome := range []authz.Outcome{authz.Allow, authz.Deny, authz.Respond} {
		l := &telemetry.DecisionLog{Log: logger, Metrics: m, Audit: auditing(t, audit.Writer("stdout", full{}), true)}
		d := l.Observe(decides{Policy: "shop/a", Outcome: outcome, Reason: authz.Allowed, Set: []authz.Header{{Name: "x-agent", Value: "a"}}}).Decide(t.Context(), authz.Raw{ID: "req-1"})
		if d.Outcome != authz.Error || !strings.Contains(d.Body, `"requestId":"req-1"`) || d.Reason != authz.AuditUnavailable || d.Status != 503 || d.Set != nil || d.Policy != "shop/a" {
			t.Errorf("%v: got %+v", outcome, d)
		}
	}
	expect(t, out.String(), "AuditUnavailable")
	l := &telemetry.DecisionLog{Log: logger, Metrics: m, Audit: auditing(t, audit.Writer("stdout", full{}), false)}
	if d := l.Observe(decides{Outcome: authz.Allow}).Decide(t.Context(), authz.Raw{}); d.Outcome != authz.Allow {
		t.Errorf("expected a decision without a record where none is required, got %+v", d)
	}
}

func TestLostAuditRecordsAreCountedAndSaidOnceAMinute(t *testing.T) {
	out, logger := logTo(slog.LevelInfo)
	l := &telemetry.AuditLog{Log: logger}
	now := time.Unix(1_800_000_000, 0)
	look := func(dropped uint64, after time.Duration) string {
		out.Reset()
		l.Look([]audit.Stats{{Sink: "file", Dropped: dropped, Seq: 9, Hash: "abc", Error: "no space left on device"}}, now.Add(after))
		return out.String()
	}
	if got := look(0, 0); strings.Contains(got, "lost") || !strings.Contains(got, `seq=9 hash=abc`) {
		t.Errorf("got %s", got)
	}
	if got := look(3, time.Second); !strings.Contains(got, `lost=3 cause="no space left on device"`) {
		t.Errorf("got %s", got)
	}
	if got := look(9, 2*time.Second); got != "" {
		t.Errorf("got %s", got)
	}
	if got := look(9, 62*time.Second); !strings.Contains(got, `lost=6`) {
		t.Errorf("got %s", got)
	}
	if got := look(9, time.Hour); !strings.Contains(got, "audit chain") || strings.Contains(got, "lost") {
		t.Errorf("got %s", got)
	}
	m := telemetry.NewMetrics(never)
	m.RegisterAudit(func() []audit.Stats { return []audit.Stats{{Sink: "file", Written: 5, Dropped: 2}} })
	_, metrics := get(m.Handler(), "/metrics")
	expect(t, metrics, `agentauth_audit_records_total{sink="file"} 5`, `agentauth_audit_dropped_total{sink="file"} 2`)
}

func TestADecisionThatEnvoyCannotBeToldIsRecordedAsThe503ThatItIsAnswered(t *testing.T) {
	m := telemetry.NewMetrics(never)
	out, logger := logTo(slog.LevelInfo)
	var file bytes.Buffer
	stream, err := audit.New(audit.Config{Sinks: []audit.Sink{audit.Writer("stdout", &file)}, Allows: 1})
	if err != nil {
		t.Fatal(err)
	}
	l := &telemetry.DecisionLog{Log: logger, Metrics: m, Audit: stream}
	l.Observe(extauthz.Writable(decides{Policy: "shop/a", Outcome: authz.Allow, Reason: authz.Allowed, Set: []authz.Header{{Name: "x-agent", Value: "s3cret\r\n"}}})).Decide(t.Context(), authz.Raw{ID: "req-1"})
	if err := stream.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, metrics := get(m.Handler(), "/metrics")
	expect(t, metrics, `agentauth_decisions_total{decision="error",policy="shop/a",reason="Internal"} 1`)
	expect(t, out.String(), "reason=Internal", "status=503", "header x-agent has a value that is no field value")
	expect(t, file.String(), `"outcome":"unknown","reason":"Internal"`, `"status_code":503`, `"decision":"error","policy":"shop/a"`)
	if strings.Contains(out.String()+file.String(), "s3cret") || strings.Contains(file.String(), `"allow"`) {
		t.Errorf("got\n%s\n%s", out, file.String())
	}
}
