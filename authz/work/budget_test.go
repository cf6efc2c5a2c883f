package work

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// budgeted is a context that ends with its parent, and its Budget.
func budgeted(parent context.Context, s *Scheduler) (context.Context, *Budget) {
	c := Begin(parent, time.Time{}, s)
	return c, c.Budget()
}

func TestASmallShareOfADecisionRunsAtOnceAndTheRestInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Slots: 1})
		release := hold(t, s, of("other"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		ctx, b := budgeted(ctx, s)
		if BudgetOf(ctx) != b {
			t.Fatal("expected the context to have the budget")
		}
		for range 10 { // what is quick is no matter, however long it might have taken
			if err := b.Run(ctx, heavy, nothing); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Run(ctx, heavy, func() { time.Sleep(free) }); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		err := b.Run(ctx, time.Nanosecond, func() { t.Error("it ran without a turn") })
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) < 900*time.Millisecond {
			t.Errorf("expected it to wait until the deadline, got %v after %v", err, time.Since(start))
		}
		release()
		synctest.Wait()
		b.Done()
		wantClean(t, s)
	})
}

// A decision holds its turn for what it computes next, and not for long.
func TestATurnOfADecisionIsGivenBackAfterAWhileAndAtItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Slots: 1})
		ctx, b := budgeted(t.Context(), s)
		b.Owner.Namespace = "heavy"
		var all sync.WaitGroup
		var waited time.Duration
		for i := range 10 {
			if err := b.Run(ctx, time.Minute, func() { time.Sleep(30 * time.Millisecond) }); err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				start := time.Now()
				all.Go(func() {
					if err := s.Do(t.Context(), of("other"), nothing); err != nil {
						t.Error(err)
					}
					waited = time.Since(start)
				})
			}
		}
		all.Wait()
		if waited > short {
			t.Errorf("expected the other to wait for at most %v, got %v", short, waited)
		}
		b.Done()
		b.Done()
		wantClean(t, s)
	})
}

func TestWithoutABudgetWhatIsHeavyIsRefused(t *testing.T) {
	for name, b := range map[string]*Budget{"nil": BudgetOf(t.Context()), "no scheduler": {}} {
		if err := b.Run(t.Context(), time.Second, func() { t.Error("it ran") }); !errors.Is(err, ErrOverloaded) {
			t.Errorf("%s: expected ErrOverloaded, got %v", name, err)
		}
		b.Done()
	}
}

func TestAContextWithABudgetEndsAsItsParent(t *testing.T) {
	parent, cancel := context.WithCancelCause(t.Context())
	ctx, _ := budgeted(parent, New(Options{}))
	child, stop := context.WithTimeout(ctx, time.Hour)
	defer stop()
	cause := errors.New("enough")
	cancel(cause)
	<-child.Done()
	if context.Cause(ctx) != cause || context.Cause(child) != cause {
		t.Errorf("expected the parent's cause, got %v and %v", context.Cause(ctx), context.Cause(child))
	}
}

func TestWhatMayTakeLongWaitsThoughNothingWasComputed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Slots: 1})
		release := hold(t, s, of("other"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		ctx, b := budgeted(ctx, s)
		err := b.Run(ctx, heavy+1, func() { t.Error("it ran without a turn") })
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("expected it to wait until the deadline, got %v", err)
		}
		release()
		synctest.Wait()
		wantClean(t, s)
	})
}

func TestBriefPartsRunWithoutTheClockForAShareOfADecisionOnly(t *testing.T) {
	ctx, b := budgeted(t.Context(), nil)
	for i := range 4 {
		if brief := b.Brief(ctx, unmeasured/3); brief != (i < 3) {
			t.Errorf("part %d: got %v", i, brief)
		}
	}
	ctx, b = budgeted(t.Context(), nil)
	if b.Brief(ctx, unmeasured+1) {
		t.Error("expected a longer part not to be brief")
	}
	if b.left = 0; b.Brief(ctx, time.Nanosecond) {
		t.Error("expected no part to be brief where nothing more runs at once")
	}
	for _, none := range []*Budget{nil, {}, BudgetOf(WithEstimates(ctx, time.Second))} {
		if none.Brief(ctx, time.Nanosecond) {
			t.Errorf("expected no brief part of %v", none)
		}
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if ctx, b = budgeted(over, nil); b.Brief(ctx, time.Nanosecond) {
		t.Error("expected no brief part of a decision that is over")
	}
}
