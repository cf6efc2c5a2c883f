package verified

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/authn"
)

// ticking is a clock that a test moves.
type ticking struct{ at time.Time }

func (c *ticking) now() time.Time { return c.at }

func TestACredentialIsVerifiedOnceForAsLongAsItMayBeKept(t *testing.T) {
	clock := &ticking{noon}
	b := &badges{inputs: "x"}
	a := around(New(Options{Bytes: 1 << 20, Now: clock.now}), "shop", b)
	verifiedBy := func(want int) {
		t.Helper()
		if v := use(t, a, "alice"); v.Identity.Subject != "alice" || b.verified != want {
			t.Errorf("expected alice to be verified %d times, got %d", want, b.verified)
		}
	}
	verifiedBy(1)
	clock.at = noon.Add(keepFor - time.Nanosecond)
	verifiedBy(1)
	clock.at = noon.Add(keepFor)
	verifiedBy(2)
	verifiedBy(2)
	b.ends = clock.at.Add(time.Minute)
	clock.at = clock.at.Add(keepFor)
	b.ends = clock.at.Add(time.Minute)
	verifiedBy(3)
	clock.at = clock.at.Add(time.Minute - time.Nanosecond)
	verifiedBy(3)
	clock.at = clock.at.Add(time.Nanosecond)
	verifiedBy(4)
	verifiedBy(5) // it has ended: there is nothing to keep
}

func TestWhatWasVerifiedInAnotherStateIsNotUsed(t *testing.T) {
	b := &badges{inputs: "x"}
	c := New(Options{Bytes: 1 << 20})
	a := around(c, "shop", b)
	use(t, a, "alice")
	b.state = authn.State{1}
	use(t, a, "alice")
	use(t, a, "alice")
	b.away = true
	use(t, a, "alice")
	if s := c.Stats(); b.verified != 3 || s.Entries != 1 || s.Hits != 1 {
		t.Errorf("expected 3 verifications and one entry, got %d and %+v", b.verified, s)
	}
}

// changing is a kind whose state changes while it verifies.
type changing struct{ badges }

func (c *changing) Verify(ctx context.Context, p *authn.Presented) (*authn.Verified, error) {
	v, err := c.badges.Verify(ctx, p)
	c.state[0]++
	return v, err
}

func TestAStateThatChangesWhileACredentialIsVerifiedUsesNothingOfIt(t *testing.T) {
	b := &changing{badges{inputs: "x"}}
	a := around(New(Options{Bytes: 1 << 20}), "shop", b)
	for range 5 {
		use(t, a, "alice")
	}
	if b.verified != 5 {
		t.Errorf("expected 5 verifications, got %d", b.verified)
	}
}

// refusing is a kind whose Verify, or Complete, refuses.
type refusing struct{ badges }

func (r *refusing) Verify(ctx context.Context, p *authn.Presented) (*authn.Verified, error) {
	r.verified++
	return nil, &authn.Rejected{Reason: authz.SignatureInvalid}
}

func TestOnlyWhatIsCompleteIsKept(t *testing.T) {
	c := New(Options{Bytes: 1 << 20})
	r := &refusing{badges{inputs: "x"}}
	a := around(c, "shop", r)
	for range 3 {
		if _, err := a.Verify(t.Context(), &authn.Presented{Value: "alice"}); err == nil {
			t.Error("expected a refusal")
		}
	}
	unchecked := &badges{inputs: "y"} // Check did not let it pass, so nobody completes it
	for range 3 {
		if _, err := around(c, "shop", unchecked).Verify(t.Context(), &authn.Presented{Value: "alice"}); err != nil {
			t.Error(err)
		}
	}
	if s := c.Stats(); r.verified != 3 || unchecked.verified != 3 || s.Entries != 0 {
		t.Errorf("got %d and %d verifications and %+v", r.verified, unchecked.verified, s)
	}
}

func TestNothingIsKeptWhereNothingMayBe(t *testing.T) {
	b, long := &badges{inputs: "x"}, make([]byte, authz.MaxToken+1)
	for name, a := range map[string]authn.Authenticator{
		"no cache":         around(nil, "shop", b),
		"the zero Options": around(New(Options{}), "shop", b),
		"no inputs":        around(New(Options{Bytes: 1 << 20}), "shop", &badges{}),
		"a small cache":    around(New(Options{Bytes: 600}), "shop", b),
	} {
		use(t, a, "alice")
		if m, ok := a.(*method); ok && m.cache.Stats().Entries != 0 {
			t.Errorf("%s: kept %+v", name, m.cache.Stats())
		}
	}
	c := New(Options{Bytes: 1 << 20})
	for _, p := range []*authn.Presented{nil, {Value: "alice", Malformed: "white space"}, {Value: string(long)}} {
		a := around(c, "shop", b)
		if p == nil {
			a = around(c, "shop", &anyone{badges{inputs: "x"}})
		}
		v, err := a.Verify(t.Context(), p)
		if err != nil || v.Complete(t.Context()) != nil || c.Stats().Entries != 0 {
			t.Errorf("%v: got %v and %+v", p, err, c.Stats())
		}
	}
}

