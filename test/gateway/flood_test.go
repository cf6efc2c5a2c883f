//go:build e2e && linux

package gateway

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// stream is a request that is sent again and again. It comes to the upstream as this agent's or, as where there is
// none, never.
type stream struct {
	request
	agent string
}

// flood sends streams until what it returns is called. Whoever refuses them is one of refusers: policies as
// namespace/name, and reasons where no policy does.
func (s *stage) flood(t *testing.T, refusers []string, streams ...stream) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	log, err := os.Open(s.agentauth.Log)
	must(t, err)
	_, err = log.Seek(0, io.SeekEnd)
	must(t, err)
	var traffic sync.WaitGroup
	var sent, through, wrong atomic.Int64
	for _, one := range streams {
		traffic.Go(func() {
			for ctx.Err() == nil {
				a, err := s.try(ctx, one.request)
				if ctx.Err() != nil {
					return
				}
				sent.Add(1)
				if err != nil {
					t.Errorf("%s: %v", one.target, err)
					return
				}
				if a.status != http.StatusOK {
					continue
				}
				through.Add(1)
				if got := a.echo.Headers.Values("x-agent-id"); one.agent == "" || !slices.Equal(got, []string{one.agent}) {
					wrong.Add(1)
					t.Errorf("%s %q: expected no answer but to %q, got %d to %q", one.target, one.headers, one.agent, a.status, got)
				}
			}
		})
	}
	return func() {
		t.Helper()
		cancel()
		traffic.Wait()
		defer log.Close()
		written, err := io.ReadAll(log)
		must(t, err)
		refused := s.refusers(written, streams)
		for by, n := range refused {
			if !slices.Contains(refusers, by) {
				wrong.Add(int64(n))
				t.Errorf("%d requests were refused by %s, expected only %q", n, by, refusers)
			}
		}
		t.Logf("%d requests, %d let through, the others refused by %v; %d wrong", sent.Load(), through.Load(), refused, wrong.Load())
		if sent.Load() < 20 {
			t.Errorf("expected traffic, sent %d requests", sent.Load())
		}
	}
}

// refusers counts by whom the log says that requests of streams were refused.
func (s *stage) refusers(log []byte, streams []stream) map[string]int {
	refused := map[string]int{}
	for line := range bytes.Lines(log) {
		var record struct{ Host, Path, Policy, Reason string }
		if json.Unmarshal(line, &record) == nil && record.Reason != "" && slices.ContainsFunc(streams, func(one stream) bool {
			return one.target == record.Host+record.Path
		}) {
			refused[cmp.Or(record.Policy, record.Reason)]++
		}
	}
	return refused
}
