package telemetry

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/telemetry/audit"
)

func TestARevocationIsLoggedWhenItComesInForceWhenItEndsAndWhenItIsRemoved(t *testing.T) {
	var out bytes.Buffer
	var trail bytes.Buffer
	stream, err := audit.New(audit.Config{Sinks: []audit.Sink{audit.Writer("stdout", &trail)}, Allows: 1})
	if err != nil {
		t.Fatal(err)
	}
	l := RevocationLog{Log: slog.New(slog.NewTextHandler(&out, nil)), Audit: stream}
	now := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	expect := func(want ...string) {
		t.Helper()
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if out.Len() == 0 {
			lines = nil
		}
		if len(lines) != len(want) {
			t.Fatalf("expected %q, got %q", want, lines)
		}
		for i, w := range want {
			if !strings.Contains(lines[i], w) {
				t.Errorf("expected %q, got %q", w, lines[i])
			}
		}
		out.Reset()
	}
	alice := audit.Revocation{Name: "a", Revokes: "subject alice", Scope: "all policies", Reason: "ticket", Until: now.Add(time.Hour)}
	bob := audit.Revocation{Name: "b", Revokes: "subject bob", Until: now.Add(2 * time.Hour)}
	l.Look([]audit.Revocation{alice, bob}, now)
	expect(`msg="revocation in force" revocation=a revokes="subject alice" for="all policies" until=2027-01-01T01:00:00Z reason=ticket`, "revocation=b")
	if l.Due(now.Add(time.Minute)) || !l.Due(now.Add(time.Hour)) {
		t.Error("expected to look again when the first one ends")
	}
	l.Look([]audit.Revocation{alice, bob}, now.Add(time.Hour))
	expect(`msg="revocation ended" revocation=a`)
	l.Look(nil, now.Add(time.Hour))
	expect(`msg="revocation removed" revocation=b`)
	var many []audit.Revocation
	for i := range 30 {
		many = append(many, audit.Revocation{Name: fmt.Sprint(i), Until: now.Add(9 * time.Hour)})
	}
	l.Look(many, now)
	if got := strings.Count(out.String(), "\n"); got != 21 || !strings.Contains(out.String(), "notLogged=10") {
		t.Errorf("expected 20 lines and one for the others, got %d", got)
	}
	if err := stream.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]int{
		`"change":"added"`: 32, `"change":"ended","revocation":{"name":"a",`: 1, `"change":"removed","revocation":{"name":"b",`: 1,
		`"revocation":{"name":"a","revokes":"subject alice","scope":"all policies","until":"2027-01-01T01:00:00Z","reason":"ticket"}`: 2,
	} {
		if got := strings.Count(trail.String(), text); got != want {
			t.Errorf("%s: expected %d records, got %d", text, want, got)
		}
	}
}
