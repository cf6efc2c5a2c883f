//go:build !race

// The race detector itself breaks under so many goroutines of one bubble. `make
// properties` runs these without it.

package egress

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz/jwks"
)

var tenancies = map[string]func(int) string{
	"one tenant":                           func(int) string { return "one" },
	"100 tenants":                          func(i int) string { return fmt.Sprint("tenant-", i%100) },
	"two tenants, and one has all but one": func(i int) string { return fmt.Sprint(i == 0) },
}

func TestAThousandRealmsOfOneProviderHaveTheirKeysWithinThirtySeconds(t *testing.T) {
	for name, tenant := range tenancies {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 50*time.Millisecond, func(h *herd) {
				sets := h.realms(scale(1000), tenant)
				start(sets)
				time.Sleep(30 * time.Second)
				held := 0
				for _, s := range sets {
					held += s.Status().Keys
				}
				if held != len(sets) || h.count() != 2*len(sets) {
					t.Errorf("%d of %d have keys, by %d fetches", held, len(sets), h.count())
				}
			})
		})
	}
}

func TestARotatedKeyIsKnownWithinThirtySecondsUnderAHundredJunkTokensASecond(t *testing.T) {
	for name, tenant := range tenancies {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 50*time.Millisecond, func(h *herd) {
				sets := h.realms(scale(1000), tenant)
				start(sets)
				time.Sleep(30 * time.Second)
				defer junk(sets, scale(100))()
				time.Sleep(30 * time.Second)
				var rotated []*jwks.Remote
				for i := 0; i < len(sets); i += 50 {
					h.rotate(fmt.Sprint("realm-", i), "new")
					rotated = append(rotated, sets[i])
				}
				within(t, 30*time.Second, rotated, "new")
				h.rotate("newcomer", "old")
				for _, who := range []string{tenant(0), "another"} {
					within(t, 10*time.Second, []*jwks.Remote{h.set(jwks.Config{Issuer: host + "/newcomer"}, who)}, "old")
				}
			})
		})
	}
}

func TestDeadURLsOfATenantDelayNobodyAtTheSameProvider(t *testing.T) {
	for name, c := range map[string]struct{ dead, tenants, junk int }{
		"1,000 of one tenant":                  {1000, 1, 0},
		"5,000 of one tenant":                  {5000, 1, 0},
		"5,000 of one tenant and junk at them": {5000, 1, 100},
		"1,000 of forty tenants":               {1000, 40, 100},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 100*time.Millisecond, func(h *herd) {
				dead := h.dead(scale(c.dead), func(i int) string { return fmt.Sprint("hostile-", i%c.tenants) })
				start(dead)
				if c.junk > 0 {
					defer junk(dead, scale(c.junk))()
				}
				victim := h.realms(1, func(int) string { return "victim" })
				within(t, 30*time.Second, victim, "old")
				for _, kid := range []string{"second", "third"} {
					time.Sleep(20 * time.Second)
					h.rotate("realm-0", kid)
					within(t, 30*time.Second, victim, kid)
				}
			})
		})
	}
}

func TestManyProvidersThatHangDelayNobodyAtAnotherOne(t *testing.T) {
	inBubble(t, 50*time.Millisecond, func(h *herd) {
		for i := range scale(2000) {
			h.set(jwks.Config{URL: fmt.Sprintf("http://slow-%d.example.com/keys", i)}, fmt.Sprint("hostile-", i%40)).Start()
		}
		victim := h.realms(1, func(int) string { return "victim" })
		within(t, 30*time.Second, victim, "old")
		for _, kid := range []string{"second", "third"} {
			time.Sleep(20 * time.Second)
			h.rotate("realm-0", kid)
			within(t, 30*time.Second, victim, kid)
		}
		if n := h.client.origins.count(); n > 2001 {
			t.Errorf("%d origins are held", n)
		}
	})
}

func TestAtASlowProviderAtMostThirtyTwoWaitAndTheOthersAreAnsweredAtOnce(t *testing.T) {
	inBubble(t, 50*time.Millisecond, func(h *herd) {
		sets := h.realms(1, func(int) string { return "one" })
		within(t, time.Second, sets, "old")
		h.setLatency(4900 * time.Millisecond)
		var waited atomic.Int64
		var all sync.WaitGroup
		for i := range 1100 {
			all.Go(func() {
				began := time.Now()
				if got := ask(sets[0], fmt.Sprint("junk-", i)); got != 401 {
					t.Errorf("got %d", got)
				}
				if took := time.Since(began); took > time.Second {
					t.Errorf("waited %s", took)
				} else if took > 0 {
					waited.Add(1)
				}
			})
		}
		all.Wait()
		if n := waited.Load(); n != 32 {
			t.Errorf("%d waited", n)
		}
		if got := ask(sets[0], "old"); got != 200 {
			t.Errorf("a good token meanwhile: %d", got)
		}
	})
}
