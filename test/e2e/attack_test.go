//go:build e2e

package e2e

import (
	"slices"
	"strings"
	"testing"
)

// attack is a request that must never reach the upstream.
type attack struct {
	what string
	wire
	want []int  // the statuses it may be refused with; nil is 400. Envoy may also hang up on what it cannot read
	ways string // only ways whose name contains this
}

func refused(statuses ...int) []int { return statuses }

// resist sends every attack along every way.
func resist(t *testing.T, attacks []attack) {
	t.Helper()
	s := suite.use(t)
	for _, a := range attacks {
		t.Run(a.what, func(t *testing.T) {
			want := a.want
			if want == nil {
				want = refused(400)
			}
			for _, w := range s.ways() {
				if !strings.Contains(w.name, a.ways) {
					continue
				}
				before := s.upstream.Count()
				got := w.send(t, a.wire)
				if s.upstream.Count() != before {
					t.Errorf("%s: reached the upstream: %s", w.name, got.body)
				}
				if got.status != 0 && !slices.Contains(want, got.status) {
					t.Errorf("%s: expected %v, got %d: %s", w.name, want, got.status, got.body)
				}
			}
		})
	}
}

// harmless is a request that is let through without what is bad in it.
type harmless struct {
	what string
	wire
	never string            // what the upstream must see nowhere
	shows map[string]string // headers it must see; "" is none
	path  string            // the path it must see; default: as sent
	ways  string
}

func disarm(t *testing.T, all []harmless) {
	t.Helper()
	s := suite.use(t)
	for _, h := range all {
		t.Run(h.what, func(t *testing.T) {
			for _, w := range s.ways() {
				if !strings.Contains(w.name, h.ways) {
					continue
				}
				got := w.send(t, h.wire)
				seen := got.echo(t)
				if h.never != "" && strings.Contains(got.body, h.never) {
					t.Errorf("%s: the upstream saw %q: %s", w.name, h.never, got.body)
				}
				path := h.path
				if path == "" {
					path = h.target
				}
				if seen.Path != path {
					t.Errorf("%s: expected the upstream to see the path %q, it saw %q", w.name, path, seen.Path)
				}
				for name, value := range h.shows {
					if got := strings.Join(seen.Headers.Values(name), " | "); got != value {
						t.Errorf("%s: expected the upstream to see %s: %q, it saw %q", w.name, name, value, got)
					}
				}
			}
		})
	}
}
