//go:build e2e && !quick

package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// Five kinds may be read (policies, Secrets, ConfigMaps, CRDs and, once Gateway API was there, Namespaces), each
// in one of two ways; a second round is allowed where a change came in between.
const relistsAtMost = 20

func TestAWatchThatExpiredIsBegunAnewAndNothingIsOutOfForceMeanwhile(t *testing.T) {
	k := useKube(t)
	ns := k.namespace(t, "expired")
	key := credential("cluster-api-key-while-watches-expire")
	k.apply(t, keysOn(ns, "kept", "kept.expired.test", key))
	a := k.behindProxy(t, "one", nil)
	answers(t, soon, a.Agentauth, "kept.expired.test", key, 0)
	k.wait(t, ns, "kept", "Ready")
	stop := steadily(t, a, "kept.expired.test", key)
	defer stop()

	before := a.lists()
	k.apply(t, publicOn(ns, "single", "single.expired.test", ""))
	answers(t, soon, a.Agentauth, "single.expired.test", "", 0)
	k.kubectl(t, "", "delete", "aap", "single", "-n", ns)
	answers(t, soon, a.Agentauth, "single.expired.test", "", 403)
	if after := a.lists(); after != before {
		t.Errorf("a single change read everything again: %d lists became %d", before, after)
	}

	for i, way := range []struct{ name, event string }{
		{"a watch is refused", ""},
		{"an open watch says so", `{"type":"ERROR","object":` + gone + `}`},
	} {
		t.Run(way.name, func(t *testing.T) {
			within(t, time.Minute, "that all is watched", func() error { return aged(t, a.Agentauth, 0) })
			before := a.lists()
			// No watch goes on where another ended, until a change was made that no watch tells of.
			a.proxy.Do(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				if parts.APIRequest.Watches(parts.APIRequest{URL: r.URL}) && r.URL.Query().Get("resourceVersion") != "" {
					respond(w, http.StatusGone, gone)
					return
				}
				next.ServeHTTP(w, r)
			})
			if n := a.proxy.EndWatches(way.event); n < 4 {
				t.Fatalf("expected at least four open watches, got %d", n)
			}
			name := fmt.Sprint("new-", i)
			k.apply(t, publicOn(ns, name, name+".expired.test", ""))
			within(t, time.Minute, "a list", func() error {
				if a.lists() == before {
					return fmt.Errorf("got none")
				}
				return nil
			})
			a.proxy.Do(nil)
			answers(t, time.Minute, a.Agentauth, name+".expired.test", "", 0)
			k.wait(t, ns, name, "Ready")
			if n := a.lists() - before; n > relistsAtMost {
				t.Errorf("expected at most %d lists, got %d", relistsAtMost, n)
			}
		})
	}
	within(t, time.Minute, "age 0", func() error { return aged(t, a.Agentauth, 0) })
}

// aged says whether what is in force is of an age of at least so many seconds; 0 is watched now.
func aged(t tester, a *parts.Agentauth, least float64) error {
	age := gauge(t, a, "agentauth_config_age_seconds")
	if age < least || least == 0 && age > 0 {
		return fmt.Errorf("got age %v", age)
	}
	return nil
}

func TestAnAPIServerThatIsGoneIsTriedLessAndLess(t *testing.T) {
	k := useKube(t)
	ns := k.namespace(t, "refused")
	key := credential("cluster-api-key-while-all-is-refused")
	k.apply(t, keysOn(ns, "kept", "kept.refused.test", key))
	a := k.behindProxy(t, "one", nil)
	answers(t, soon, a.Agentauth, "kept.refused.test", key, 0)
	stop := steadily(t, a, "kept.refused.test", key)
	defer stop()
	a.proxy.Refuse(true)
	within(t, 2*time.Minute, "20 s of it", func() error { return aged(t, a.Agentauth, 20) })
	n := a.proxy.Refused()
	t.Logf("%d connections were tried", n)
	if n < 5 || n > 200 {
		t.Errorf("expected five kinds and a lease to be tried again, each less than twice a second, got %d connections", n)
	}
	k.apply(t, publicOn(ns, "new", "new.refused.test", ""))
	answers(t, soon, a.Agentauth, "new.refused.test", "", 403)
	a.proxy.Refuse(false)
	answers(t, 2*time.Minute, a.Agentauth, "new.refused.test", "", 0)
	k.wait(t, ns, "new", "Ready")
	within(t, 2*time.Minute, "age 0", func() error { return aged(t, a.Agentauth, 0) })
}

func TestASlowAPIServerDelaysReadinessAndChangesAndNoCheck(t *testing.T) {
	k := useKube(t)
	ns := k.namespace(t, "slow")
	key := credential("cluster-api-key-of-a-slow-cluster")
	k.apply(t, keysOn(ns, "kept", "kept.slow.test", key))
	const delay = 3 * time.Second
	began := time.Now()
	a := k.behindProxy(t, "one", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		select {
		case <-time.After(delay):
			next.ServeHTTP(trickle{w}, r)
		case <-r.Context().Done():
		}
	})
	if ready := time.Since(began); ready < delay {
		t.Errorf("expected to be ready after the first answer of the API server, got %s", ready)
	}
	stop := steadily(t, a, "kept.slow.test", key)
	defer stop()
	k.apply(t, publicOn(ns, "new", "new.slow.test", ""))
	answers(t, time.Minute, a.Agentauth, "new.slow.test", "", 0)
	k.wait(t, ns, "new", "Ready")
	a.proxy.EndWatches("")
	k.apply(t, publicOn(ns, "newer", "newer.slow.test", ""))
	answers(t, time.Minute, a.Agentauth, "newer.slow.test", "", 0)
}

// trickle writes in small pieces, with pauses.
type trickle struct{ http.ResponseWriter }

func (w trickle) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w trickle) Write(b []byte) (int, error) {
	for rest, piece := b, max(1, len(b)/8); len(rest) > 0; {
		n := min(piece, len(rest))
		if _, err := w.ResponseWriter.Write(rest[:n]); err != nil {
			return 0, err
		}
		_ = http.NewResponseController(w.ResponseWriter).Flush() // the next write tells
		rest = rest[n:]
		time.Sleep(30 * time.Millisecond)
	}
	return len(b), nil
}
