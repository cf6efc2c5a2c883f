package telemetry

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Liveness answers /healthz: 503 once something inside the process is stuck that
// nothing but a restart ends. What others do is no sign of it: whoever adds a signal
// takes one that no outage elsewhere and no load can give, and a limit far above what
// the work takes on a machine that is busy. The zero value has no signals, and is
// alive.
type Liveness struct {
	mu      sync.Mutex
	signals []*signal
}

// signal is one sign of being stuck.
type signal struct {
	name  string
	limit time.Duration
	// busy is for how long the same piece of work has been under way.
	busy func() time.Duration
}

// Watch adds work that is stuck once one piece of it has been under way for longer than
// limit; busy is for how long the present one has, 0 for none.
func (l *Liveness) Watch(name string, limit time.Duration, busy func() time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.signals = append(l.signals, &signal{name, limit, busy})
}

// Probe runs a probe again and again until ctx ends, with a pause between two. The
// probe is stuck once it has not returned for longer than limit, or has returned only
// errors for that long.
func (l *Liveness) Probe(ctx context.Context, name string, pause, limit time.Duration, probe func(context.Context) error) {
	var mu sync.Mutex
	well := time.Now()
	l.Watch(name, limit, func() time.Duration {
		mu.Lock()
		defer mu.Unlock()
		return time.Since(well)
	})
	go func() {
		timer := time.NewTimer(0)
		defer timer.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
			}
			if probe(ctx) == nil {
				mu.Lock()
				well = time.Now()
				mu.Unlock()
			}
			timer.Reset(pause)
		}
	}()
}

// Stuck says what is stuck, and for how long; empty if nothing is.
func (l *Liveness) Stuck() (out []string) {
	l.mu.Lock()
	signals := slices.Clone(l.signals)
	l.mu.Unlock()
	for _, s := range signals {
		if busy := s.busy(); busy > s.limit {
			out = append(out, fmt.Sprintf("stuck: %s for %s, expected at most %s; a restart is needed, and a defect of agentauth is to be reported with the goroutines of --pprof-address", s.name, busy.Round(time.Second), s.limit))
		}
	}
	return out
}

// ServeHTTP implements [http.Handler].
func (l *Liveness) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if stuck := l.Stuck(); len(stuck) > 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintln(w, strings.Join(stuck, "\n"))
		return
	}
	fmt.Fprintln(w, "ok")
}
