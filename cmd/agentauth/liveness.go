package main

import (
	"context"
	"errors"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/find"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// How long each signal of liveness may last, and how often it is looked for. Each is far
// above what the work takes on a machine that is busy: a decision of no policy takes
// microseconds, a short turn comes within milliseconds, a compile of thousands of
// policies takes seconds. A restart loses what was verified and every key set, so it
// is for what would never end.
const (
	probeEvery = 10 * time.Second
	checkLimit = 2 * time.Minute
	turnLimit  = 5 * time.Minute
	loadLimit  = 10 * time.Minute
)

// watchLiveness has the probes look for what is stuck: the decision of a request, a turn
// of the scheduler, a load. None of them asks anybody outside the process.
func (s *service) watchLiveness(ctx context.Context) {
	s.liveness.Probe(ctx, "the decision of a request", probeEvery, checkLimit, s.probeCheck)
	s.liveness.Probe(ctx, "waiting for a short turn of the scheduler", probeEvery, turnLimit, probeTurn(s.scheduler))
	if s.loading != nil {
		s.liveness.Watch("a load of policies", loadLimit, s.loading)
	}
}

// probeCheck decides a request that no policy can be for: it takes every lock that each
// request takes, and nothing else. Whatever the decision is, it is one. Neither log nor
// metrics learn of it.
func (s *service) probeCheck(ctx context.Context) error {
	s.kernel.Decide(ctx, probeRequest())
	return nil
}

// probeRequest names a policy that none can be: a policy may take every host, and ask
// others about each request.
func probeRequest() authz.Raw {
	return authz.Raw{
		Method: "GET", Scheme: "https", Host: "liveness.agentauth.invalid", Path: "/", Time: time.Now(),
		ContextExtensions: map[string]string{find.ContextPolicy: "-/-"},
	}
}

// probeTurn takes a turn and gives it back. The scheduler keeps a slot for a short task
// of a namespace that runs nothing, so a turn comes however many wait. That too much
// waits is an answer too: who gives it is not stuck.
func probeTurn(scheduler *work.Scheduler) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, probeEvery)
		defer cancel()
		end, err := scheduler.Turn(ctx, work.Task{Owner: work.Owner{Namespace: " liveness"}, Kind: "liveness"})
		switch {
		case errors.Is(err, work.ErrOverloaded):
			return nil
		case err != nil:
			return err
		}
		end()
		return nil
	}
}
