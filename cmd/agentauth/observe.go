package main

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/extauthz"
)

// observed tells log and metrics of every decision.
type observed struct {
	extauthz.Decider
	log     *slog.Logger
	metrics *metrics
}

func (o *observed) Decide(ctx context.Context, raw authz.Raw) authz.Decision {
	start := time.Now()
	d := o.Decider.Decide(ctx, raw)
	took := time.Since(start)
	o.metrics.decided(&d, took)
	var level slog.Level
	switch d.Outcome {
	case authz.Allow, authz.Respond:
		level = slog.LevelDebug
	case authz.Error:
		level = slog.LevelWarn
	default:
		level = slog.LevelInfo
	}
	if o.log.Enabled(ctx, level) {
		o.log.LogAttrs(ctx, level, "decision", attributes(raw, &d, took)...)
	}
	return d
}

// attributes name a request and its decision. The query is left out, and with
// it every place of a request that may hold a credential.
func attributes(raw authz.Raw, d *authz.Decision, took time.Duration) []slog.Attr {
	path, _, _ := strings.Cut(raw.Path, "?")
	brief := func(s string) string {
		const most = 512
		if len(s) > most {
			return strings.ToValidUTF8(s[:most], "") + "…"
		}
		return s
	}
	out := []slog.Attr{
		slog.String("decision", d.Outcome.String()),
		slog.String("reason", string(d.Reason)),
		slog.String("policy", d.Policy),
		slog.String("requestId", brief(raw.ID)),
		slog.String("host", brief(raw.Host)),
		slog.String("method", brief(raw.Method)),
		slog.String("path", brief(path)),
		slog.Duration("took", took),
	}
	if d.Method != "" {
		out = append(out, slog.String("authenticator", d.Method))
	}
	if d.Identity != nil {
		out = append(out, slog.String("subject", d.Identity.Subject))
	}
	if d.Rule != "" {
		out = append(out, slog.String("rule", d.Rule))
	}
	if d.Status != 0 {
		out = append(out, slog.Int("status", d.Status))
	}
	if d.Detail != "" {
		out = append(out, slog.String("detail", d.Detail))
	}
	return out
}
