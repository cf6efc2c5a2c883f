package jwks

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agentauth-dev/agentauth/authz/work"
)

// large is a key set of 1 MiB.
func large() Answer {
	body := string(good("a").Body)
	return page(body + strings.Repeat(" ", maxBytes-len(body)))
}

func TestKeySetsOfATenantLeaveMemoryForAnother(t *testing.T) {
	p, small := &provider{answer: large()}, &provider{answer: good("a")}
	synctest.Test(t, func(t *testing.T) {
		p256()
		shared := NewShared()
		set := func(p *provider, tenant string) *Remote {
			r := NewRemote(Config{URL: "u", Fetch: p.fetch, Shared: shared, Tenant: func() string { return tenant }})
			r.Start()
			time.Sleep(time.Millisecond)
			return r
		}
		var hostile []*Remote
		held := 0
		for i := range 300 {
			r := set(p, fmt.Sprint("hostile-", i%2))
			defer r.Close()
			hostile = append(hostile, r)
			if held += r.Status().Keys; r.Status().Keys == 0 && !strings.Contains(r.Status().Error, "use fewer or smaller sets") {
				t.Fatal(r.Status().Error)
			}
		}
		if held < 160 || held > 171 { // two thirds
			t.Errorf("%d sets of 1 MiB are held", held)
		}
		victim := set(small, "victim")
		defer victim.Close()
		want(t, victim, "a", "ok")
		for _, r := range hostile {
			r.Close()
		}
		victim.Close()
		synctest.Wait()
		if taken, tenants := shared.memory.Taken(); taken != 0 || tenants != 0 {
			t.Errorf("memory is left behind: %d", taken)
		}
	})
}

func TestARefreshThatFindsNoMemoryKeepsTheKeys(t *testing.T) {
	p := &provider{answer: good("a")}
	bubble(t, p, func(t *testing.T, r *Remote) {
		want(t, r, "a", "ok")
		held, _ := r.config.Shared.memory.Taken()
		if !r.config.Shared.memory.Exchange(work.Part{}, work.Part{Tenant: "another", Amount: maxHeld - held}) {
			t.Fatal("another tenant could not take what is free")
		}
		p.set(page(string(good("a", "b").Body)+"  "), nil)
		want(t, r, "b", "unknown")
		want(t, r, "a", "ok")
		if s := r.Status(); s.Keys != 1 || !strings.Contains(s.Error, "bytes") {
			t.Errorf("got %+v", s)
		}
	})
}

// What a key set takes is estimated by its text and the number of its keys.
func TestTheKeysOfASetTakeNoMoreMemoryThanIsCounted(t *testing.T) {
	many := func(jwk func(i int) string) []byte {
		var all []string
		for i := range maxKeys {
			all = append(all, jwk(i))
		}
		return []byte(setOf(all...))
	}
	for name, body := range map[string][]byte{
		"RSA":       many(func(i int) string { return jwkOf(fmt.Sprint(i), &rsa2048().PublicKey) }),
		"long kids": many(func(i int) string { return jwkOf(strings.Repeat("k", 3000)+fmt.Sprint(i), &p256().PublicKey) }),
	} {
		var sets []*index
		measure := func() uint64 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		before := measure()
		const n = 20
		for range n {
			keys, _, err := Parse(body)
			if err != nil {
				t.Fatal(err)
			}
			sets = append(sets, newIndex(keys))
		}
		took, counted := (measure()-before)/n, uint64(len(body)+maxKeys*bytesOfKey)
		runtime.KeepAlive(sets)
		if took > counted {
			t.Errorf("%s: %d bytes, and %d are counted", name, took, counted)
		}
	}
}

func TestAnswersAreReadInTurnsByTenant(t *testing.T) {
	p := &provider{answer: good("a")}
	synctest.Test(t, func(t *testing.T) {
		p256()
		shared := NewShared()
		var overloaded atomic.Int64
		for range 100 { // answers of a hostile tenant that take long to read
			go func() {
				task := work.Task{Owner: work.Owner{Namespace: "hostile"}}
				if errors.Is(shared.reading.Do(context.Background(), task, func() { time.Sleep(time.Second) }), work.ErrOverloaded) {
					overloaded.Add(1)
				}
			}()
		}
		synctest.Wait()
		r := NewRemote(Config{URL: "u", Fetch: p.fetch, Shared: shared, Tenant: func() string { return "victim" }})
		defer r.Close()
		r.Start()
		time.Sleep(1500 * time.Millisecond)
		want(t, r, "a", "ok")
		if n := overloaded.Load(); n < 60 {
			t.Errorf("%d answers of 1 MiB wait to be read", 100-n)
		}
		time.Sleep(time.Minute)
	})
}
