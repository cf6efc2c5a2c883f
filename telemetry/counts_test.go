package telemetry_test

import (
	"fmt"
	"log/slog"
	"sync"
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/telemetry"
)

func TestEveryDecisionIsCountedAlsoWhenManyAreTheFirst(t *testing.T) {
	m := telemetry.NewMetrics(never)
	m.InForce([]string{"shop/a"}, 0)
	_, logger := logTo(slog.LevelError)
	l := &telemetry.DecisionLog{Log: logger, Metrics: m}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 100 {
				for _, policy := range []string{"", "shop/a", "shop/gone"} {
					l.Observe(decides{Policy: policy, Outcome: authz.Outcome(i % 5), Reason: authz.Reasons()[i%10]}).Decide(t.Context(), authz.Raw{})
				}
			}
		})
	}
	for range 20 { // loads go on meanwhile
		m.InForce([]string{"shop/a"}, 0)
	}
	all.Wait()
	_, metrics := get(m.Handler(), "/metrics")
	for _, policy := range []string{"", "shop/a", "shop/gone"} {
		for i := range 10 {
			if i%5 == 0 || i%5 == 4 { // an unknown outcome is a denial
				continue
			}
			expect(t, metrics, fmt.Sprintf(`agentauth_decisions_total{decision=%q,policy=%q,reason=%q} 80`, authz.Outcome(i%5), policy, authz.Reasons()[i%10]))
		}
	}
	expect(t, metrics, `agentauth_decision_duration_seconds_count{decision="allow"} 480`, `agentauth_decision_duration_seconds_count{decision="deny"} 960`)
}

func TestWhatIsInForceIsCountedWithoutAllocation(t *testing.T) {
	m := telemetry.NewMetrics(never)
	m.InForce([]string{"shop/a"}, 0)
	_, logger := logTo(slog.LevelInfo)
	d := (&telemetry.DecisionLog{Log: logger, Metrics: m}).Observe(decides{Policy: "shop/a", Outcome: authz.Allow, Reason: authz.Allowed})
	raw := authz.Raw{Path: "/"}
	if allocated := testing.AllocsPerRun(100, func() { d.Decide(t.Context(), raw) }); allocated > 0 {
		t.Errorf("expected no allocation, got %v", allocated)
	}
}

func BenchmarkObserve(b *testing.B) {
	m := telemetry.NewMetrics(never)
	m.InForce([]string{"shop/a"}, 0)
	_, logger := logTo(slog.LevelInfo)
	d := (&telemetry.DecisionLog{Log: logger, Metrics: m}).Observe(decides{Policy: "shop/a", Outcome: authz.Allow, Reason: authz.Allowed})
	raw := authz.Raw{Path: "/"}
	b.ReportAllocs()
	for b.Loop() {
		d.Decide(b.Context(), raw)
	}
}
