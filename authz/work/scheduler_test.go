package work

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

func of(namespace string) Task { return Task{Owner: Owner{Namespace: namespace}, Kind: "test"} }

func nothing() {}

// hold occupies the slots of a task until release is called; it returns once the
// task runs.
func hold(t *testing.T, s *Scheduler, task Task) (release func()) {
	t.Helper()
	running, gate := make(chan struct{}), make(chan struct{})
	go s.Do(context.Background(), task, func() { close(running); <-gate })
	<-running
	return sync.OnceFunc(func() { close(gate) })
}

// wantClean fails unless the scheduler is as new.
func wantClean(t *testing.T, s *Scheduler) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	fresh := New(s.options)
	if s.free != fresh.free || s.spare != fresh.spare || s.memory != fresh.memory ||
		s.all.running != 0 || s.all.waiting != 0 || len(s.all.parts) != 0 {
		t.Errorf("expected nothing to be left, got free %d, spare %d, memory %d, %+v", s.free, s.spare, s.memory, s.all)
	}
}

func TestWorkRunsAndItsResultIsVisibleAfterDo(t *testing.T) {
	s, ran := New(Options{}), false
	if err := s.Do(t.Context(), of("a"), func() { ran = true }); err != nil || !ran {
		t.Fatalf("expected a run without error, got ran=%v err=%v", ran, err)
	}
	wantClean(t, s)
}

func TestNoMoreThanTheSlotsRunAtOnceAndOneNamespaceLeavesOneFree(t *testing.T) {
	for namespaces, want := range map[int]int{1: 3, 4: 4} {
		synctest.Test(t, func(t *testing.T) {
			s := New(Options{Slots: 4})
			var mu sync.Mutex
			now, most := 0, 0
			var all sync.WaitGroup
			for i := range 20 {
				all.Go(func() {
					err := s.Do(t.Context(), of(fmt.Sprint(i%namespaces)), func() {
						mu.Lock()
						now++
						most = max(most, now)
						mu.Unlock()
						time.Sleep(50 * time.Millisecond)
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
			if most != want {
				t.Errorf("expected %d at once for %d namespaces, got %d", want, namespaces, most)
			}
			wantClean(t, s)
		})
	}
}

func TestAFullQueueOfAPolicyRefusesAtOnceAndOnlyItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Slots: 1, MaxWaitingPerOwner: 2})
		release := hold(t, s, of("a"))
		var waiting sync.WaitGroup
		enqueue := func(namespace string, n int) {
			for range n {
				waiting.Go(func() {
					if err := s.Do(t.Context(), of(namespace), nothing); err != nil {
						t.Error(err)
					}
				})
			}
			synctest.Wait()
		}
		enqueue("a", 2)
		if err := s.Do(t.Context(), of("a"), func() { t.Error("a refused function ran") }); !errors.Is(err, ErrOverloaded) {
			t.Errorf("expected ErrOverloaded, got %v", err)
		}
		enqueue("b", 2)
		release()
		waiting.Wait()
		wantClean(t, s)
	})
}

func TestAFullQueueInSumMakesRoomForWhoHasLessWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Slots: 1, MaxWaiting: 20})
		release := hold(t, s, of("crowd"))
		var all sync.WaitGroup
		var mu sync.Mutex
		served := map[string]int{}
		ask := func(o Owner) {
			all.Go(func() {
				err := s.Do(t.Context(), Task{Owner: o}, nothing)
				if err != nil && !errors.Is(err, ErrOverloaded) {
					t.Error(err)
				}
				if err == nil {
					mu.Lock()
					served[o.Namespace+"/"+o.Policy]++
					mu.Unlock()
				}
			})
			synctest.Wait()
		}
		for i := range 30 {
			ask(Owner{"crowd", fmt.Sprint("many-", i%15)})
		}
		for range 5 {
			ask(Owner{"crowd", "one"})
			ask(Owner{"victim", "one"})
		}
		if s.all.waiting != 20 {
			t.Errorf("expected 20 to wait, got %d", s.all.waiting)
		}
		release()
		all.Wait()
		if served["victim/one"] != 5 || served["crowd/one"] < 1 {
			t.Errorf("expected 5 of the victim and 1 of the policy that came late, got %v", served)
		}
		wantClean(t, s)
	})
}

