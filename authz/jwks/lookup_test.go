package jwks

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// crowd asks n times at once for unknown keys, and returns how many waited.
func crowd(r *Remote, n int) int {
	var waited atomic.Int64
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			began := time.Now()
			_, _ = r.Lookup(context.Background(), fmt.Sprint("junk-", i), "ES256")
			if time.Since(began) > 0 {
				waited.Add(1)
			}
		})
	}
	all.Wait()
	return int(waited.Load())
}

func TestAtMostThirtyTwoLookupsWaitForTheFirstKeys(t *testing.T) {
	p := &provider{answer: good("a"), delay: 4 * time.Second}
	bubble(t, p, func(t *testing.T, r *Remote) {
		if n := crowd(r, 1000); n != maxWaitersPerSet {
			t.Errorf("%d waited", n)
		}
		time.Sleep(3 * time.Second)
		want(t, r, "a", "ok")
	})
}

func TestALookupWaitsASecondAtMost(t *testing.T) {
	p := &provider{delay: 4 * time.Second, answer: good("a")}
	bubble(t, p, func(t *testing.T, r *Remote) {
		for step, wanted := range []error{errNotFetched, ErrUnknownKey} {
			began := time.Now()
			_, err := r.Lookup(t.Context(), "b", "ES256")
			if took := time.Since(began); took != time.Second || !errors.Is(err, wanted) {
				t.Errorf("step %d: %v after %s", step, err, took)
			}
			time.Sleep(10 * time.Second)
		}
	})
}

func TestWaitingLookupsAreBoundedInSumAndLeaveRoomForAnotherTenant(t *testing.T) {
	p := &provider{delay: 4 * time.Second}
	synctest.Test(t, func(t *testing.T) {
		shared := NewShared()
		set := func(tenant string) *Remote {
			r := NewRemote(Config{URL: "https://idp.example.com/keys", Fetch: p.fetch, Shared: shared, Tenant: func() string { return tenant }})
			t.Cleanup(r.Close)
			return r
		}
		var waited atomic.Int64
		var all sync.WaitGroup
		for i := range 60 {
			r := set(fmt.Sprint("hostile-", i%2))
			all.Go(func() { waited.Add(int64(crowd(r, 40))) })
		}
		synctest.Wait()
		if n := crowd(set("another"), maxWaitersPerSet); n != maxWaitersPerSet {
			t.Errorf("%d lookups of another tenant found a place", n)
		}
		all.Wait()
		if n := waited.Load(); n < 128 || n > maxWaiters-maxWaitersPerSet {
			t.Errorf("%d waited", n)
		}
		if taken, tenants := shared.waiters.Taken(); taken != 0 || tenants != 0 {
			t.Error("places are left behind")
		}
	})
}

func TestAKidThatCannotBeAskedForYetIsFetchedWhenItCan(t *testing.T) {
	p := &provider{answer: good("old")}
	bubble(t, p, func(t *testing.T, r *Remote) {
		want(t, r, "old", "ok")
		want(t, r, "junk", "unknown")
		p.set(good("old", "new"), nil)
		want(t, r, "new", "unknown")
		time.Sleep(10*time.Second + time.Millisecond)
		if n := r.Status().Keys; n != 2 || p.count() != 3 {
			t.Errorf("%d keys, %d fetches", n, p.count())
		}
		time.Sleep(time.Minute)
		if p.count() != 3 {
			t.Errorf("one unknown kid was asked for again and again: %d fetches", p.count())
		}
	})
}

func TestARequestLetsASetWithoutKeysBeTriedSooner(t *testing.T) {
	p := &provider{err: errDown}
	bubble(t, p, func(t *testing.T, r *Remote) {
		r.Start()
		time.Sleep(20 * time.Minute) // by now it is tried every 5 min or so
		time.Sleep(time.Until(r.Status().Next) + time.Minute)
		before := p.count()
		p.set(good("a"), nil)
		p.slow(time.Millisecond) // the lookup ends first
		_, err := ask(r, "a")
		var unavailable *UnavailableError
		if !errors.As(err, &unavailable) || unavailable.RetryAfter != time.Second {
			t.Errorf("got %v", err)
		}
		time.Sleep(time.Second)
		want(t, r, "a", "ok")
		time.Sleep(30 * time.Second)
		if n := p.count() - before; n != 1 {
			t.Errorf("%d fetches", n)
		}
	})
}
