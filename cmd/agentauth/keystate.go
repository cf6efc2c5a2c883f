package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/agentauth-dev/agentauth/telemetry"
)

// statusOfKeys is how often, at most, policies are reported on anew because of
// the state of keys: providers that come and go must not keep the others waiting.
const statusOfKeys = 10 * time.Second

// followKeys says in the log how the key sets, introspection endpoints, token endpoints
// and audit sinks in force are doing, until ctx ends.
// changed is called once the state of one changed, at most every 10 seconds.
func (s *service) followKeys(ctx context.Context, changed func()) {
	log, asked, got := telemetry.KeyLog{Log: s.log}, telemetry.IntrospectionLog{Log: s.log}, telemetry.UpstreamTokenLog{Log: s.log}
	records := telemetry.AuditLog{Log: s.log}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var due bool
	var last time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		asked.Look(s.kernel.Introspectors(), time.Now())
		got.Look(s.tokens.Statuses(), time.Now())
		records.Look(s.audit.Stats(), time.Now())
		due = log.Look(s.kernel.Remotes()) || due
		if due && time.Since(last) >= statusOfKeys {
			due, last = false, time.Now()
			changed()
		}
	}
}

// answerPanicked logs a panic over an answer of a provider, by its type: the value
// may quote the answer.
func answerPanicked(log *slog.Logger) func(any, []byte) {
	return func(value any, stack []byte) {
		log.Error("reading the answer of a provider panicked; the keys that are held serve", "type", fmt.Sprintf("%T", value), "stack", string(stack))
	}
}

// forward signals to whenever from is signalled, until ctx ends.
func forward(ctx context.Context, from <-chan struct{}, to chan<- struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-from:
			signalTo(to)
		}
	}
}

func signalTo(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default: // it is signalled already
	}
}
