package parts

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// Flood sends two requests again and again until what it returns is called. The good one comes to the upstream with
// the agent in x-agent-id or not at all, the bad one never: else the test fails.
func (w Way) Flood(t *testing.T, agent string, good, bad Request) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var traffic sync.WaitGroup
	var sent atomic.Int64
	for i, r := range []Request{good, bad} {
		traffic.Go(func() {
			for ctx.Err() == nil {
				a, err := w.Ask(ctx, r)
				if ctx.Err() != nil {
					return
				}
				sent.Add(1)
				decided := i == 0 && slices.Equal(a.Echo.Headers.Values("x-agent-id"), []string{agent})
				if err != nil || a.Status == http.StatusOK && !decided {
					t.Errorf("%s, %q: got %d: %s, %v", r.Target, r.Headers, a.Status, a.Body, err)
					return
				}
			}
		})
	}
	return func() {
		cancel()
		traffic.Wait()
		if sent.Load() < 20 {
			t.Errorf("expected traffic, sent %d requests", sent.Load())
		}
	}
}
