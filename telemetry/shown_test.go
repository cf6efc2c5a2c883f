package telemetry_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/telemetry"
)

// asked are metrics, and a function that has a policy decide once.
func asked(t *testing.T) (*telemetry.Metrics, func(policy string)) {
	t.Helper()
	m := telemetry.NewMetrics(never)
	_, logger := logTo(slog.LevelError)
	l := &telemetry.DecisionLog{Log: logger, Metrics: m}
	return m, func(policy string) {
		l.Observe(decides{Policy: policy, Outcome: authz.Allow, Reason: authz.Allowed}).Decide(t.Context(), authz.Raw{})
	}
}

func named(namespace string, count int) (out []string) {
	for i := range count {
		out = append(out, fmt.Sprintf("%s/p%05d", namespace, i))
	}
	return out
}

func TestATenantWithManyPoliciesTakesNoSeriesFromTheOthers(t *testing.T) {
	m, ask := asked(t)
	policies := append(append(named("flood", 10_000), named("shop", 3)...), named("bank", 400)...)
	m.InForce(policies, 0)
	for _, name := range policies {
		ask(name)
	}
	_, metrics := get(m.Handler(), "/metrics")
	if n := strings.Count(metrics, "agentauth_decisions_total{"); n != 1001 {
		t.Errorf("expected 1000 policies with series of their own and the others, got %d", n)
	}
	if n := strings.Count(metrics, `agentauth_decisions_total{decision="allow",policy="bank/`); n != 400 {
		t.Errorf("expected all 400 of bank, got %d", n)
	}
	expect(t, metrics, `policy="shop/p00002",reason="Allowed"} 1`, `policy="flood/p00596",reason="Allowed"} 1`,
		`agentauth_decisions_total{decision="allow",policy="(others)",reason="Allowed"} 9403`, `last_decision_timestamp_seconds{policy="(others)"}`)
	expectNot(t, metrics, "flood/p00597")
}

func TestTheSameListInAnotherOrderShowsTheSamePolicies(t *testing.T) {
	m, ask := asked(t)
	policies := append(named("b", 900), named("a", 900)...)
	for i := range len(policies) / 2 {
		policies[i], policies[len(policies)-1-i] = policies[len(policies)-1-i], policies[i]
	}
	m.InForce(policies, 0)
	for _, name := range policies {
		ask(name)
	}
	_, metrics := get(m.Handler(), "/metrics")
	expect(t, metrics, `policy="a/p00499"`, `policy="b/p00499"`)
	expectNot(t, metrics, `policy="a/p00500"`, `policy="b/p00500"`)
}

func TestAPolicyThatLosesItsSeriesIsCountedAmongTheOthersAndBackAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, ask := asked(t)
		few := []string{"shop/z"}
		m.InForce(few, 0)
		ask("shop/z")
		m.InForce(append(named("shop", 2000), few...), 0)
		ask("shop/z")
		_, metrics := get(m.Handler(), "/metrics")
		expect(t, metrics, `policy="(others)",reason="Allowed"} 1`, `policy="shop/z",reason="Allowed"} 1`)
		expectNot(t, metrics, `last_decision_timestamp_seconds{policy="shop/z"}`)
		time.Sleep(time.Hour)
		synctest.Wait()
		_, metrics = get(m.Handler(), "/metrics")
		expectNot(t, metrics, "shop/z")
		m.InForce(few, 0)
		ask("shop/z")
		_, metrics = get(m.Handler(), "/metrics")
		expect(t, metrics, `policy="shop/z",reason="Allowed"} 1`)
		time.Sleep(time.Hour) // for the series of the others that went
	})
}

func TestPoliciesThatComeAndGoQuicklyLeaveABoundedNumberOfSeries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, ask := asked(t)
		for n := range 5000 {
			name := fmt.Sprint("shop/", n)
			m.InForce([]string{name}, 0)
			ask(name)
		}
		for n := range 5000 { // by checks that began before, or a load that is not told yet
			ask(fmt.Sprint("bank/", n))
		}
		_, metrics := get(m.Handler(), "/metrics")
		if n := strings.Count(metrics, "agentauth_decisions_total{"); n > 2002 {
			t.Errorf("expected some 1000 series, got %d", n)
		}
		expect(t, metrics, `policy="shop/4999"`, `policy="(others)",reason="Allowed"}`)
		time.Sleep(time.Hour)
		synctest.Wait()
		_, metrics = get(m.Handler(), "/metrics")
		if n := strings.Count(metrics, "agentauth_decisions_total{"); n != 2 {
			t.Errorf("expected the policy in force and the others, got %d", n)
		}
	})
}

func TestOthersAreCountedWithoutAllocation(t *testing.T) {
	m, ask := asked(t)
	m.InForce(named("shop", 2000), 0)
	ask("shop/p01999")
	d := (&telemetry.DecisionLog{Log: slog.New(slog.DiscardHandler), Metrics: m}).Observe(decides{Policy: "shop/p01999", Outcome: authz.Allow, Reason: authz.Allowed})
	raw := authz.Raw{Path: "/"}
	if allocated := testing.AllocsPerRun(100, func() { d.Decide(t.Context(), raw) }); allocated > 0 {
		t.Errorf("expected no allocation, got %v", allocated)
	}
}
