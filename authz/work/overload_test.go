package work

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// load is open arrivals of one kind: nobody waits for an answer to ask again.
type load struct {
	task     Task
	takes    time.Duration
	every    time.Duration
	deadline time.Duration
	random   *rand.Rand // exponential gaps; nil: even ones
}

// counts are what became of a load.
type counts struct{ asked, begun, answered int }

// offer drives s with l for the time, and waits for all answers.
func offer(ctx context.Context, s *Scheduler, l load, during time.Duration) (c counts) {
	var mu sync.Mutex
	var all sync.WaitGroup
	add := func(n *int) { mu.Lock(); *n++; mu.Unlock() }
	for end := time.Now().Add(during); time.Now().Before(end); {
		c.asked++
		all.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, l.deadline)
			defer cancel()
			if s.Do(ctx, l.task, func() { add(&c.begun); time.Sleep(l.takes) }) == nil {
				add(&c.answered)
			}
		})
		gap := l.every
		if l.random != nil {
			gap = time.Duration(float64(gap) * l.random.ExpFloat64())
		}
		time.Sleep(gap)
	}
	all.Wait()
	time.Sleep(l.takes) // some went on after their callers had left
	synctest.Wait()
	return c
}

// Useful work in overload stays within 10% of that just below it, and nearly
// nothing is begun that nobody waits for at its end.
func TestInOverloadAsMuchIsAnsweredAsJustBelowIt(t *testing.T) {
	for _, c := range []struct {
		takes, deadline time.Duration
		slots           int
	}{
		{60 * time.Millisecond, 180 * time.Millisecond, 1},
		{60 * time.Millisecond, 180 * time.Millisecond, 2},
		{60 * time.Millisecond, 180 * time.Millisecond, 4},
		{60 * time.Millisecond, 1980 * time.Millisecond, 2},
		{250 * time.Millisecond, 1980 * time.Millisecond, 4},
		{700 * time.Microsecond, 180 * time.Millisecond, 2},
	} {
		for _, random := range []bool{false, true} {
			base := 0
			loads := []int{90, 110, 130, 150, 200, 300, 1000}
			if testing.Short() {
				loads = []int{90, 110, 300}
			}
			for _, percent := range loads {
				synctest.Test(t, func(t *testing.T) {
					s := New(Options{Slots: c.slots})
					l := load{task: of("a"), takes: c.takes, deadline: c.deadline}
					l.every = c.takes / time.Duration(max(1, c.slots-1)) * 100 / time.Duration(percent)
					if random {
						l.random = rand.New(rand.NewPCG(1, 2))
					}
					got := offer(t.Context(), s, l, max(5*time.Second, 40*c.takes))
					t.Logf("slots %d, takes %v, deadline %v, random %v, load %4d%%: %+v", c.slots, c.takes, c.deadline, random, percent, got)
					if percent == 90 {
						base = got.answered
					}
					if got.answered*10 < base*9 {
						t.Errorf("expected at least 90%% of the %d answered at 90%% load, got %d", base, got.answered)
					}
					if got.answered*10 < got.begun*9 {
						t.Errorf("expected at most 10%% to be begun for nothing, got %d of %d", got.begun-got.answered, got.begun)
					}
					time.Sleep(time.Minute)
					wantClean(t, s)
				})
			}
		}
	}
}

// A victim's ten hashes are answered whatever others keep the slots busy with.
func TestAVictimGetsItsShareBesideHostileNamespacesAndPolicies(t *testing.T) {
	for _, c := range []struct {
		slots, namespaces, policies int
		hostile, deadline           time.Duration
	}{
		{2, 1, 1, 60 * time.Millisecond, 180 * time.Millisecond},
		{2, 1, 1, time.Second, 180 * time.Millisecond},
		{2, 1, 2, time.Second, 1980 * time.Millisecond},
		{2, 1, 40, 60 * time.Millisecond, 1980 * time.Millisecond},
		{2, 1, 40, 60 * time.Millisecond, 180 * time.Millisecond},
		{2, 1, 40, time.Second, 180 * time.Millisecond},
		{2, 3, 40, time.Second, 180 * time.Millisecond},
		{8, 1, 16, time.Second, 1980 * time.Millisecond},
		{8, 16, 1, time.Second, 1980 * time.Millisecond},
		{8, 16, 4, time.Second, 180 * time.Millisecond},
		{1, 1, 40, 60 * time.Millisecond, 1980 * time.Millisecond},
	} {
		name := fmt.Sprintf("slots %d, %d namespaces with %d policies each, %v hashes, deadline %v", c.slots, c.namespaces, c.policies, c.hostile, c.deadline)
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := New(Options{Slots: c.slots})
				ctx, cancel := context.WithCancel(t.Context())
				var all sync.WaitGroup
				for i := range c.namespaces * c.policies {
					o := Owner{fmt.Sprint("hostile-", i%c.namespaces), fmt.Sprint(i)}
					for range 2 {
						all.Go(func() {
							for ctx.Err() == nil {
								within, cancel := context.WithTimeout(ctx, 2*time.Second)
								if s.Do(within, Task{Owner: o, Kind: c.hostile.String()}, func() { time.Sleep(c.hostile) }) != nil {
									time.Sleep(time.Millisecond)
								}
								cancel()
							}
						})
					}
				}
				time.Sleep(5 * time.Second)
				victim := load{
					task: Task{Owner: Owner{"victim", "api"}, Kind: "hash"}, takes: 60 * time.Millisecond,
					every: 500 * time.Millisecond, deadline: c.deadline,
				}
				got := offer(ctx, s, victim, 5*time.Second)
				t.Logf("%+v", got)
				if got.answered < 10 {
					t.Errorf("expected 10 of 10 answers, got %d", got.answered)
				}
				cancel()
				all.Wait()
				time.Sleep(time.Minute)
				wantClean(t, s)
			})
		})
	}
}

func TestNothingIsBegunThatCannotEndInItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Slots: 1})
		s.Do(t.Context(), of("a"), func() { time.Sleep(time.Second) })
		release := hold(t, s, Task{Kind: "other"})
		ctx, cancel := context.WithTimeout(t.Context(), 900*time.Millisecond)
		defer cancel()
		start := time.Now()
		if err := s.Do(ctx, of("a"), func() { t.Error("it ran") }); err != ErrOverloaded || time.Since(start) != 0 {
			t.Errorf("expected ErrOverloaded at once, got %v after %v", err, time.Since(start))
		}
		// What waited too long meanwhile is answered before its deadline.
		long, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		var all sync.WaitGroup
		all.Go(func() {
			if err := s.Do(long, of("a"), func() { t.Error("it ran") }); err != ErrOverloaded {
				t.Errorf("expected ErrOverloaded, got %v", err)
			}
		})
		time.Sleep(time.Second)
		release()
		all.Wait()
		wantClean(t, s)
	})
}

// The mean of a kind may be wrong: a stall of the machine is over some day.
func TestAMeanThatIsTooLongIsPutToTheTest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Slots: 1})
		s.Do(t.Context(), of("a"), func() { time.Sleep(time.Minute) })
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { // the slot is never idle
			for ctx.Err() == nil {
				s.Do(ctx, Task{Owner: Owner{"busy", ""}, Kind: "busy"}, func() { time.Sleep(10 * time.Millisecond) })
			}
		})
		time.Sleep(time.Second)
		got := offer(ctx, s, load{task: of("a"), takes: 20 * time.Millisecond, every: 100 * time.Millisecond, deadline: time.Second}, 10*time.Minute)
		if got.answered < got.asked*9/10 {
			t.Errorf("expected the mean to recover, got %+v", got)
		}
		cancel()
		all.Wait()
		time.Sleep(time.Second)
	})
}

func TestMemoryIsNeverOverTheBudgetAndAWideTaskIsNotStarved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const budget = 256
		s := New(Options{Slots: 16, Memory: budget})
		var mu sync.Mutex
		var used, most, slots, wide int64
		run := func(task Task) func() {
			return func() {
				mu.Lock()
				used += task.Memory
				slots += int64(task.Threads)
				most = max(most, used)
				if slots > 16 {
					t.Errorf("expected at most 16 slots, got %d", slots)
				}
				if task.Threads == 15 {
					wide++
				}
				mu.Unlock()
				time.Sleep(100 * time.Millisecond)
				mu.Lock()
				used -= task.Memory
				slots -= int64(task.Threads)
				mu.Unlock()
			}
		}
		var all sync.WaitGroup
		random := rand.New(rand.NewPCG(3, 4))
		for i := range 3000 {
			task := Task{Owner: Owner{fmt.Sprint(i % 7), ""}, Kind: "argon2id", Memory: random.Int64N(128), Threads: 1 + i%4}
			if i%50 == 0 { // everything there is
				task = Task{Owner: Owner{"wide", ""}, Kind: "argon2id", Memory: budget, Threads: 15}
			}
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				s.Do(ctx, task, run(task))
			})
			time.Sleep(5 * time.Millisecond)
		}
		all.Wait()
		if most > budget || most < budget/2 {
			t.Errorf("expected at most %d of memory and more than half, got %d", budget, most)
		}
		if wide < 10 {
			t.Errorf("expected wide tasks to get their turns, got %d of 60", wide)
		}
		if err := s.Do(t.Context(), Task{Memory: budget + 1}, nothing); err != ErrOverloaded {
			t.Errorf("expected ErrOverloaded for more than the budget, got %v", err)
		}
		time.Sleep(time.Minute)
		wantClean(t, s)
	})
}

