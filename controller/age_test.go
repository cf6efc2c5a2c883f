package controller

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/agentauth-dev/agentauth/authz/engine"
)

// failing are the ways in which an API server fails after all was well. Each
// begins a watch, if it can.
var failing = map[string]func(w *watch.RaceFreeFakeWatcher) (watch.Interface, error){
	"no connection": func(*watch.RaceFreeFakeWatcher) (watch.Interface, error) {
		return nil, errors.New("connection refused")
	},
	"watches are cut as soon as they are open": func(w *watch.RaceFreeFakeWatcher) (watch.Interface, error) {
		w.Stop()
		return w, nil
	},
	"watches are cut after a while": func(w *watch.RaceFreeFakeWatcher) (watch.Interface, error) {
		time.AfterFunc(settled/2, w.Stop)
		return w, nil
	},
	"what comes cannot be decoded": func(w *watch.RaceFreeFakeWatcher) (watch.Interface, error) {
		w.Error(&metav1.Status{Status: metav1.StatusFailure, Code: 500, Reason: metav1.StatusReasonInternalError, Message: "unable to decode an event from the watch stream"})
		return w, nil
	},
	"the version is too old": func(w *watch.RaceFreeFakeWatcher) (watch.Interface, error) {
		w.Error(&metav1.Status{Status: metav1.StatusFailure, Code: 410, Reason: metav1.StatusReasonExpired})
		return w, nil
	},
	"there is too much to do": func(w *watch.RaceFreeFakeWatcher) (watch.Interface, error) {
		w.Error(&metav1.Status{Status: metav1.StatusFailure, Code: 429, Reason: metav1.StatusReasonTooManyRequests})
		return w, nil
	},
}

func TestNoTryThatFailsSetsTheAgeBack(t *testing.T) {
	for name, begin := range failing {
		for way, streams := range map[string]bool{"listed": false, "streamed": true} {
			t.Run(name+", "+way, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					a := &apiServer{streams: streams, objects: []runtime.Object{keySecret("the-first-key-of-the-robot")}}
					from := a.listWatch()
					well := from.WatchFuncWithContext
					var broken atomic.Bool
					from.WatchFuncWithContext = func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
						if !broken.Load() {
							return well(ctx, o)
						}
						return begin(watch.NewRaceFreeFake())
					}
					lists := from.ListWithContextFunc
					from.ListWithContextFunc = func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
						if broken.Load() {
							return nil, errors.New("the list cannot be decoded")
						}
						return lists(ctx, o)
					}
					c := newCollection(&corev1.Secret{}, from, make(chan struct{}, 1), nil)
					ctx, cancel := context.WithCancel(t.Context())
					go c.run(ctx)
					time.Sleep(time.Minute)
					synctest.Wait()
					if c.age() != 0 {
						t.Fatalf("expected all to be well, got age %s", c.age())
					}
					broken.Store(true)
					start, last := time.Now(), time.Duration(0)
					a.last().Stop()
					for time.Since(start) < 10*time.Minute {
						time.Sleep(100 * time.Millisecond)
						age := c.age()
						if age < last {
							t.Fatalf("after %s of failing the age went from %s to %s", time.Since(start), last, age)
						}
						last = age
					}
					if last < 9*time.Minute {
						t.Errorf("expected the age of ten minutes, got %s", last)
					}
					broken.Store(false)
					time.Sleep(2 * time.Minute)
					synctest.Wait()
					if c.age() != 0 {
						t.Errorf("expected all to be well again, got age %s", c.age())
					}
					cancel()
					time.Sleep(2 * time.Minute)
				})
			})
		}
	}
}

func TestAWatchThatContinuesCountsOnceItDeliversOrStaysOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s watchState
		s.current = time.Now()
		age := func(want time.Duration) {
			t.Helper()
			if got := s.age(); got != want {
				t.Errorf("expected age %s, got %s", want, got)
			}
		}
		first, second := &openWatch{}, &openWatch{}
		time.Sleep(time.Second)
		s.opens(first, false)
		age(time.Second)
		time.Sleep(settled)
		age(0)
		s.ends(first)
		time.Sleep(time.Second)
		s.opens(second, false)
		age(time.Second)
		s.delivers()
		age(0)
		s.ends(first) // that is not the one that is open
		age(0)
		s.ends(second)
		s.delivers() // nothing is open
		time.Sleep(time.Second)
		age(time.Second)
	})
}