func TestAFloodOfOneNamespaceLetsAnotherHaveEverySecondTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Slots: 1})
		release := hold(t, s, of("flood"))
		var order []string // only the one slot writes it
		var all sync.WaitGroup
		enqueue := func(namespace string, n int) {
			for range n {
				all.Go(func() {
					if err := s.Do(t.Context(), of(namespace), func() {
						time.Sleep(time.Millisecond)
						order = append(order, namespace)
					}); err != nil {
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
		at := -1
		for i, namespace := range order {
			if namespace == "quiet" {
				at = i
			}
		}
		if at > 6 || len(order) != 53 {
			t.Fatalf("expected 53 runs and the 3 of quiet among the first 7, got %d and %v", len(order), order[:10])
		}
	})
}

func TestAFunctionWhoseDeadlinePassedWhileItWaitedNeverRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Slots: 1})
		release := hold(t, s, of("a"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := s.Do(ctx, of("a"), func() { t.Error("it ran") })
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("expected DeadlineExceeded, got %v", err)
		}
		if s.all.waiting != 0 {
			t.Fatalf("expected its place to be free, got %d waiting", s.all.waiting)
		}
		release()
		synctest.Wait()
		wantClean(t, s)
	})
}

func TestAFunctionWhoseCallerGaveUpBeforehandDoesNotRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := New(Options{})
	if err := s.Do(ctx, of("a"), func() { t.Error("it ran") }); !errors.Is(err, context.Canceled) {
		t.Fatalf("expected Canceled, got %v", err)
	}
	wantClean(t, s)
}

func TestATurnThatCameWhenItsCallerGaveUpIsPassedOn(t *testing.T) {
	s := New(Options{Slots: 1})
	j := &job{Task: of("a"), ready: make(chan struct{})}
	if !s.admit(j) || s.free != 0 {
		t.Fatal("expected the job to have the slot")
	}
	s.withdraw(j)
	wantClean(t, s)
}

func TestATurnIsHeldUntilItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Slots: 1})
		end, err := s.Turn(t.Context(), of("a"))
		if err != nil {
			t.Fatal(err)
		}
		var second sync.WaitGroup
		start := time.Now()
		second.Go(func() {
			if err := s.Do(t.Context(), of("b"), nothing); err != nil || time.Since(start) != time.Second {
				t.Errorf("expected a turn after 1s, got %v after %v", err, time.Since(start))
			}
		})
		time.Sleep(time.Second)
		end()
		second.Wait()
		wantClean(t, s)
	})
}

func TestGivingUpWhileItRunsReturnsAtOnceButKeepsTheSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Slots: 1})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		err := s.Do(ctx, of("a"), func() { time.Sleep(time.Minute) })
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Fatalf("expected DeadlineExceeded after 1s, got %v after %v", err, time.Since(start))
		}
		if err := s.Do(t.Context(), of("b"), nothing); err != nil || time.Since(start) != time.Minute {
			t.Fatalf("expected the slot after the minute, got %v after %v", err, time.Since(start))
		}
		wantClean(t, s)
	})
}

func TestAPanicReachesTheCallerAndFreesTheSlot(t *testing.T) {
	s := New(Options{Slots: 1})
	func() {
		defer func() {
			if got := recover(); got != "boom" {
				t.Errorf("expected the panic boom, got %v", got)
			}
		}()
		err := s.Do(t.Context(), of("a"), func() { panic("boom") })
		t.Errorf("expected a panic, got a return with %v", err)
	}()
	if err := s.Do(t.Context(), of("a"), nothing); err != nil {
		t.Fatalf("expected a free slot, got %v", err)
	}
	wantClean(t, s)
}

