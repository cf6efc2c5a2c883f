//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
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
	k.wait(t, ns, "kept", "Programmed")
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
			k.wait(t, ns, name, "Programmed")
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
	k.wait(t, ns, "new", "Programmed")
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

// cut answers with the first half of what the API server says.
func cut(w http.ResponseWriter, r *http.Request, next http.Handler) {
	whole := httptest.NewRecorder()
	next.ServeHTTP(whole, r)
	respond(w, whole.Code, whole.Body.String()[:whole.Body.Len()/2])
	panic(http.ErrAbortHandler)
}

// cutEvents ends a watch in the middle of what it says first.
func cutEvents(w http.ResponseWriter, r *http.Request, next http.Handler) {
	next.ServeHTTP(&half{ResponseWriter: w}, r)
}

type half struct{ http.ResponseWriter }

func (w half) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w half) Write(b []byte) (int, error) {
	_, _ = w.ResponseWriter.Write(b[:len(b)*2/3]) // the client may be gone
	panic(http.ErrAbortHandler)
}

// pace is the time over which attempts are counted.
const pace = 6 * time.Second

func TestHalfAnswersAreNoAnswers(t *testing.T) {
	k := useKube(t)
	ns := k.namespace(t, "half")
	key := credential("cluster-api-key-beside-half-answers")
	k.apply(t, keysOn(ns, "kept", "kept.half.test", key))
	const html = "<!doctype html><title>Sign in</title><p>This network needs you to sign in."
	refuseEvents := func(then parts.Fault) parts.Fault { // so that the client lists
		return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if r.URL.Query().Get("watch") != "" {
				respond(w, http.StatusUnprocessableEntity, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Invalid","code":422}`)
				return
			}
			then(w, r, next)
		}
	}
	say := func(status int, body string, headers ...string) parts.Fault {
		return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { respond(w, status, body, headers...) }
	}
	faults := map[string]parts.Fault{
		"a list is cut":        refuseEvents(cut),
		"first events are cut": cutEvents,
		"500":                  say(http.StatusInternalServerError, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"InternalError","code":500}`),
		"429":                  say(http.StatusTooManyRequests, "", "Retry-After", "1"),
		"HTML with 200":        say(http.StatusOK, html, "Content-Type", "text/html"),
		"HTML as JSON":         say(http.StatusOK, html),
		"HTML for a list":      refuseEvents(say(http.StatusOK, html)),
	}
	replicas := map[string]*behind{}
	for name := range faults {
		replicas[name] = k.behindProxy(t, name, nil)
	}
	for name, fault := range faults {
		a := replicas[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answers(t, soon, a.Agentauth, "kept.half.test", key, 0)
			stop := steadily(t, a, "kept.half.test", key)
			defer stop()
			host := label(name) + ".half.test"
			a.proxy.Do(fault)
			before, began := a.lists(), time.Now()
			a.proxy.EndWatches(`{"type":"ERROR","object":` + gone + `}`)
			k.apply(t, publicOn(ns, label(name), host, ""))
			within(t, time.Minute, "attempts", func() error {
				if n := a.lists() - before; n < 12 || time.Since(began) < pace {
					return fmt.Errorf("got %d", n)
				}
				return nil
			})
			answers(t, soon, a.Agentauth, host, "", 403) // it could not be known
			a.proxy.Do(nil)
			answers(t, 2*time.Minute, a.Agentauth, host, "", 0)
			path, n := a.busiest(pace)
			t.Logf("%d lists; the busiest was %s: %d in %s", a.lists()-before, path, n, pace)
		})
	}
}
