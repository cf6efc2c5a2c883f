package egress

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

const idp = "https://idp.example.com 443"

func TestTheTimeOfARequestStartsWithItsPlace(t *testing.T) {
	inBubble(t, 4900*time.Millisecond, func(h *herd) {
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if _, err := h.client.Do(context.Background(), Request{URL: host + "/realm/keys"}); err != nil {
					t.Error(err)
				}
			})
		}
		began := time.Now()
		all.Wait()
		if took := time.Since(began); took != 5*4900*time.Millisecond {
			t.Errorf("took %s", took)
		}
		h.setLatency(5100 * time.Millisecond)
		if _, err := h.client.Do(context.Background(), Request{URL: host}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// crowd keeps n requests of each of some tenants under way or waiting, each 4.9 s.
func crowd(t *testing.T, o *origins, n, tenants int, asked bool) {
	for i := range n * tenants {
		go func() {
			turn := Turn{Tenant: fmt.Sprint("tenant-", i%tenants), Asked: asked}
			_ = o.do(t.Context(), idp, turn, func() { sleep(t.Context(), 4900*time.Millisecond) })
		}()
	}
	synctest.Wait()
}

// waits returns how long a request waits for its place.
func waits(t *testing.T, o *origins, turn Turn) time.Duration {
	began, placed := time.Now(), time.Time{}
	if err := o.do(t.Context(), idp, turn, func() { placed = time.Now() }); err != nil {
		t.Error(err)
	}
	return placed.Sub(began)
}

func TestWhatStrangersAskForLeavesAPlaceFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOrigins()
		crowd(t, o, 1000, 1, true)
		if d := waits(t, o, Turn{Tenant: "tenant-0"}); d != 0 {
			t.Errorf("the same tenant's waited %s", d)
		}
		if d := waits(t, o, Turn{Tenant: "another"}); d != 0 {
			t.Errorf("another tenant's waited %s", d)
		}
	})
}

func TestAnotherTenantIsNext(t *testing.T) {
	for name, turn := range map[string]Turn{"scheduled": {Tenant: "another"}, "asked for": {Tenant: "another", Asked: true}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOrigins()
				crowd(t, o, 1000, 1, turn.Asked)
				if d := waits(t, o, turn); d > 4900*time.Millisecond {
					t.Errorf("waited %s", d)
				}
			})
		})
	}
}

func TestWhatNeverWorkedIsLastOfItsTenant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOrigins()
		for range 100 {
			go func() {
				_ = o.do(t.Context(), idp, Turn{Last: true}, func() { sleep(t.Context(), time.Second) })
			}()
		}
		synctest.Wait()
		if d := waits(t, o, Turn{}); d > time.Second {
			t.Errorf("waited %s", d)
		}
	})
}

// keep keeps n requests under way or waiting, each of a second.
func keep(t *testing.T, o *origins, n int, turn Turn) {
	for range n {
		go func() {
			_ = o.do(t.Context(), idp, turn, func() { sleep(t.Context(), time.Second) })
		}()
	}
	synctest.Wait()
}

// A tenant that waited while many scheduled requests were under way is not behind
// all others later.
func TestAWaitBehindScheduledRequestsCostsNoLaterTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOrigins()
		for i := range 10 {
			keep(t, o, 500, Turn{Tenant: fmt.Sprint("tenant-", i), Asked: true})
		}
		keep(t, o, 100, Turn{Tenant: "victim"})
		waits(t, o, Turn{Tenant: "victim", Asked: true})
		if d := waits(t, o, Turn{Tenant: "victim", Asked: true}); d > 15*time.Second {
			t.Errorf("waited %s", d)
		}
	})
}

// What strangers ask of a tenant whose scheduled requests are many waits for these
// in nobody's way.
func TestATenantOfManyScheduledRequestsDoesNotHoldTheTurnsOfWhatStrangersAskFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOrigins()
		keep(t, o, 200, Turn{Tenant: "hostile"})
		keep(t, o, 20, Turn{Tenant: "hostile", Asked: true, Last: true})
		keep(t, o, 20, Turn{Tenant: "hostile-too", Asked: true, Last: true})
		time.Sleep(5 * time.Second)
		if d := waits(t, o, Turn{Tenant: "victim", Asked: true}); d > 6*time.Second {
			t.Errorf("waited %s", d)
		}
	})
}

func TestATenantOfManyOriginsThatHangDelaysNobodyAtAnotherOne(t *testing.T) {
	for name, turn := range map[string]Turn{"scheduled": {Tenant: "victim"}, "asked for": {Tenant: "victim", Asked: true}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOrigins()
				hang := func(origin string, asked bool) {
					go func() {
						_ = o.do(t.Context(), origin, Turn{Tenant: "hostile", Asked: asked}, func() { sleep(t.Context(), 5*time.Second) })
					}()
				}
				for i := range 2000 {
					hang(fmt.Sprint("https://hang-", i), false)
				}
				for i := range 100 {
					hang(idp, i%2 == 0)
				}
				synctest.Wait()
				for range 5 {
					time.Sleep(7 * time.Second)
					if d := waits(t, o, turn); d > 12*time.Second {
						t.Errorf("waited %s", d)
					}
				}
			})
		})
	}
}

func TestRequestsToAllOriginsAreBoundedToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, underWay := newOrigins(), atomic.Int64{}
		for i := range 1000 {
			go func() {
				_ = o.do(t.Context(), fmt.Sprint("https://idp-", i%500), Turn{Tenant: fmt.Sprint("tenant-", i%3)}, func() {
					if n := underWay.Add(1); n > maxAtOnce {
						t.Errorf("%d at once", n)
					}
					sleep(t.Context(), time.Second)
					underWay.Add(-1)
				})
			}()
		}
		synctest.Wait()
		if d := waits(t, o, Turn{Tenant: "another"}); d > time.Second {
			t.Errorf("another tenant waited %s", d)
		}
	})
}

func (o *origins) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.all)
}

func (o *origins) users(origin string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	if p := o.all[origin]; p != nil {
		return p.users
	}
	return 0
}

func TestAnOriginIsForgottenWhenNothingIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOrigins()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		for i := range 100 {
			go func() {
				_ = o.do(ctx, idp, Turn{Asked: i%2 == 0}, func() { sleep(ctx, time.Second) })
			}()
		}
		time.Sleep(1500 * time.Millisecond)
		if n := o.users(idp); n != 96 {
			t.Errorf("of 100 requests 4 ended, and %d are under way or wait", n)
		}
		time.Sleep(time.Second)
		if o.count() != 0 {
			t.Error("the places of an origin are left behind")
		}
	})
}

func TestAPanicOfARequestReachesItsCallerAndFreesThePlace(t *testing.T) {
	o := newOrigins()
	for range 10 {
		func() {
			defer func() {
				if v := recover(); v != "broken" {
					t.Errorf("got %v", v)
				}
			}()
			_ = o.do(t.Context(), idp, Turn{Asked: true}, func() { panic("broken") })
		}()
	}
	if len(o.all) != 0 {
		t.Error("the places of an origin are left behind")
	}
}
