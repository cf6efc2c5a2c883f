package work

import (
	"context"
	"sync/atomic"
	"time"
)

// Context is the context of one decision: its deadline and its [Budget], in one
// allocation. A timer is made only for who waits: [Context.Err] reads the clock.
//
// What waits may hold a Context longer than the decision lasts, so a Context is
// never used again.
type Context struct {
	parent   context.Context
	deadline time.Time // zero: none but the parent's
	budget   Budget

	// waited is nil until somebody asks for Done, or until the decision ends.
	waited atomic.Pointer[waited]
}

// waited is a context with the deadline as its timer, and the end of it.
type waited struct {
	context.Context
	end context.CancelFunc
}

// ended is what waits in a decision that ended before anybody waited.
var ended = func() *waited {
	ctx, end := context.WithCancel(context.Background())
	end()
	return &waited{ctx, end}
}()

// Begin makes the Context of a decision that ends at the deadline, or with the
// parent. [Context.End] has to be called.
func Begin(parent context.Context, deadline time.Time, s *Scheduler) *Context {
	return &Context{parent: parent, deadline: deadline, budget: Budget{scheduler: s, left: free, unmeasured: unmeasured}}
}

// End gives back the turn that is held, and ends whatever still waits.
func (c *Context) End() {
	c.budget.Done()
	if !c.waited.CompareAndSwap(nil, ended) {
		c.waited.Load().end()
	}
}

// Late says whether the deadline is over.
func (c *Context) Late() bool { return !c.deadline.IsZero() && time.Until(c.deadline) <= 0 }

// Budget is that of the decision.
func (c *Context) Budget() *Budget { return &c.budget }

// Deadline implements [context.Context].
func (c *Context) Deadline() (time.Time, bool) {
	if d, ok := c.parent.Deadline(); ok && (c.deadline.IsZero() || d.Before(c.deadline)) {
		return d, true
	}
	return c.deadline, !c.deadline.IsZero()
}

// Done implements [context.Context].
func (c *Context) Done() <-chan struct{} { return c.wait().Done() }

// Err implements [context.Context]. It is what a timer would say, and stays so:
// whoever finds that the time is over leaves the context that says it.
func (c *Context) Err() error {
	if w := c.waited.Load(); w != nil {
		return w.Err()
	}
	if err := c.parent.Err(); err != nil || !c.Late() {
		return err
	}
	return c.wait().Err()
}

// Value implements [context.Context]. A context that is made of this one finds that
// of the timer, and so needs no goroutine.
func (c *Context) Value(key any) any {
	if key == (budgetKey{}) {
		return &c.budget
	}
	if w := c.waited.Load(); w != nil && w != ended {
		return w.Value(key)
	}
	return c.parent.Value(key)
}

// wait returns the context with the timer, which it makes once.
func (c *Context) wait() *waited {
	if w := c.waited.Load(); w != nil {
		return w
	}
	var w waited
	if c.deadline.IsZero() {
		w.Context, w.end = context.WithCancel(c.parent)
	} else {
		w.Context, w.end = context.WithDeadline(c.parent, c.deadline)
	}
	if !c.waited.CompareAndSwap(nil, &w) {
		w.end()
		return c.waited.Load()
	}
	return &w
}
