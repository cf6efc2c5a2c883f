package jwks

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestASetThatNeverWorkedAndNobodyAsksForIsTriedSeldom(t *testing.T) {
	p := &provider{err: errDown}
	bubble(t, p, func(t *testing.T, r *Remote) {
		r.Start()
		time.Sleep(time.Hour)
		synctest.Wait()
		p.mu.Lock()
		defer p.mu.Unlock()
		seconds := []int{10, 20, 40, 80, 160, 300, 300, 300, 300}
		for i, n := range seconds {
			want, got := time.Duration(n)*time.Second, p.fetches[i+1].Sub(p.fetches[i])
			if got < want*4/5 || got > want*6/5 {
				t.Errorf("attempt %d came after %s, wanted is about %s", i+1, got, want)
			}
		}
	})
}

func TestSetsThatFailedTogetherDriftApart(t *testing.T) {
	times := map[time.Time]bool{}
	synctest.Test(t, func(t *testing.T) {
		var sets []*Remote
		for range 100 {
			r := NewRemote(Config{URL: "u", Fetch: (&provider{err: errDown}).fetch})
			r.Start()
			defer r.Close()
			sets = append(sets, r)
		}
		time.Sleep(10 * time.Minute)
		for _, r := range sets {
			times[r.Status().Next.Truncate(time.Second)] = true
		}
	})
	if len(times) < 50 {
		t.Errorf("100 sets are due in %d different seconds", len(times))
	}
}

func TestAPanicIsAFailedFetchAndEndsNothing(t *testing.T) {
	p := &provider{answer: good("a")}
	var broken atomic.Bool
	var told atomic.Int64
	synctest.Test(t, func(t *testing.T) {
		p256()
		r := NewRemote(Config{URL: "u", Panicked: func(v any, stack []byte) {
			if v != nil && len(stack) > 0 {
				told.Add(1)
			}
		}, Fetch: func(ctx context.Context, turn Turn, url string) (Answer, error) {
			if broken.Load() {
				panic(errors.New("secret"))
			}
			return p.fetch(ctx, turn, url)
		}})
		defer r.Close()
		want(t, r, "a", "ok")
		broken.Store(true)
		want(t, r, "b", "unknown")
		if s := r.Status(); s.Keys != 1 || !strings.Contains(s.Error, "panic (*errors.errorString)") || strings.Contains(s.Error, "secret") {
			t.Errorf("got %+v", s)
		}
		if told.Load() != 1 {
			t.Errorf("told of %d panics", told.Load())
		}
		broken.Store(false)
		p.set(good("a", "b"), nil)
		time.Sleep(time.Minute + time.Second)
		want(t, r, "b", "ok")
	})
}

func TestFetchesSayWhoseTurnTheyTake(t *testing.T) {
	var mu sync.Mutex
	var turns []Turn
	tenant, fail := "one", errDown
	set := func(change func()) { mu.Lock(); defer mu.Unlock(); change() }
	p256()
	synctest.Test(t, func(t *testing.T) {
		r := NewRemote(Config{URL: "u", Tenant: func() string { mu.Lock(); defer mu.Unlock(); return tenant }, Fetch: func(_ context.Context, turn Turn, _ string) (Answer, error) {
			mu.Lock()
			defer mu.Unlock()
			turns = append(turns, turn)
			return good("a"), fail
		}})
		defer r.Close()
		r.Start()
		time.Sleep(11 * time.Second)
		want(t, r, "a", "unavailable")
		set(func() { fail = nil })
		time.Sleep(10 * time.Second)
		set(func() { tenant = "two" })
		want(t, r, "a", "ok")
		time.Sleep(10 * time.Second)
		want(t, r, "b", "unknown")
		time.Sleep(5*time.Minute + time.Second)
	})
	wanted := []Turn{
		{Tenant: "one"},                          // the first
		{Tenant: "one", Last: true},              // it never worked
		{Tenant: "one", Last: true, Asked: true}, // a request let it be tried sooner
		{Tenant: "two", Asked: true},             // an unknown kid
		{Tenant: "two"},                          // by the clock
	}
	if len(turns) != len(wanted) {
		t.Fatalf("got %+v", turns)
	}
	for i := range wanted {
		if turns[i] != wanted[i] {
			t.Errorf("%d: want %+v, got %+v", i, wanted[i], turns[i])
		}
	}
}

func TestWhatARequestAsksForIsFetchedWhereDiscoveryLastFoundIt(t *testing.T) {
	discovered, url, fail := 0, "first", error(nil)
	p256()
	synctest.Test(t, func(t *testing.T) {
		keys := map[string]Answer{"first": good("a"), "second": good("b")}
		r := NewRemote(Config{
			Issuer:   "i",
			Discover: func(context.Context, Turn, string) (string, error) { discovered++; return url, nil },
			Fetch:    func(_ context.Context, _ Turn, url string) (Answer, error) { return keys[url], fail },
		})
		defer r.Close()
		want(t, r, "a", "ok")
		want(t, r, "b", "unknown")
		synctest.Wait()
		if discovered != 1 {
			t.Errorf("discovered %d times", discovered)
		}
		synctest.Wait()
		url, fail = "second", errDown // the provider moves
		time.Sleep(10 * time.Second)
		want(t, r, "b", "unknown")
		synctest.Wait()
		fail = nil
		time.Sleep(10 * time.Second)
		want(t, r, "b", "ok")
		synctest.Wait()
		if discovered != 2 {
			t.Errorf("discovered %d times", discovered)
		}
	})
}