// anyone is a kind that reads nowhere.
type anyone struct{ badges }

func (*anyone) Verify(context.Context, *authn.Presented) (*authn.Verified, error) {
	return &authn.Verified{}, nil
}

func TestEachUseOfAnEntryHasTheSameIdentity(t *testing.T) {
	c := New(Options{Bytes: 1 << 20})
	a := around(c, "shop", &badges{inputs: "x"})
	use(t, a, "alice")
	if first, second := use(t, a, "alice"), use(t, a, "alice"); first != second {
		t.Error("expected one value")
	}
	if other := use(t, around(c, "bank", &badges{inputs: "x"}), "alice"); other == use(t, a, "alice") {
		t.Error("two namespaces share a value")
	}
	if same := use(t, around(c, "shop", &badges{inputs: "x"}), "alice"); same != use(t, a, "alice") {
		t.Error("a method with equal inputs does not find what was kept")
	}
}

// filled is a cache with room for some 2,000 entries, and methods of namespaces.
func filled(t *testing.T) (*Cache, func(namespace, value string) (hit bool)) {
	c := New(Options{Bytes: int64(2000 * (sizeOfEntry + 16))})
	b := &badges{inputs: "x"}
	methods := map[string]authn.Authenticator{}
	return c, func(namespace, value string) bool {
		before := b.verified
		if methods[namespace] == nil {
			methods[namespace] = around(c, namespace, b)
		}
		use(t, methods[namespace], value)
		if c.room.bytes > c.room.max {
			t.Fatalf("%d bytes are kept, and %d may be", c.room.bytes, c.room.max)
		}
		return b.verified == before
	}
}

func TestAFloodOfOneNamespaceLeavesWhatAnotherKeeps(t *testing.T) {
	c, use := filled(t)
	for i := range 900 {
		use("shop", fmt.Sprint("hot-", i))
	}
	for i := range 20_000 {
		use("flood", fmt.Sprint("one-of-many-", i))
	}
	for i := range 900 {
		if !use("shop", fmt.Sprint("hot-", i)) {
			t.Errorf("the flood took number %d, which was not even used twice", i)
		}
	}
	if s := c.Stats(); s.Evictions < 18_000 || s.Entries < 1_800 {
		t.Errorf("got %+v", s)
	}
}

func TestAFloodLeavesWhatItsOwnNamespaceUses(t *testing.T) {
	_, use := filled(t)
	const hot = 1000
	for range 2 {
		for i := range hot {
			use("shop", fmt.Sprint("hot-", i))
		}
	}
	lost := 0
	for i := range 40_000 {
		use("shop", fmt.Sprint("one-of-many-", i))
		if i%4 == 0 && !use("shop", fmt.Sprint("hot-", i/4%hot)) {
			lost++
		}
	}
	if lost > hot/12 {
		t.Errorf("of 10,000 uses of what is used all the time, %d found nothing", lost)
	}
}

func TestNamespacesThatAreGoneAreForgotten(t *testing.T) {
	clock := &ticking{noon}
	c := New(Options{Bytes: 1 << 20, Now: clock.now})
	for i := range 300 {
		use(t, around(c, fmt.Sprint("shop-", i), &badges{inputs: "x"}), "alice")
	}
	if n := len(c.room.tenants); n != 300 || len(c.room.byUse) != n {
		t.Fatalf("got %d namespaces", n)
	}
	clock.at = noon.Add(keepFor)
	if s := c.Stats(); s.Entries != 0 || s.Bytes != 0 || len(c.room.tenants) != 0 || len(c.room.byUse) != 0 {
		t.Errorf("got %+v and %d namespaces", s, len(c.room.tenants))
	}
	for i := range c.buckets {
		if c.buckets[i].Load() != nil {
			t.Error("an entry is left")
		}
	}
}

func TestNamespacesThatAreGoneAreForgottenWithoutAScrape(t *testing.T) {
	clock := &ticking{noon}
	c := New(Options{Bytes: 1 << 20, Now: clock.now})
	for i := range 300 {
		use(t, around(c, fmt.Sprint("shop-", i), &badges{inputs: "x"}), "alice")
	}
	clock.at = noon.Add(keepFor)
	for i := range len(c.buckets) {
		use(t, around(c, "busy", &badges{inputs: "x"}), fmt.Sprint(i))
	}
	if n := len(c.room.tenants); n != 1 {
		t.Errorf("expected the namespace that is left, got %d", n)
	}
}