// Whatever arrives, each tenant that always waits gets its part of the slots (of
// the one that is kept beside them whoever has short tasks), and the policies of a
// tenant get equal parts of its time.
func TestTenantsThatAlwaysWaitGetTheirPartOfTheTime(t *testing.T) {
	seeds := 20
	if testing.Short() {
		seeds = 4
	}
	for seed := range uint64(seeds) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			s := New(Options{Slots: 1 + random.IntN(4)})
			namespaces, policies := 2+random.IntN(4), 1+random.IntN(3)
			ctx, cancel := context.WithCancel(t.Context())
			var all sync.WaitGroup
			var mu sync.Mutex
			had := map[Owner]time.Duration{}
			for n := range namespaces {
				for p := range policies {
					o := Owner{fmt.Sprint(n), fmt.Sprint(p)}
					base := time.Duration(1+random.IntN(200)) * time.Millisecond
					for range 6 {
						own := rand.New(rand.NewPCG(random.Uint64(), 2))
						all.Go(func() {
							for ctx.Err() == nil {
								takes := base/2 + time.Duration(own.Int64N(int64(base)))
								s.Do(ctx, Task{Owner: o, Kind: base.String()}, func() {
									time.Sleep(takes)
									mu.Lock()
									had[o] += takes
									mu.Unlock()
								})
							}
						})
					}
				}
			}
			time.Sleep(2 * time.Minute)
			cancel()
			all.Wait()
			time.Sleep(time.Second) // some went on after their callers had left
			synctest.Wait()
			fair := 2 * time.Minute * time.Duration(max(1, s.options.Slots-1)) / time.Duration(namespaces)
			for n := range namespaces {
				var mine time.Duration
				for p := range policies {
					mine += had[Owner{fmt.Sprint(n), fmt.Sprint(p)}]
				}
				if mine < fair*90/100 {
					t.Errorf("seed %d: expected at least %v for namespace %d, got %v; all: %v", seed, fair, n, mine, had)
				}
				for p := range policies {
					if d := had[Owner{fmt.Sprint(n), fmt.Sprint(p)}]; d < mine/time.Duration(policies)*85/100 {
						t.Errorf("seed %d: expected about %v for policy %d of namespace %d, got %v", seed, mine/time.Duration(policies), p, n, d)
					}
				}
			}
		})
	}
}

// Who was idle has no turns saved up: a tenant that comes late shares the time
// from then on.
func TestAnIdleOwnerEarnsNoCredit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Slots: 1})
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		var mu sync.Mutex
		had := map[string]int{}
		work := func(namespace string) {
			for range 4 {
				all.Go(func() {
					for ctx.Err() == nil {
						s.Do(ctx, of(namespace), func() {
							time.Sleep(10 * time.Millisecond)
							mu.Lock()
							had[namespace]++
							mu.Unlock()
						})
					}
				})
			}
		}
		work("early")
		count := func(namespace string) int {
			mu.Lock()
			defer mu.Unlock()
			return had[namespace]
		}
		time.Sleep(time.Minute)
		early := count("early")
		work("late")
		time.Sleep(10 * time.Second)
		if gained := count("early") - early; gained < 450 || count("late") < 450 {
			t.Errorf("expected about 500 each, got %d and %d", gained, count("late"))
		}
		cancel()
		all.Wait()
		time.Sleep(time.Second)
	})
}

// What takes 14 s in one namespace says nothing of what takes 1 ms in another.
func TestTasksThatTakeLongInOneNamespaceRefuseNoneOfAnother(t *testing.T) {
	for _, kind := range []string{"evaluation-15", "evaluation-16"} {
		for _, slots := range []int{2, 8} {
			synctest.Test(t, func(t *testing.T) {
				s := New(Options{Slots: slots})
				turn := func(owner, kind string, takes, deadline time.Duration) bool {
					ctx, cancel := context.WithTimeout(t.Context(), deadline)
					defer cancel()
					end, err := s.Turn(ctx, Task{Owner: Owner{owner, "p"}, Kind: kind})
					if err == nil {
						time.Sleep(takes)
						end()
					}
					return err == nil
				}
				turn("victim", kind, time.Millisecond, time.Second) // it was there before
				over := time.Now().Add(3 * time.Minute)
				var all sync.WaitGroup
				for range 3 * slots {
					all.Go(func() {
						for time.Now().Before(over) {
							if !turn("evil", "evaluation-15", 14*time.Second, 5*time.Second) {
								time.Sleep(100 * time.Millisecond)
							}
						}
					})
				}
				answered, refused := 0, 0
				for time.Now().Before(over) {
					if turn("victim", kind, time.Millisecond, 2*time.Second) {
						answered++
					} else {
						refused++
					}
					time.Sleep(100 * time.Millisecond)
				}
				all.Wait()
				if refused > answered/100 {
					t.Errorf("%s, %d slots: %d answered, %d refused", kind, slots, answered, refused)
				}
			})
		}
	}
}

func TestTheMeansThatAreRememberedAreBounded(t *testing.T) {
	s := New(Options{Slots: 1})
	for i := range 3 * maxMeans {
		if err := s.Do(t.Context(), Task{Owner: Owner{fmt.Sprint(i), "p"}, Kind: "k"}, func() {}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(s.means); n > maxMeans {
		t.Errorf("%d means", n)
	}
}
