//go:build e2e && !quick

package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/test/parts"
)

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

// No path is asked for more often than askedAtMost times in the time of pace: a watch five times and then every
// other second, a list after each, with growing waits, and some for what the test begins with.
const (
	pace        = 6 * time.Second
	askedAtMost = 20
)

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
			if path, n := a.busiest(pace); n > askedAtMost {
				t.Errorf("expected at most %d requests in %s, got %d of %s", askedAtMost, pace, n, path)
			}
		})
	}
}
