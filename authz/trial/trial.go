// Package trial tries policies with mode Shadow beside the decisions that are made
// without them: what such a policy would have decided is recorded, and neither its
// time, nor its work, nor its panic changes what was decided.
package trial

import (
	"context"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/find"
	"github.com/agentauth-dev/agentauth/authz/password"
	"github.com/agentauth-dev/agentauth/authz/store"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// most is how long a shadowed policy may take, or half of the time that is left.
const most = time.Second

// Record returns the decision d, which was made of what was found, with what a shadowed
// policy would have decided in its place; or lets the request through if nothing but a
// shadowed policy claims it. The trial has time and a budget of its own.
func Record(check *work.Context, scheduler *work.Scheduler, s *find.Snapshot, r *authz.Request, f *find.Finding, d authz.Decision, trace *authz.Trace) authz.Decision {
	end := time.Now()
	if deadline, ok := check.Deadline(); ok {
		end = end.Add(min(most, deadline.Sub(end)/2))
	}
	ctx := work.Begin(check, end, scheduler)
	defer ctx.End()
	apart := trace.Apart()
	t, found := s.Shadowed(ctx, r, f, apart)
	ctx.Budget().Done()
	if !found {
		return d
	}
	d = t.Decide(ctx, r, d, apart)
	trace.AddShadow(d.Shadow, apart)
	return d
}

// Waits is how many tasks of shadowed policies wait at most, and EachWaits how many of
// one.
const (
	Waits     = 64
	EachWaits = 16
)

// Apart is what shadowed policies work with in place of what the others do: they take
// no turns from them, and record no proof of possession, which the policy that decides
// is to see first. What is nil stays nil.
func Apart(scheduler *work.Scheduler, passwords *password.Verifier, replay store.Replay) (*work.Scheduler, *password.Verifier, store.Replay) {
	own := work.New(work.Options{Slots: 2, Memory: password.MaxMemory, MaxWaiting: Waits, MaxWaitingPerOwner: EachWaits})
	if scheduler != nil {
		scheduler = own
	}
	if passwords != nil {
		passwords = password.New(own, password.Options{})
	}
	if replay != nil {
		replay = forgets{}
	}
	return scheduler, passwords, replay
}

// forgets is a store.Replay that remembers nothing.
type forgets struct{}

func (forgets) Seen(context.Context, string, [32]byte, time.Duration) (bool, error) {
	return false, nil
}
