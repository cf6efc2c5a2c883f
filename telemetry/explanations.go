package telemetry

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/agentauth-dev/agentauth/authz"
)

// Explanations logs and counts decisions that were explained to somebody at the door.
// No proxy asked for them, so no metric of decisions counts them.
type Explanations struct {
	log   *slog.Logger
	count *prometheus.CounterVec
}

// NewExplanations adds the metric of explanations.
func NewExplanations(log *slog.Logger, m *Metrics) *Explanations {
	e := &Explanations{log: log, count: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "agentauth_explanations_total",
		Help: "Decisions that were explained at the door (agentauth check --server --explain), by decision.",
	}, []string{"decision"})}
	m.registry.MustRegister(e.count)
	return e
}

// Explained says who asked for a decision, and what it was.
func (e *Explanations) Explained(ctx context.Context, by string, raw *authz.Raw, d *authz.Decision, took time.Duration) {
	e.count.WithLabelValues(d.Outcome.String()).Inc()
	e.log.LogAttrs(ctx, slog.LevelInfo, "a decision was explained", append([]slog.Attr{slog.String("by", by)}, attributes(raw, d, took)...)...)
}
