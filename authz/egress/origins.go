package egress

import (
	"context"
	"sync"

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

// do calls send once there is a place for a request to origin, and returns when
// send did. The error is that of ctx, if ctx ended first.
func (o *origins) do(ctx context.Context, origin string, turn Turn, send func()) error {
	p := o.join(origin)
	defer o.leave(origin, p)
	task := work.Task{Owner: work.Owner{Namespace: turn.Tenant}, Last: turn.Last}
	inTurn := func() error {
		select {
		case p.free <- struct{}{}:
			defer func() { <-p.free }()
			return o.everywhere.Do(ctx, task, send)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	turns := p.turns
	if turn.Asked {
		turns = p.asked
	}
	return run(ctx, turns, task, inTurn)
}

// run returns the error of fn, or why fn has no turn.
func run(ctx context.Context, turns *work.Scheduler, task work.Task, fn func() error) error {
	var result error
	if err := turns.Do(ctx, task, func() { result = fn() }); err != nil {
		return err
	}
	return result
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
