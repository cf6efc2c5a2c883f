package work

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// begin is a decision of a second.
func begin(parent context.Context) *Context {
	return Begin(parent, time.Now().Add(time.Second), New(Options{Slots: 1}))
}

func TestTheTimeOfADecisionIsOverForWhoWaitsAndForWhoAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asks, waits := begin(t.Context()), begin(t.Context())
		defer asks.End()
		defer waits.End()
		start := time.Now()
		if asks.Err() != nil || waits.Err() != nil || asks.Late() {
			t.Fatal("expected that the time is not over")
		}
		<-waits.Done()
		if took := time.Since(start); took != time.Second || !errors.Is(waits.Err(), context.DeadlineExceeded) {
			t.Errorf("expected the deadline after a second, got %v after %v", waits.Err(), took)
		}
		if !asks.Late() || !errors.Is(asks.Err(), context.DeadlineExceeded) {
			t.Errorf("expected the deadline, got %v", asks.Err())
		}
		<-asks.Done() // at once
	})
}

func TestTheEndOfADecisionStaysAsItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent, cancel := context.WithCancel(t.Context())
		late, cancelled := begin(parent), begin(parent)
		defer late.End()
		defer cancelled.End()
		time.Sleep(2 * time.Second)
		if !errors.Is(late.Err(), context.DeadlineExceeded) {
			t.Fatalf("got %v", late.Err())
		}
		cancel()
		if !errors.Is(late.Err(), context.DeadlineExceeded) || !errors.Is(cancelled.Err(), context.Canceled) {
			t.Errorf("expected the deadline and the parent's end, got %v and %v", late.Err(), cancelled.Err())
		}
		<-cancelled.Done()
		if !errors.Is(cancelled.Err(), context.Canceled) {
			t.Errorf("expected the parent's end, got %v", cancelled.Err())
		}
	})
}

func TestADecisionEndsWithItsParent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent, cancel := context.WithCancelCause(t.Context())
		c, cause := begin(parent), errors.New("the caller left")
		defer c.End()
		var all sync.WaitGroup
		for range 8 { // at once
			all.Go(func() {
				<-c.Done()
				if !errors.Is(c.Err(), context.Canceled) || context.Cause(c) != cause {
					t.Errorf("got %v because of %v", c.Err(), context.Cause(c))
				}
			})
		}
		synctest.Wait()
		cancel(cause)
		all.Wait()
	})
}

// Nothing is left in a bubble at its end: no goroutine, no timer.
func TestWhatIsMadeOfADecisionEndsWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := begin(t.Context())
		type key struct{}
		child, cancel := context.WithTimeout(context.WithValue(c, key{}, 1), time.Hour)
		defer cancel()
		called := make(chan struct{})
		context.AfterFunc(c, func() { close(called) })
		if BudgetOf(child) != c.Budget() || BudgetOf(c) != c.Budget() {
			t.Error("expected the budget of the decision")
		}
		if d, ok := child.Deadline(); !ok || !d.Equal(c.deadline) {
			t.Errorf("expected the deadline of the decision, got %v", d)
		}
		c.End()
		<-child.Done()
		<-called
		if !errors.Is(child.Err(), context.Canceled) || !errors.Is(c.Err(), context.Canceled) {
			t.Errorf("got %v and %v", child.Err(), c.Err())
		}
	})
}

func TestWhoWaitsBehindTheEndOfADecisionDoesNotWait(t *testing.T) {
	c := begin(t.Context())
	c.End()
	<-c.Done()
	if !errors.Is(c.Err(), context.Canceled) || !errors.Is(context.Cause(c), context.Canceled) {
		t.Errorf("got %v", c.Err())
	}
	stopped := context.AfterFunc(c, func() {})
	stopped()
	c.End()
}

func TestTheSoonerDeadlineCounts(t *testing.T) {
	parent, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	sooner, _ := parent.Deadline()
	for _, deadline := range []time.Time{{}, sooner.Add(time.Hour), sooner.Add(-time.Second)} {
		c := Begin(parent, deadline, nil)
		defer c.End()
		want := sooner
		if !deadline.IsZero() && deadline.Before(sooner) {
			want = deadline
		}
		if got, ok := c.Deadline(); !ok || !got.Equal(want) {
			t.Errorf("expected %v, got %v", want, got)
		}
	}
	if _, ok := Begin(t.Context(), time.Time{}, nil).Deadline(); ok {
		t.Error("expected no deadline")
	}
}

func TestManyWaitForOneTimer(t *testing.T) {
	c := begin(t.Context())
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			done := c.Done()
			if done != c.Done() || c.Err() != nil && !errors.Is(c.Err(), context.Canceled) {
				t.Error("expected one channel for all")
			}
			<-done
		})
	}
	c.End()
	all.Wait()
}

func TestADecisionAllocatesItsContextOnly(t *testing.T) {
	s := New(Options{})
	deadline := time.Now().Add(time.Hour)
	allocated := testing.AllocsPerRun(100, func() {
		c := Begin(t.Context(), deadline, s)
		if c.Err() != nil || BudgetOf(c).Run(c, time.Microsecond, nothing) != nil {
			t.Error("expected that it runs")
		}
		c.End()
	})
	if allocated > 1 {
		t.Errorf("expected 1 allocation, got %v", allocated)
	}
}

// What may take long in sum is measured, however little each part may take.
func TestManySmallPartsAreMeasuredInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := begin(t.Context())
		defer c.End()
		for range 5 {
			if err := c.Budget().Run(c, unmeasured/2, func() { time.Sleep(free / 2) }); err != nil {
				t.Fatal(err)
			}
		}
		if !c.Budget().Spent() {
			t.Error("expected that nothing more runs at once")
		}
	})
}
