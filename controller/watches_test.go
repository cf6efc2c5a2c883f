package controller

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

func TestTheAgeIsThatOfTheWatchLostLongest(t *testing.T) {
	now := noon.Time
	w := newWatches(func() time.Time { return now })
	var fail error
	transport := w.wrap(roundTripper(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, fail
	}))
	open := func(path string) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.test"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := transport.RoundTrip(r)
		if (err != nil) != (fail != nil) {
			t.Fatal(err)
		}
		return resp
	}
	age := func(want time.Duration) {
		t.Helper()
		if got := w.age(); got != want {
			t.Errorf("expected %s, got %s", want, got)
		}
	}
	pass := func(d time.Duration) { now = now.Add(d) }

	pass(time.Second)
	age(time.Second) // nothing was watched since the start
	policies := open("/policies?watch=true")
	secrets := open("/secrets?watch=true")
	open("/lease")
	pass(time.Minute)
	age(0)
	policies.Body.Close()
	policies.Body.Close() // once
	pass(time.Second)
	if _, err := secrets.Body.Read(make([]byte, 1)); err == nil {
		t.Fatal("expected the end")
	}
	pass(2 * time.Second)
	age(3 * time.Second)
	fail = errors.New("connection refused")
	open("/policies?watch=true")
	age(3 * time.Second)
	fail = nil
	open("/policies?watch=true")
	age(2 * time.Second)
	open("/secrets?watch=true")
	age(0)

	pass(time.Hour)
	fail = errors.New("not served yet")
	open("/gateways?watch=true")
	pass(time.Second)
	age(time.Second) // and not an hour
	w.forget("gateways")
	age(0)
}

func TestAWatchThatStillTellsWhatThereIsDoesNotCountAsOpen(t *testing.T) {
	const event, end = `{"type":"ADDED","object":{}}`, `{"type":"BOOKMARK","object":{"metadata":{"annotations":{"k8s.io/initial-events-end":"true"}}}}`
	for name, size := range map[string]int{"byte by byte": 1, "in pieces": 40, "at once": 4096} {
		now := noon.Time
		w := newWatches(func() time.Time { return now })
		stream, told := io.Pipe()
		transport := w.wrap(roundTripper(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Body: stream}, nil
		}))
		r := httptest.NewRequest(http.MethodGet, "https://api.test/policies?watch=true&sendInitialEvents=true", nil)
		resp, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Minute)
		read := func(text string) {
			go func() { _, _ = io.WriteString(told, text) }()
			for got := 0; got < len(text); {
				n, err := resp.Body.Read(make([]byte, size))
				if err != nil {
					t.Fatal(err)
				}
				got += n
			}
		}
		read(event)
		if w.age() != time.Minute {
			t.Errorf("%s: expected it not to be open yet, got age %s", name, w.age())
		}
		read(end)
		if w.age() != 0 {
			t.Errorf("%s: expected it to be open, got age %s", name, w.age())
		}
		resp.Body.Close()
		now = now.Add(time.Second)
		if w.age() != time.Second {
			t.Errorf("%s: expected it to be lost, got age %s", name, w.age())
		}
	}
}

func TestWatchesThatAreCutAgainAndAgainArePaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatches(time.Now)
		begun := 0
		transport := w.wrap(roundTripper(func(*http.Request) (*http.Response, error) {
			begun++
			return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
		}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "https://api.test/policies?watch=true", nil)
		for {
			resp, err := transport.RoundTrip(r)
			if err != nil {
				break // too late for another one
			}
			resp.Body.Close()
		}
		if begun < watchBurst+29 || begun > watchBurst+30 {
			t.Errorf("expected %d and one every two seconds, got %d in a minute", watchBurst, begun)
		}
		r = httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.test/secrets?watch=true", nil)
		start := time.Now()
		if _, err := transport.RoundTrip(r); err != nil || time.Since(start) != 0 {
			t.Errorf("expected another watch not to wait, got %s, %v", time.Since(start), err)
		}
	})
}
