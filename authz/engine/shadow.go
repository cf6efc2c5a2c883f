package engine

import (
	"context"
	"runtime/debug"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/find"
	"github.com/agentauth-dev/agentauth/authz/password"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// maxTrial is how long a shadowed policy may take, or half of the time that is left.
const maxTrial = time.Second

// shadow records what a shadowed policy would have decided in place of d, which is
// decided. The trial has time and a budget of its own, and its panic changes nothing.
func (e *Engine) shadow(check *work.Context, s *Snapshot, r *authz.Request, f *find.Finding, d authz.Decision, trace *authz.Trace) (out authz.Decision) {
	defer func() {
		if v := recover(); v != nil {
			if out = d; e.deps.Panicked != nil {
				e.deps.Panicked(v, debug.Stack())
			}
		}
	}()
	end := time.Now()
	if deadline, ok := check.Deadline(); ok {
		end = end.Add(min(maxTrial, deadline.Sub(end)/2))
	}
	ctx := work.Begin(check, end, e.trials.Scheduler)
	defer ctx.End()
	apart := trace.Apart()
	t, found := s.find.Shadowed(ctx, r, f, apart)
	if ctx.Budget().Done(); !found {
		return d
	}
	out = t.Decide(ctx, r, d, apart)
	trace.AddShadow(out.Shadow, apart)
	return out
}

// forTrials are what policies with mode Shadow need of the world. They take no turns
// from the policies that are enforced, and record no proof of possession: the policy
// that decides is to see it first.
func (d Deps) forTrials() Deps {
	scheduler := work.New(work.Options{Slots: 2, Memory: password.MaxMemory, MaxWaiting: 64, MaxWaitingPerOwner: 16})
	if d.Scheduler != nil {
		d.Scheduler = scheduler
	}
	if d.Passwords != nil {
		d.Passwords = password.New(scheduler, password.Options{})
	}
	if d.Replay != nil {
		d.Replay = forgets{}
	}
	return d
}

// forgets is a store.Replay that remembers nothing.
type forgets struct{}

func (forgets) Seen(context.Context, string, [32]byte, time.Duration) (bool, error) {
	return false, nil
}

// deps are what the policy needs of the world.
func (b *building) deps() *Deps {
	if b.Shadow {
		return &b.engine.trials
	}
	return &b.engine.deps
}
