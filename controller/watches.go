package controller

import (
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/util/flowcontrol"
)

// watches knows since when the API server has not been watched. It sees that
// where every watch passes: informers tell of failures, but not of their end.
type watches struct {
	clock func() time.Time
	mu    sync.Mutex
	start time.Time
	of    map[string]*watch // by path, which has resource and namespace
}

type watch struct {
	open int
	lost time.Time // while none is open
	pace flowcontrol.RateLimiter
}

// How often one watch is begun: at most watchBurst times at once, and then
// watchesPerSecond. The informers wait longer after most failures, but not
// after a watch that told something and was cut: they read all there is again,
// as fast as they can.
const (
	watchBurst       = 5
	watchesPerSecond = 0.5
)

func newWatches(clock func() time.Time) *watches {
	return &watches{clock: clock, start: clock(), of: map[string]*watch{}}
}

// age is how long the watch has been lost that has been lost longest.
func (w *watches) age() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.clock()
	var age time.Duration
	if len(w.of) == 0 {
		age = now.Sub(w.start)
	}
	for _, one := range w.of {
		if one.open == 0 {
			age = max(age, now.Sub(one.lost))
		}
	}
	return age
}

func (w *watches) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.URL.Query().Get("watch") != "true" {
			return next.RoundTrip(r)
		}
		one := w.at(r.URL.Path)
		if err := one.pace.Wait(r.Context()); err != nil {
			return nil, err
		}
		resp, err := next.RoundTrip(r)
		if err != nil || resp.StatusCode != http.StatusOK {
			return resp, err
		}
		body := &watchBody{ReadCloser: resp.Body, watches: w, of: one, telling: r.URL.Query().Get("sendInitialEvents") == "true"}
		if !body.telling {
			w.move(body, watchOpen)
		}
		resp.Body = body
		return resp, nil
	})
}

// forget leaves out the watches of a resource that is not there any more.
func (w *watches) forget(resource string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	maps.DeleteFunc(w.of, func(path string, _ *watch) bool { return strings.HasSuffix(path, "/"+resource) })
}

// at is the watch of a path; a new one has been lost until it opens.
func (w *watches) at(path string) *watch {
	w.mu.Lock()
	defer w.mu.Unlock()
	one := w.of[path]
	if one == nil {
		one = &watch{lost: w.clock(), pace: flowcontrol.NewTokenBucketRateLimiter(watchesPerSecond, watchBurst)}
		w.of[path] = one
	}
	return one
}

func (w *watches) move(b *watchBody, to watchState) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if b.state >= to {
		return
	}
	if to == watchOpen {
		b.of.open++
	} else if b.state == watchOpen {
		if b.of.open--; b.of.open == 0 {
			b.of.lost = w.clock()
		}
	}
	b.state = to
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
