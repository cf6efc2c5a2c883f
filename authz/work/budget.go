package work

import (
	"context"
	"fmt"
	"math/bits"
	"time"
)

const (
	// free is how long one decision may compute at once. The time that was taken
	// counts: estimates of usual expressions are a hundred times too high.
	free = time.Millisecond
	// heavy is the longest estimate of a part that runs at once. That of
	// identity.groups.join(",") is 13 ms, and it takes a microsecond.
	heavy = 20 * time.Millisecond
	// unmeasured is how long the parts of one decision may take at most, in sum, that
	// run without a look at the clock. One look takes as long as a usual expression.
	unmeasured = 100 * time.Microsecond
)

// Budget is what one decision may still compute at once. What is heavier waits
// for the turn of its owner. A Budget is for one goroutine. A nil one, and one
// without a Scheduler, refuse what is heavier.
type Budget struct {
	// Owner is whose turn is waited for.
	Owner Owner
	// Rehearsal: the decision leaves nothing behind.
	Rehearsal bool

	scheduler *Scheduler
	left      time.Duration
	// unmeasured is left of what runs without a look at the clock.
	unmeasured time.Duration
	alive      bool   // the decision had time left when a part first ran like that
	estimates  bool   // what a part takes at most counts; what is more than left ends it
	end        func() // nil, or the end of the turn that is held
	since      time.Time
}

// Run runs fn, which takes at most atMost, at once or when it is the owner's turn.
// The turn is held for what is run next, until Done. The errors are those
// of [Scheduler.Turn]; fn did not run then.
func (b *Budget) Run(ctx context.Context, atMost time.Duration, fn func()) error {
	if b == nil {
		b = &Budget{left: free}
	}
	if b.brief(atMost) {
		fn()
		return nil
	}
	start := time.Now()
	if b.end != nil && start.Sub(b.since) > short {
		b.Done() // others wait too
	}
	if b.estimates && atMost > b.left {
		b.left = 0
		return ErrOverloaded
	}
	if b.end == nil && (b.left <= 0 || !b.estimates && atMost > heavy) {
		end, err := b.scheduler.Turn(ctx, Task{Owner: b.Owner, Kind: evaluation(atMost)})
		if err != nil {
			return err
		}
		start = time.Now()
		b.end, b.since = end, start
	}
	if fn(); b.estimates {
		b.left -= atMost
	} else {
		b.left -= time.Since(start)
	}
	return nil
}

// Brief says whether a part that takes at most atMost may run without [Budget.Run],
// and counts the part. It looks at the context once: what runs behind it is over
// before the clock is looked at again.
func (b *Budget) Brief(ctx context.Context, atMost time.Duration) bool {
	if b == nil || !b.brief(atMost) {
		return false
	}
	if !b.alive {
		b.alive = ctx.Err() == nil
	}
	return b.alive
}

func (b *Budget) brief(atMost time.Duration) bool {
	if atMost > b.unmeasured || b.end != nil || b.left <= 0 {
		return false
	}
	b.unmeasured -= atMost
	return true
}

// Spent says whether nothing more runs at once.
func (b *Budget) Spent() bool { return b != nil && b.left <= 0 }

// IsRehearsal says whether the decision of a context leaves nothing behind.
func IsRehearsal(ctx context.Context) bool {
	b := BudgetOf(ctx)
	return b != nil && b.Rehearsal
}

// Done ends the turn that is held, if any. It is called before the decision waits
// for anything else, and at its end.
func (b *Budget) Done() {
	if b != nil && b.end != nil {
		b.end()
		b.end = nil
	}
}

// evaluation is the kind of what takes at most so long: one for each power of two.
func evaluation(atMost time.Duration) string {
	return fmt.Sprintf("evaluation-%d", bits.Len64(uint64(atMost/time.Microsecond)))
}

type budgetKey struct{}

// WithEstimates gives a Budget that ends with the first part that it does not have,
// by what each part takes at most: the same on every machine.
func WithEstimates(ctx context.Context, atMost time.Duration) context.Context {
	return &Context{parent: ctx, budget: Budget{left: atMost, estimates: true}}
}

// BudgetOf is the Budget of the decision; nil if it has none.
func BudgetOf(ctx context.Context) *Budget {
	if c, ok := ctx.(*Context); ok { // usual, and quick
		return &c.budget
	}
	b, _ := ctx.Value(budgetKey{}).(*Budget)
	return b
}
