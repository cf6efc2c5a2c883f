package parts

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// Stream is a request that is sent a way again and again. It comes to the upstream with the agent in x-agent-id or
// not at all; without an agent never.
type Stream struct {
	Way
	Request
	Agent string
}

// Flood sends streams until what it returns is called. That one comes to the upstream otherwise, or gets no answer,
// fails the test.
func Flood(t *testing.T, streams ...Stream) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var traffic sync.WaitGroup
	var sent, through atomic.Int64
	for _, s := range streams {
		traffic.Go(func() {
			for ctx.Err() == nil {
				a, err := s.Ask(ctx, s.Request)
				if ctx.Err() != nil {
					return
				}
				sent.Add(1)
				passed := err == nil && a.Status == http.StatusOK
				got := a.Echo.Headers.Values("x-agent-id")
				if err != nil || passed && (s.Agent == "" || !slices.Equal(got, []string{s.Agent})) {
					t.Errorf("%s %q: expected no answer but to %q, got %d to %q: %s, %v", s.Target, s.Headers, s.Agent, a.Status, got, a.Body, err)
					return
				}
				if passed {
					through.Add(1)
				}
			}
		})
	}
	return func() {
		t.Helper()
		cancel()
		traffic.Wait()
		t.Logf("%d requests, %d let through", sent.Load(), through.Load())
		if sent.Load() < 20 {
			t.Errorf("expected traffic, sent %d requests", sent.Load())
		}
	}
}
