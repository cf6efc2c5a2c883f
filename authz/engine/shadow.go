package engine

import (
	"runtime/debug"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/find"
	"github.com/agentauth-dev/agentauth/authz/trial"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// shadow records what a shadowed policy would have decided in place of d. Its panic
// changes nothing.
func (e *Engine) shadow(check *work.Context, s *Snapshot, r *authz.Request, f *find.Finding, d authz.Decision, trace *authz.Trace) (out authz.Decision) {
	defer func() {
		if v := recover(); v != nil {
			if out = d; e.deps.Panicked != nil {
				e.deps.Panicked(v, debug.Stack())
			}
		}
	}()
	return trial.Record(check, e.trials.Scheduler, s.find, r, f, d, trace)
}

// deps are what the policy needs of the world.
func (b *building) deps() *Deps {
	if b.Shadow {
		return &b.engine.trials
	}
	return &b.engine.deps
}