// wide is a kind whose claims are many.
type wide struct {
	badges
	claims func() map[string]any
}

func (w *wide) Verify(context.Context, *authn.Presented) (*authn.Verified, error) {
	return &authn.Verified{Identity: authz.Identity{Claims: w.claims()}}, nil
}

func TestAnEntryThatTakesMuchIsNotKept(t *testing.T) {
	lists := func(n int) func() map[string]any {
		return func() map[string]any {
			list := []any{}
			for range n {
				list = append(list, map[string]any{})
			}
			return map[string]any{"a": list}
		}
	}
	c := New(Options{Bytes: 256 << 20})
	use(t, around(c, "shop", &wide{badges{inputs: "x"}, lists(4096)}), "large")
	if s := c.Stats(); s.Entries != 0 {
		t.Errorf("an entry of %d bytes is kept", s.Bytes)
	}
	use(t, around(c, "shop", &wide{badges{inputs: "x"}, lists(10)}), "small")
	if s := c.Stats(); s.Entries != 1 {
		t.Errorf("got %+v", s)
	}
}

// What is counted is what the heap grows by, within a quarter.
func TestWhatIsCountedIsWhatItTakes(t *testing.T) {
	for name, claims := range map[string]func() map[string]any{
		"none": func() map[string]any { return nil },
		"a dozen": func() map[string]any {
			m := map[string]any{}
			for i := range 12 {
				m[fmt.Sprint("claim-", i)] = fmt.Sprint("the value of the claim, ", i)
			}
			return m
		},
		"nested": func() map[string]any {
			m := map[string]any{"n": int64(1 << 40), "f": 1.5}
			for i := range 30 {
				m[fmt.Sprint("claim-", i)] = []any{map[string]any{fmt.Sprint("a-", i): fmt.Sprint("b-", i)}, int64(1000 + i)}
			}
			return m
		},
		"a long text": func() map[string]any { return map[string]any{"a": string(make([]byte, 3000))} },
	} {
		t.Run(name, func(t *testing.T) {
			c := New(Options{Bytes: 256 << 20})
			a := around(c, "shop", &wide{badges{inputs: "x"}, claims})
			values := make([]string, 2_000)
			for i := range values {
				values[i] = fmt.Sprint(i)
			}
			before := heapNow()
			for _, value := range values {
				use(t, a, value)
			}
			took := heapNow() - before
			counted := c.Stats().Bytes
			if counted < took*3/4 || counted > took*5/4 {
				t.Errorf("2,000 entries take %d bytes, and %d are counted", took, counted)
			}
			runtime.KeepAlive(values)
		})
	}
}

func heapNow() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc) // #nosec G115 -- a test
}

func TestManyAtOnceUseKeepAndDrop(t *testing.T) {
	c := New(Options{Bytes: int64(100 * sizeOfEntry)})
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 2_000 {
				a := around(c, fmt.Sprint("shop-", (i+g)%3), &badges{inputs: fmt.Sprint(i % 2)})
				value := fmt.Sprint(i * (g + 1) % 130)
				if v := use(t, a, value); v.Identity.Subject != value {
					t.Errorf("expected %s, got %s", value, v.Identity.Subject)
				}
				if i%100 == 0 {
					c.Stats()
				}
			}
		})
	}
	all.Wait()
	s, entries := c.Stats(), 0
	for i := range c.buckets {
		for e := c.buckets[i].Load(); e != nil; e = e.next.Load() {
			entries++
		}
	}
	if s.Entries != entries || s.Hits+s.Misses != 16_000 || s.Bytes > c.room.max || s.Hits == 0 {
		t.Errorf("%d entries are linked, got %+v", entries, s)
	}
}

// fetching is a kind that fetches the state by which it verifies.
type fetching struct {
	badges
	fetched authn.State
}

func (f *fetching) Verify(ctx context.Context, p *authn.Presented) (*authn.Verified, error) {
	f.state = f.fetched
	return f.badges.Verify(ctx, p)
}

func TestWhatAFetchedStateVerifiedIsNotUsedInTheStateBefore(t *testing.T) {
	f := &fetching{badges: badges{inputs: "x"}, fetched: authn.State{1}}
	a := around(New(Options{Bytes: 1 << 20}), "shop", f)
	use(t, a, "alice")
	f.state, f.fetched = authn.State{}, authn.State{} // taken back
	use(t, a, "alice")
	if f.verified != 2 {
		t.Errorf("expected 2 verifications, got %d", f.verified)
	}
}