func TestAPanicAfterTheCallerLeftHarmsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Slots: 1})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		s.Do(ctx, of("a"), func() { time.Sleep(time.Minute); panic("boom") })
		time.Sleep(time.Hour)
		if err := s.Do(t.Context(), of("a"), nothing); err != nil {
			t.Fatalf("expected a free slot, got %v", err)
		}
	})
}

func TestAFunctionThatEndsItsGoroutineIsNoSuccess(t *testing.T) {
	s := New(Options{Slots: 1})
	if err := s.Do(t.Context(), of("a"), runtime.Goexit); err == nil {
		t.Fatal("expected an error, got nil")
	}
	if err := s.Do(t.Context(), of("a"), nothing); err != nil {
		t.Fatalf("expected a free slot, got %v", err)
	}
}

func TestTheZeroAndTheNilSchedulerRefuse(t *testing.T) {
	for name, s := range map[string]*Scheduler{"zero": {}, "nil": nil} {
		if err := s.Do(t.Context(), of("a"), func() { t.Error("it ran") }); !errors.Is(err, ErrOverloaded) {
			t.Errorf("%s: expected ErrOverloaded, got %v", name, err)
		}
	}
}

func TestOneCallerCanWorkAgainAndAgain(t *testing.T) {
	s := New(Options{Slots: 1})
	for range 1000 {
		if err := s.Do(t.Context(), of("a"), nothing); err != nil {
			t.Fatal(err)
		}
	}
	wantClean(t, s)
}

func TestWhatIsLastGoesAfterEverythingElseOfItsPolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Slots: 1})
		release := hold(t, s, of("a"))
		var order []bool
		var all sync.WaitGroup
		for i := range 6 {
			task := of("a")
			task.Last = i%2 == 0
			all.Go(func() { s.Do(t.Context(), task, func() { order = append(order, task.Last) }) })
			synctest.Wait()
		}
		release()
		all.Wait()
		if want := []bool{false, false, false, true, true, true}; !slices.Equal(order, want) {
			t.Fatalf("expected %v, got %v", want, order)
		}
	})
}

func TestWhatIsNeedlessDoesNotRunAndSaysNothingAboutItsKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Slots: 1})
		s.Do(t.Context(), of("a"), func() { time.Sleep(time.Second) })
		task := of("a")
		task.Needless = func() bool { return true }
		for range 100 {
			if err := s.Do(t.Context(), task, func() { t.Error("it ran") }); err != nil {
				t.Fatal(err)
			}
		}
		if got := s.kinds["test"].duration; got != time.Second {
			t.Fatalf("expected a mean of 1s, got %v", got)
		}
	})
}

// The counts stay true whatever order callers come and go in.
func TestAStormOfCallersThatComeAndGoLeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Slots: 3, Memory: 100, MaxWaiting: 30, MaxWaitingPerOwner: 5})
		var all sync.WaitGroup
		answered := 0
		var mu sync.Mutex
		for i := range 2000 {
			all.Go(func() {
				time.Sleep(time.Duration(i%37) * time.Millisecond)
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%7+1)*time.Millisecond)
				defer cancel()
				defer func() {
					recover()
					mu.Lock()
					answered++
					mu.Unlock()
				}()
				s.Do(ctx, Task{
					Owner: Owner{fmt.Sprint(i % 5), fmt.Sprint(i % 3)}, Kind: fmt.Sprint(i % 4),
					Memory: int64(i % 50), Threads: i % 6, Last: i%8 == 0,
				}, func() {
					time.Sleep(time.Duration(i%3) * time.Millisecond)
					if i%11 == 0 {
						panic("boom")
					}
				})
			})
		}
		all.Wait()
		time.Sleep(time.Second) // some went on after their callers had left
		synctest.Wait()
		if answered != 2000 {
			t.Errorf("expected 2000 answers, got %d", answered)
		}
		wantClean(t, s)
	})
}

func BenchmarkDo(b *testing.B) {
	s := New(Options{})
	for b.Loop() {
		s.Do(b.Context(), of("a"), nothing)
	}
}
