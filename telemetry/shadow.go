package telemetry

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/agentauth-dev/agentauth/authz"
)

// shadowCounts are the metrics of policies with mode Shadow.
type shadowCounts struct{ decisions, differences *prometheus.CounterVec }

func newShadowCounts() *shadowCounts {
	return &shadowCounts{
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "agentauth_shadow_decisions_total",
			Help: "What policies with mode Shadow would have decided, by policy (namespace/name), decision and reason.",
		}, []string{"policy", "decision", "reason"}),
		differences: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "agentauth_shadow_differences_total",
			Help: "Requests that a policy with mode Shadow (namespace/name) would have decided otherwise: what was enforced, and what it would have been.",
		}, []string{"policy", "enforced", "shadow"}),
	}
}

// count counts what a shadowed policy would have decided in place of d.
func (c *shadowCounts) count(m *Metrics, d *authz.Decision, at time.Time) {
	s := d.Shadow
	counts := (*m.inForce.Load())[s.Policy]
	if counts == nil { // it is gone: it was in force when the check began
		counts = m.stray(s.Policy)
	}
	c.decisions.WithLabelValues(counts.policy, s.Outcome.String(), string(s.Reason)).Inc()
	if differs(d) {
		c.differences.WithLabelValues(counts.policy, d.Outcome.String(), s.Outcome.String()).Inc()
	}
	if counts.policy == s.Policy {
		m.asked.WithLabelValues(s.Policy).Set(float64(at.UnixNano()) / 1e9)
	}
}

// forget drops what was counted of a policy.
func (c *shadowCounts) forget(policy string) {
	c.decisions.DeletePartialMatch(prometheus.Labels{"policy": policy})
	c.differences.DeletePartialMatch(prometheus.Labels{"policy": policy})
}

// differs says whether a shadowed policy would have decided otherwise.
func differs(d *authz.Decision) bool { return d.Shadow != nil && d.Shadow.Outcome != d.Outcome }

// shadowAttributes are what the log says of a shadowed policy.
func shadowAttributes(s *authz.Decision) slog.Attr {
	out := []any{slog.String("policy", s.Policy), slog.String("decision", s.Outcome.String()), slog.String("reason", string(s.Reason))}
	if s.Method != "" {
		out = append(out, slog.String("method", s.Method))
	}
	if s.Identity != nil {
		out = append(out, slog.String("subject", s.Identity.Subject))
	}
	if s.Rule != "" {
		out = append(out, slog.String("rule", s.Rule))
	}
	if s.Status != 0 {
		out = append(out, slog.Int("status", s.Status))
	}
	if s.Detail != "" {
		out = append(out, slog.String("detail", s.Detail))
	}
	return slog.Group("shadow", out...)
}
