package telemetry_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/telemetry"
)

func TestAnExplanationIsNoDecisionAndSaysWhoAsked(t *testing.T) {
	m := telemetry.NewMetrics(never)
	m.InForce([]string{"shop/a"}, 0)
	log, logger := logTo(slog.LevelInfo)
	told := telemetry.NewExplanations(logger, m)
	told.Explained(t.Context(), "operator.example.com", &authz.Raw{Host: "api.example.com", Method: "GET", Path: "/v1?access_token=s3cr3t", Headers: []authz.Header{{Name: "authorization", Value: "s3cr3t"}}},
		&authz.Decision{Outcome: authz.Allow, Reason: authz.Allowed, Policy: "shop/a"}, time.Millisecond)
	expect(t, log.String(), `level=INFO msg="a decision was explained" by=operator.example.com decision=allow reason=Allowed policy=shop/a`, "path=/v1 ")
	expectNot(t, log.String(), "s3cr3t")
	_, metrics := get(m.Handler(), "/metrics")
	expect(t, metrics, `agentauth_explanations_total{decision="allow"} 1`)
	expectNot(t, metrics, "agentauth_decisions_total{", "agentauth_policy_last_decision_timestamp_seconds{")
}
