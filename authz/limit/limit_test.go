package limit

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// hold occupies one slot until release is called; it returns once it runs.
func hold(t *testing.T, l *Limiter, tenant string) (release func()) {
	t.Helper()
	running, gate := make(chan struct{}), make(chan struct{})
	go l.Do(context.Background(), tenant, func() { close(running); <-gate })
	<-running
	return sync.OnceFunc(func() { close(gate) })
}

func TestWorkRunsAndItsResultIsVisibleAfterDo(t *testing.T) {
	ran := false
	if err := New(1, 0).Do(t.Context(), "a", func() { ran = true }); err != nil || !ran {
		t.Fatalf("expected a run without error, got ran=%v err=%v", ran, err)
	}
}

func TestNoMoreThanTheWorkersRunAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(3, 100)
		var mu sync.Mutex
		now, most := 0, 0
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				err := l.Do(t.Context(), fmt.Sprint(i%4), func() {
					mu.Lock()
					now++
					most = max(most, now)
					mu.Unlock()
					time.Sleep(time.Second)
					mu.Lock()
					now--
					mu.Unlock()
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if most != 3 {
			t.Fatalf("expected 3 at once, got %d", most)
		}
	})
}

func TestAFullQueueRefusesAtOnceAndOnlyItsOwnTenant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(1, 2)
		release := hold(t, l, "a")
		var waiting sync.WaitGroup
		for range 2 {
			waiting.Go(func() {
				if err := l.Do(t.Context(), "a", func() {}); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		err := l.Do(t.Context(), "a", func() { t.Error("a refused function ran") })
		if !errors.Is(err, ErrOverloaded) {
			t.Errorf("expected ErrOverloaded, got %v", err)
		}
		waiting.Go(func() {
			if err := l.Do(t.Context(), "b", func() {}); err != nil {
				t.Errorf("expected room for another tenant, got %v", err)
			}
		})
		synctest.Wait()
		release()
		waiting.Wait()
	})
}

func TestAFloodOfOneTenantLetsAnotherHaveEverySecondTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(1, 100)
		release := hold(t, l, "flood")
		var order []string // only the one worker writes it
		var all sync.WaitGroup
		enqueue := func(tenant string, n int) {
			for range n {
				all.Go(func() {
					if err := l.Do(t.Context(), tenant, func() { order = append(order, tenant) }); err != nil {
						t.Error(err)
					}
				})
			}
			synctest.Wait()
		}
		enqueue("flood", 50)
		enqueue("quiet", 3)
		release()
		all.Wait()
		want := []string{"flood", "quiet", "flood", "quiet", "flood", "quiet", "flood"}
		if !slices.Equal(order[:len(want)], want) {
			t.Fatalf("expected the turns %v, got %v", want, order[:len(want)])
		}
		if len(order) != 53 {
			t.Fatalf("expected 53 runs, got %d", len(order))
		}
	})
}

func TestAFunctionWhoseDeadlinePassedInTheQueueNeverRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(1, 1)
		release := hold(t, l, "a")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := l.Do(ctx, "a", func() { t.Error("it ran") })
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("expected DeadlineExceeded, got %v", err)
		}
		if len(l.queues) != 0 || len(l.turns) != 0 {
			t.Fatalf("expected its place in the queue to be free, got %v %v", l.queues, l.turns)
		}
		release()
		synctest.Wait()
		if l.free != 1 {
			t.Fatalf("expected 1 free slot, got %d", l.free)
		}
	})
}

func TestAFunctionTakenFromTheQueueAfterItsCallerGaveUpDoesNotRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	j := &job{ctx: ctx, fn: func() { t.Error("it ran") }, done: make(chan struct{})}
	l := New(1, 0)
	l.free = 0
	l.run(j)
	if !errors.Is(j.err, context.Canceled) || l.free != 1 {
		t.Fatalf("expected Canceled and a free slot, got %v and %d", j.err, l.free)
	}
}

func TestAContextThatEndedBeforehandRunsNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := New(1, 1).Do(ctx, "a", func() { t.Error("it ran") })
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("expected Canceled, got %v", err)
	}
}

func TestGivingUpWhileItRunsReturnsAtOnceButKeepsTheSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(1, 0)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		err := l.Do(ctx, "a", func() { time.Sleep(time.Minute) })
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Fatalf("expected DeadlineExceeded after 1s, got %v after %v", err, time.Since(start))
		}
		if err := l.Do(t.Context(), "b", func() {}); !errors.Is(err, ErrOverloaded) {
			t.Fatalf("expected the slot to be taken still, got %v", err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if err := l.Do(t.Context(), "b", func() {}); err != nil {
			t.Fatalf("expected the slot back, got %v", err)
		}
	})
}

func TestAPanicReachesTheCallerAndFreesTheSlot(t *testing.T) {
	l := New(1, 0)
	func() {
		defer func() {
			if got := recover(); got != "boom" {
				t.Errorf("expected the panic boom, got %v", got)
			}
		}()
		err := l.Do(t.Context(), "a", func() { panic("boom") })
		t.Errorf("expected a panic, got a return with %v", err)
	}()
	if err := l.Do(t.Context(), "a", func() {}); err != nil {
		t.Fatalf("expected a free slot, got %v", err)
	}
}

func TestAPanicAfterTheCallerLeftHarmsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(1, 0)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		l.Do(ctx, "a", func() { time.Sleep(time.Minute); panic("boom") })
		time.Sleep(time.Hour)
		if err := l.Do(t.Context(), "a", func() {}); err != nil {
			t.Fatalf("expected a free slot, got %v", err)
		}
	})
}

func TestAFunctionThatEndsItsGoroutineIsNoSuccess(t *testing.T) {
	l := New(1, 0)
	if err := l.Do(t.Context(), "a", runtime.Goexit); err == nil {
		t.Fatal("expected an error, got nil")
	}
	if err := l.Do(t.Context(), "a", func() {}); err != nil {
		t.Fatalf("expected a free slot, got %v", err)
	}
}

func TestTheZeroAndTheNilLimiterRefuse(t *testing.T) {
	for name, l := range map[string]*Limiter{"zero": {}, "nil": nil} {
		err := l.Do(t.Context(), "a", func() { t.Error("it ran") })
		if !errors.Is(err, ErrOverloaded) {
			t.Errorf("%s: expected ErrOverloaded, got %v", name, err)
		}
	}
}

func TestWithoutAQueueOneCallerCanWorkAgainAndAgain(t *testing.T) {
	l := New(1, 0)
	for range 1000 {
		if err := l.Do(t.Context(), "a", func() {}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWorkersDefaultToGOMAXPROCS(t *testing.T) {
	if got, want := New(0, 0).free, runtime.GOMAXPROCS(0); got != want {
		t.Fatalf("expected %d slots, got %d", want, got)
	}
}

// The turns and queues stay consistent whatever order callers come and go in.
func TestAStormOfCallersThatComeAndGoLeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(2, 3)
		var all sync.WaitGroup
		for i := range 500 {
			all.Go(func() {
				time.Sleep(time.Duration(i%17) * time.Millisecond)
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%7+1)*time.Millisecond)
				defer cancel()
				l.Do(ctx, fmt.Sprint(i%5), func() { time.Sleep(time.Duration(i%3) * time.Millisecond) })
			})
		}
		all.Wait()
		time.Sleep(time.Second) // some went on after their callers had left
		synctest.Wait()
		if l.free != 2 || len(l.queues) != 0 || len(l.turns) != 0 {
			t.Fatalf("expected 2 free slots and nothing waiting, got %d, %v, %v", l.free, l.queues, l.turns)
		}
	})
}

func BenchmarkDo(b *testing.B) {
	l := New(0, 64)
	for b.Loop() {
		l.Do(b.Context(), "a", func() {})
	}
}
