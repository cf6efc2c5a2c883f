package controller

import (
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"
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
}

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
		path := r.URL.Path
		w.change(path, 0)
		resp, err := next.RoundTrip(r)
		if err != nil || resp.StatusCode != http.StatusOK {
			return resp, err
		}
		w.change(path, 1)
		resp.Body = &watchBody{ReadCloser: resp.Body, ended: sync.OnceFunc(func() { w.change(path, -1) })}
		return resp, nil
	})
}

// forget leaves out the watches of a resource that is not there any more.
func (w *watches) forget(resource string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	maps.DeleteFunc(w.of, func(path string, _ *watch) bool { return strings.HasSuffix(path, "/"+resource) })
}

func (w *watches) change(path string, open int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	one := w.of[path]
	if one == nil && open < 0 {
		return // it was forgotten
	}
	if one == nil {
		one = &watch{lost: w.start}
		w.of[path] = one
	}
	if one.open += open; one.open == 0 && open < 0 {
		one.lost = w.clock()
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// watchBody is a watch that is open until it was read to its end, or closed.
type watchBody struct {
	io.ReadCloser
	ended func()
}

func (b *watchBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.ended()
	}
	return n, err
}

func (b *watchBody) Close() error {
	b.ended()
	return b.ReadCloser.Close()
}