// clusterOf is a cluster whose collections are empty and watched.
func clusterOf(load func(context.Context, engine.Input) ([]engine.Report, bool)) *Cluster {
	k := &kinds{begun: time.Now(), changed: make(chan struct{}, 1), followed: map[string]*followed{policiesCRD: {}}}
	return &Cluster{config: Config{Load: load, Log: slog.New(slog.DiscardHandler)}, kinds: k, status: statusOf(&written{}, newObjects())}
}

func TestTheAgeCountsFromTheOldestChangeThatIsNotInForce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := make(chan bool)
		c := clusterOf(func(context.Context, engine.Input) ([]engine.Report, bool) { return nil, <-answer })
		age := func(want time.Duration) {
			t.Helper()
			synctest.Wait()
			if got := c.Age(); got != want {
				t.Errorf("expected age %s, got %s", want, got)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		go c.follow(ctx)
		answer <- true
		age(0)
		time.Sleep(time.Hour)
		age(0)

		c.kinds.change() // its compile hangs
		time.Sleep(time.Minute)
		age(time.Minute)
		if lines := strings.Join(c.Problems(), "\n"); !strings.Contains(lines, "a change is not in force for 1m0s") {
			t.Errorf("got %q", lines)
		}
		c.kinds.change() // waits for it
		time.Sleep(time.Minute)
		age(2 * time.Minute)
		answer <- true // the first
		age(time.Minute)
		answer <- false // it panicked
		time.Sleep(time.Minute)
		age(2 * time.Minute)
		c.kinds.change() // and again, with another change
		time.Sleep(time.Minute)
		answer <- false
		age(3 * time.Minute)
		c.kinds.change()
		answer <- true
		age(0)
		cancel()
		synctest.Wait()
	})
}

func TestAChangeThatWasTakenAndIsNotInForceIsInTheAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clusterOf(nil)
		since, behind := time.Now(), false
		c.config.Behind = func() (time.Time, bool) { return since, behind }
		time.Sleep(time.Minute)
		if c.Age() != 0 {
			t.Errorf("got %s", c.Age())
		}
		behind = true
		if c.Age() != time.Minute || !slices.Contains(c.Problems(), "a policy is not compiled for 1m0s; what was known before is in force") {
			t.Errorf("got %s and %q", c.Age(), c.Problems())
		}
		c.kinds.change()
		time.Sleep(time.Minute)
		if c.Age() != 2*time.Minute {
			t.Errorf("expected the older of both, got %s", c.Age())
		}
		behind = false
		if c.Age() != time.Minute {
			t.Errorf("expected the other, got %s", c.Age())
		}
	})
}

func TestAKindThatCannotBeReadAgainAfterItsCRDChangedIsInTheAge(t *testing.T) {
	policies := &apiServer{streams: true, kind: policy("", "", 0)}
	inCluster(t, apiServers{"agentauthpolicies": policies}, func(k *kinds) {
		k.install(t, builtFor(t))
		older := builtFor(t)
		delete(spec(older).Properties, "response")
		policies.fails(errors.New("it cannot be decoded"))
		k.install(t, older)
		time.Sleep(10 * time.Second)
		if k.age() != 10*time.Second {
			t.Errorf("expected the age since the change, got %s", k.age())
		}
		policies.fails(nil)
		time.Sleep(time.Minute)
		if k.age() != 0 {
			t.Errorf("expected it to be read again, got age %s", k.age())
		}
	})
}

func TestAListThatCannotBeDecodedIsNoSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &apiServer{err: errors.New("json: cannot unmarshal")}
		c := newCollection(&corev1.Secret{}, a.listWatch(), make(chan struct{}, 1), nil)
		ctx, cancel := context.WithCancel(t.Context())
		go c.run(ctx)
		time.Sleep(time.Hour)
		if c.age() != time.Hour || c.hasSynced() {
			t.Errorf("got age %s", c.age())
		}
		cancel()
		time.Sleep(2 * time.Minute)
	})
}

var _ toolscache.ResourceVersionUpdater = &collection{}
