package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/policy"
	"github.com/agentauth-dev/agentauth/telemetry/audit"
)

// DecisionLog logs and counts the decisions of a [Decider].
type DecisionLog struct {
	Log     *slog.Logger
	Metrics *Metrics
	// Audit records every decision; nil records none.
	Audit *audit.Stream
}

// Decider decides a request, as the engine does.
type Decider interface {
	Decide(context.Context, authz.Raw) authz.Decision
}

// Observe is d, with every decision logged and counted.
func (l *DecisionLog) Observe(d Decider) Decider { return &observed{d, l} }

// Panicked logs and counts a panic in a check, which was answered 503. The
// value may hold something of the request: its type alone is logged.
func (l *DecisionLog) Panicked(value any, stack []byte) {
	l.Metrics.panics.Inc()
	l.Log.Error("a check panicked and was answered 503", "type", fmt.Sprintf("%T", value), "stack", string(stack))
}

// observed is the Decider of [DecisionLog.Observe].
type observed struct {
	decider Decider
	to      *DecisionLog
}

func (o *observed) Decide(ctx context.Context, raw authz.Raw) authz.Decision {
	start := time.Now()
	d := o.decider.Decide(ctx, raw)
	took := time.Since(start)
	if !o.to.Audit.Decision(ctx, &raw, &d, start, took) {
		d = unrecorded(&d)
		policy.TellRequestID(&d, raw.ID)
	}
	o.to.Metrics.decided(&d, &raw, took, start.Add(took))
	if level := levelOf(&d); o.to.Log.Enabled(ctx, level) {
		o.to.Log.LogAttrs(ctx, level, "decision", attributes(&raw, &d, took)...)
	}
	return d
}

// unrecorded is the answer where the record of a decision could not be written, and
// must be.
func unrecorded(d *authz.Decision) authz.Decision {
	out := policy.Unavailable(authz.AuditUnavailable, "the decision could not be recorded, and --audit-required is set", 0)
	out.Policy, out.Version = d.Policy, d.Version
	return out
}

func levelOf(d *authz.Decision) slog.Level {
	switch {
	case d.Outcome == authz.Error:
		return slog.LevelWarn
	case (d.Outcome == authz.Allow || d.Outcome == authz.Respond) && !differs(d) && d.Refused == nil:
		return slog.LevelDebug
	default:
		return slog.LevelInfo
	}
}
