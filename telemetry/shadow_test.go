package telemetry_test

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/telemetry"
)

// tried is a decision, and what a shadowed policy would have decided.
func tried(outcome, shadow authz.Outcome) decides {
	return decides{Outcome: outcome, Reason: authz.Allowed, Policy: "shop/orders", Shadow: &authz.Decision{
		Outcome: shadow, Reason: authz.RuleDenied, Policy: "shop/next", Rule: "reads-only", Method: "keys", Status: 403, Identity: &authz.Identity{Subject: "robot"}}}
}

func TestWhatAShadowedPolicyWouldDecideIsCountedAndADifferenceIsLogged(t *testing.T) {
	log, logger := logTo(slog.LevelInfo)
	m := telemetry.NewMetrics(never)
	observe := (&telemetry.DecisionLog{Log: logger, Metrics: m}).Observe
	for _, d := range []decides{tried(authz.Allow, authz.Deny), tried(authz.Allow, authz.Deny), tried(authz.Allow, authz.Allow)} {
		observe(d).Decide(t.Context(), authz.Raw{Path: "/v1?key=hidden"})
	}
	expect(t, log.String(), "decision=allow", "shadow.policy=shop/next", "shadow.decision=deny", "shadow.reason=RuleDenied",
		"shadow.rule=reads-only", "shadow.method=keys", "shadow.subject=robot", "shadow.status=403")
	expectNot(t, log.String(), "shadow.decision=allow", "hidden")
	_, metrics := get(m.Handler(), "/metrics")
	expect(t, metrics,
		`agentauth_decisions_total{decision="allow",policy="shop/orders",reason="Allowed"} 3`,
		`agentauth_shadow_decisions_total{decision="deny",policy="shop/next",reason="RuleDenied"} 2`,
		`agentauth_shadow_decisions_total{decision="allow",policy="shop/next",reason="RuleDenied"} 1`,
		`agentauth_shadow_differences_total{enforced="allow",policy="shop/next",shadow="deny"} 2`,
		`agentauth_policy_last_decision_timestamp_seconds{policy="shop/next"}`)
	expectNot(t, metrics, `shadow="allow"`)
}

func TestAnAllowanceThatAShadowedPolicyAgreesWithIsLoggedAtDebugAlone(t *testing.T) {
	log, logger := logTo(slog.LevelDebug)
	observe := (&telemetry.DecisionLog{Log: logger, Metrics: telemetry.NewMetrics(never)}).Observe
	observe(tried(authz.Allow, authz.Allow)).Decide(t.Context(), authz.Raw{})
	expect(t, log.String(), "level=DEBUG", "shadow.decision=allow")
}

func TestWhatWasCountedOfAShadowedPolicyGoesWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, logger := logTo(slog.LevelError)
		m := telemetry.NewMetrics(never)
		m.InForce([]string{"shop/orders", "shop/next"}, 0)
		(&telemetry.DecisionLog{Log: logger, Metrics: m}).Observe(tried(authz.Allow, authz.Deny)).Decide(t.Context(), authz.Raw{})
		m.InForce([]string{"shop/orders"}, 0)
		time.Sleep(11 * time.Minute)
		synctest.Wait()
		_, metrics := get(m.Handler(), "/metrics")
		expectNot(t, metrics, "shop/next")
		expect(t, metrics, "shop/orders")
	})
}
