// Package limit shares a few slots for expensive work (password hashes, slow
// signatures) fairly between tenants.
//
// Each tenant has a bounded queue of its own and free slots go round robin, so
// a flood at one policy delays another by the work in progress, not by the
// flood. Fairness counts pieces of work, not their time: bound the longest.
package limit

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
)

// ErrOverloaded says that the tenant's queue is full. Nothing was run; the
// caller may try again later.
var ErrOverloaded = errors.New("limit: too much work is waiting for this tenant; try again later")

// Limiter runs at most a fixed number of functions at once. It owns no
// goroutine while idle and needs no Close. The zero Limiter, and a nil one,
// refuse everything with ErrOverloaded.
type Limiter struct {
	queueBound int

	mu     sync.Mutex
	free   int               // slots without work; above 0 only while nothing waits
	queues map[string][]*job // by tenant; never an empty queue
	turns  []string          // the tenants in queues, next one first
}

// New makes a Limiter that runs workers functions at once (below 1: GOMAXPROCS)
// and lets queuePerTenant more wait for each tenant (0: none waits).
func New(workers, queuePerTenant int) *Limiter {
	if workers < 1 {
		workers = runtime.GOMAXPROCS(0)
	}
	return &Limiter{queueBound: queuePerTenant, free: workers, queues: map[string][]*job{}}
}

// Do runs fn on another goroutine once it is tenant's turn and waits for it.
// Only after nil did fn run to its end and may its results be read.
//
//   - ErrOverloaded, at once: no slot is free and the tenant's queue is full.
//   - ctx.Err(): ctx ended first. A function still queued never runs. One that
//     runs already keeps its slot until it ends, so giving up early buys no
//     extra work; Do does not wait for it, and a panic of it is dropped.
//   - A panic of fn is raised again here with the same value.
func (l *Limiter) Do(ctx context.Context, tenant string, fn func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j := &job{ctx: ctx, fn: fn, done: make(chan struct{})}
	if !l.admit(tenant, j) {
		return ErrOverloaded
	}
	select {
	case <-j.done:
	case <-ctx.Done():
		l.withdraw(tenant, j)
		select {
		case <-j.done: // both at once: what was finished counts
		default:
			return ctx.Err()
		}
	}
	if j.panicked != nil {
		panic(j.panicked)
	}
	return j.err
}

// admit starts or queues j, or says no.
func (l *Limiter) admit(tenant string, j *job) bool {
	if l == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.free > 0 {
		l.free--
		go l.run(j)
		return true
	}
	queue := l.queues[tenant]
	if len(queue) >= l.queueBound {
		return false
	}
	if len(queue) == 0 {
		l.turns = append(l.turns, tenant)
	}
	l.queues[tenant] = append(queue, j)
	return true
}

// withdraw makes room in the queue for the living, if j still waits there.
func (l *Limiter) withdraw(tenant string, j *job) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.Index(l.queues[tenant], j)
	if i < 0 {
		return
	}
	l.queues[tenant] = slices.Delete(l.queues[tenant], i, i+1)
	if len(l.queues[tenant]) == 0 {
		delete(l.queues, tenant)
		l.turns = slices.DeleteFunc(l.turns, func(t string) bool { return t == tenant })
	}
}

// passOn gives a slot to the next tenant in turn, or frees it.
func (l *Limiter) passOn() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.turns) == 0 {
		l.free++
		return
	}
	tenant := l.turns[0]
	l.turns = l.turns[1:]
	queue := l.queues[tenant]
	j := queue[0]
	queue[0] = nil // the rest of the slice would keep it alive
	if len(queue) > 1 {
		l.queues[tenant] = queue[1:]
		l.turns = append(l.turns, tenant)
	} else {
		delete(l.queues, tenant)
	}
	go l.run(j)
}
