package egress

import (
	"context"
	"sync"
	"time"

	"github.com/agentauth-dev/agentauth/authz/work"
)

// Turn says which requests a request goes before.
type Turn struct {
	// Tenant is whose request it is: turns go round the tenants, by time used.
	Tenant string

	// Asked says that a stranger started the request. Requests of this kind never
	// have all turns of an origin.
	Asked bool

	// Last puts the request after all others of its tenant.
	Last bool
}

const (
	maxPerOrigin = 4  // requests to one origin at once
	maxAtOnce    = 32 // requests at once; each may read 1 MiB

	// A scheduler keeps one slot for a tenant that runs nothing, so it has one more
	// than one tenant can use.
	turnsPerOrigin = maxPerOrigin + 1
	askedPerOrigin = maxPerOrigin

	// How long a request that has a place waits for the other one that it needs: at its
	// origin, and of all.
	patienceAtOrigin  = time.Second
	patienceElsewhere = timeout

	// No request that waits is turned away: each key set has at most one.
	noBound = 1 << 30
)

// origins gives requests their places. Requests to one origin take turns by
// tenant, whatever their roots (http.Transport.MaxConnsPerHost would count each
// set of roots apart); then all requests do. An origin has an entry while
// requests to it are under way or wait.
type origins struct {
	everywhere *work.Scheduler

	mu  sync.Mutex
	all map[string]*places
}

// places are those of one origin: a request takes a turn, then a place. What
// strangers asked for has turns of its own. Places go to turns in the order in
// which these came, so a turn waits as long for its place as any other does: the
// wait is part of the time that its tenant used. (A turn of the one kind that
// waited for one of the other would make a tenant pay for the queues of others.)
type places struct {
	asked, turns *work.Scheduler
	free         chan struct{}
	users        int // requests under way or waiting
}

func newOrigins() *origins {
	return &origins{everywhere: newTurns(maxAtOnce), all: map[string]*places{}}
}

func newTurns(slots int) *work.Scheduler {
	return work.New(work.Options{Slots: slots, MaxWaiting: noBound, MaxWaitingPerOwner: noBound})
}

// step waits for something that a request needs, and end gives it back.
type step func(context.Context) (end func(), err error)

// do calls send once there is a place for a request to origin, and returns when
// send did. The error is that of ctx, if ctx ended first.
//
// A request needs a place at its origin and one of all. Whoever has one of the two and
// waits for the other is in the way of others, so nobody does that for long: a tenant
// whose requests wait for one of all, since many origins of its hang, holds no places at
// an origin of others meanwhile.
func (o *origins) do(ctx context.Context, origin string, turn Turn, send func()) error {
	p := o.join(origin)
	defer o.leave(origin, p)
	task := work.Task{Owner: work.Owner{Namespace: turn.Tenant}, Last: turn.Last}
	first, patience := p.place(turn.Asked, task), patienceAtOrigin
	then := step(func(ctx context.Context) (func(), error) { return o.everywhere.Turn(ctx, task) })
	for {
		switch done, err := both(ctx, first, then, patience, send); {
		case done || err != nil:
			return err
		case patience == patienceAtOrigin:
			patience = patienceElsewhere
		default:
			patience = patienceAtOrigin
		}
		first, then = then, first
	}
}

// both takes two steps and sends. done is false where the second took longer than
// patience.
func both(ctx context.Context, first, then step, patience time.Duration, send func()) (done bool, err error) {
	end, err := first(ctx)
	if err != nil {
		return false, err
	}
	defer end()
	waiting, stop := context.WithCancel(ctx) // and no deadline: nothing is refused before
	defer stop()
	timer := time.AfterFunc(patience, stop)
	defer timer.Stop()
	endThen, err := then(waiting)
	switch {
	case err != nil && ctx.Err() == nil && waiting.Err() != nil:
		return false, nil
	case err != nil:
		return false, err
	}
	defer endThen()
	send()
	return true, nil
}

// place is the step of a turn and a place at the origin.
func (p *places) place(asked bool, task work.Task) step {
	turns := p.turns
	if asked {
		turns = p.asked
	}
	return func(ctx context.Context) (func(), error) {
		end, err := turns.Turn(ctx, task)
		if err != nil {
			return nil, err
		}
		select {
		case p.free <- struct{}{}:
			return func() { <-p.free; end() }, nil
		case <-ctx.Done():
			end()
			return nil, ctx.Err()
		}
	}
}

func (o *origins) join(origin string) *places {
	o.mu.Lock()
	defer o.mu.Unlock()
	p := o.all[origin]
	if p == nil {
		p = &places{asked: newTurns(askedPerOrigin), turns: newTurns(turnsPerOrigin), free: make(chan struct{}, maxPerOrigin)}
		o.all[origin] = p
	}
	p.users++
	return p
}

func (o *origins) leave(origin string, p *places) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if p.users--; p.users == 0 {
		delete(o.all, origin)
	}
}
