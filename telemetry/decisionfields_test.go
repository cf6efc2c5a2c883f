package telemetry_test

import (
	"bytes"
	"context"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/telemetry"
)

// lineOf is the line that is logged for a decision that takes a time.
func lineOf(t *testing.T, raw authz.Raw, d authz.Decision, took time.Duration) (line map[string]any) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		logger := slog.New(slog.NewJSONHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug}))
		(&telemetry.DecisionLog{Log: logger, Metrics: telemetry.NewMetrics(never)}).Observe(slow{d, took}).Decide(t.Context(), raw)
		if err := json.Unmarshal(b.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
	})
	delete(line, "time")
	delete(line, "level")
	delete(line, "msg")
	return line
}

type slow struct {
	decision authz.Decision
	took     time.Duration
}

func (s slow) Decide(context.Context, authz.Raw) authz.Decision {
	time.Sleep(s.took)
	return s.decision
}

func TestTheLogSaysWhoWasRefusedFromWhereAndByWhichVersion(t *testing.T) {
	raw := authz.Raw{ID: "r1", Host: "api.example.com", Method: "POST", Path: "/x?token=hunter2", Source: authz.Source{Address: "192.0.2.7", Principal: "spiffe://mesh/gateway"}}
	agent := &authz.Identity{Method: "idp", Issuer: "https://idp.example.com", Subject: "agent-7", CredentialID: "t-1", Actor: &authz.Actor{Subject: "bot", Issuer: "https://bots.example.com"},
		Scopes: []string{"secret-scope"}, Claims: map[string]any{"email": "a@example.com"}}
	version := &authz.PolicyVersion{Generation: 7, Digest: "sha256:abc"}
	request := map[string]any{"requestId": "r1", "source": "192.0.2.7", "peerPrincipal": "spiffe://mesh/gateway", "host": "api.example.com", "httpMethod": "POST", "path": "/x", "tookMs": 1.5}
	who := map[string]any{"subject": "agent-7", "issuer": "https://idp.example.com", "credentialId": "t-1", "actor": map[string]any{"subject": "bot", "issuer": "https://bots.example.com"}}
	by := map[string]any{"policy": "shop/orders", "generation": 7.0, "digest": "sha256:abc", "method": "idp"}
	for name, c := range map[string]struct {
		decision authz.Decision
		want     []map[string]any
	}{
		"verified and refused": {authz.Decision{Outcome: authz.Deny, Reason: authz.TokenExpired, Status: 401, Policy: "shop/orders", Version: version, Method: "idp", Refused: agent, Detail: "it ended"},
			[]map[string]any{request, who, by, {"decision": "deny", "reason": "TokenExpired", "status": 401.0, "detail": "it ended"}}},
		"allowed beside a revoked one": {authz.Decision{Outcome: authz.Allow, Reason: authz.Allowed, Policy: "shop/orders", Version: version, Method: "idp", Identity: agent,
			Refused: &authz.Identity{Method: "keys", Subject: "robot", CredentialID: "first"}, Detail: "another one was revoked"},
			[]map[string]any{request, who, by, {"decision": "allow", "reason": "Allowed", "detail": "another one was revoked", "refused": map[string]any{"method": "keys", "subject": "robot", "credentialId": "first"}}}},
		"verified and denied": {authz.Decision{Outcome: authz.Deny, Reason: authz.RuleDenied, Status: 403, Policy: "shop/orders", Version: version, Method: "idp", Rule: "never", Identity: agent},
			[]map[string]any{request, who, by, {"decision": "deny", "reason": "RuleDenied", "status": 403.0, "rule": "never"}}},
		"allowed": {authz.Decision{Outcome: authz.Allow, Reason: authz.Allowed, Policy: "shop/orders", Version: version, Method: "idp", Identity: agent},
			[]map[string]any{request, who, by, {"decision": "allow", "reason": "Allowed"}}},
		"unverified": {authz.Decision{Outcome: authz.Deny, Reason: authz.SignatureInvalid, Status: 401, Policy: "shop/orders", Version: version, Method: "idp",
			Claimed: &authz.Claim{Method: "idp", Subject: "agent-7", Issuer: "https://idp.example.com"}},
			[]map[string]any{request, by, {"decision": "deny", "reason": "SignatureInvalid", "status": 401.0, "claimed": map[string]any{"subject": "agent-7", "issuer": "https://idp.example.com"}}}},
		"an actor that cannot be read": {authz.Decision{Outcome: authz.Deny, Reason: authz.RuleDenied, Status: 403, Identity: &authz.Identity{Subject: "a", Actor: &authz.Actor{Unreadable: true}}},
			[]map[string]any{request, {"decision": "deny", "reason": "RuleDenied", "status": 403.0, "policy": "", "subject": "a", "actor": map[string]any{"unreadable": true}}}},
		"of a file": {authz.Decision{Outcome: authz.Deny, Reason: authz.NoCredential, Status: 401, Policy: "shop/orders", Version: &authz.PolicyVersion{Digest: "sha256:abc"}},
			[]map[string]any{request, {"decision": "deny", "reason": "NoCredential", "status": 401.0, "policy": "shop/orders", "digest": "sha256:abc"}}},
	} {
		t.Run(name, func(t *testing.T) {
			want := map[string]any{}
			for _, part := range c.want {
				for k, v := range part {
					want[k] = v
				}
			}
			if got := lineOf(t, raw, c.decision, 1500*time.Microsecond); !reflect.DeepEqual(got, want) {
				t.Errorf("got  %v\nwant %v", got, want)
			}
		})
	}
}

func TestARevokedCredentialThatIsUsedIsInTheLogThoughTheRequestIsAllowed(t *testing.T) {
	for name, c := range map[string]struct {
		refused *authz.Identity
		lines   int
	}{"beside a revoked one": {&authz.Identity{Subject: "robot"}, 1}, "alone": {nil, 0}} {
		var b bytes.Buffer
		log := &telemetry.DecisionLog{Log: slog.New(slog.NewTextHandler(&b, nil)), Metrics: telemetry.NewMetrics(never)}
		log.Observe(slow{authz.Decision{Outcome: authz.Allow, Identity: &authz.Identity{Subject: "agent"}, Refused: c.refused}, 0}).Decide(t.Context(), authz.Raw{})
		if n := strings.Count(b.String(), "\n"); n != c.lines {
			t.Errorf("%s: got %q", name, b.String())
		}
	}
}

func TestALineOfTheLogIsShortWhateverATokenSays(t *testing.T) {
	long := strings.Repeat("x", 16<<10)
	line := lineOf(t, authz.Raw{ID: long, Host: long, Method: long, Path: long, Source: authz.Source{Principal: long}},
		authz.Decision{Refused: &authz.Identity{Subject: long, Issuer: long, CredentialID: long, Actor: &authz.Actor{Subject: long, Issuer: long}}}, 0)
	text, err := json.Marshal(line)
	if err != nil || len(text) > 6000 {
		t.Errorf("got %d bytes (%v)", len(text), err)
	}
}
