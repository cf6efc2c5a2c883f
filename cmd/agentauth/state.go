package main

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/agentauth-dev/agentauth/authz/engine"
)

// state is what the probes tell: whether to send requests here, and what is
// wrong with the policies.
type state struct {
	mu       sync.Mutex
	ready    bool
	stopping bool
	// refused says why the last load is not in force, and since when.
	refused []string
	since   time.Time
	// problems of what is in force.
	problems []string
	// schema, in a cluster, is what is wrong with the CRD of policies.
	schema string
	// keySets are set before the first request.
	keySets func() []engine.RemoteStatus
	// behind, in a cluster, is for how long the API server was not watched;
	// what is more than maxAge, if that is not 0, decides nothing. Both are set
	// before the first request.
	behind func() time.Duration
	maxAge time.Duration
}

func (s *state) set(change func(*state)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

// age is for how long what is in force has not been what the source says.
func (s *state) age() float64 {
	if s.behind != nil {
		return s.behind().Seconds()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.since.IsZero() {
		return 0
	}
	return time.Since(s.since).Seconds()
}

// stale says whether what is in force is too old to decide by.
func (s *state) stale() bool { return s.maxAge > 0 && s.behind != nil && s.behind() > s.maxAge }

// serving says whether requests may be sent here.
func (s *state) serving() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ready && !s.stopping && !s.stale()
}

// readyz answers 200 when requests may be sent here; ?verbose says more, with
// file and line but never contents.
func (s *state) readyz(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	status, word := http.StatusOK, "ready"
	switch {
	case s.stopping:
		status, word = http.StatusServiceUnavailable, "stopping"
	case !s.ready:
		status, word = http.StatusServiceUnavailable, "not ready: policies and keys are being loaded"
	case s.stale():
		status, word = http.StatusServiceUnavailable, "not ready: what is in force is older than --max-config-age"
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintln(w, word)
	if !r.URL.Query().Has("verbose") {
		return
	}
	if s.behind != nil && s.behind() > time.Second {
		fmt.Fprintf(w, "the API server has not been watched for %s; what was known before is in force\n", s.behind().Round(time.Second))
	}
	if s.schema != "" {
		fmt.Fprintln(w, s.schema)
	}
	if len(s.refused) > 0 {
		fmt.Fprintf(w, "the last load was refused %s ago; what was loaded before is in force:\n", time.Since(s.since).Round(time.Second))
		fmt.Fprintln(w, strings.Join(s.refused, "\n"))
	}
	if len(s.problems) > 0 {
		fmt.Fprintf(w, "in force, with problems:\n%s\n", strings.Join(s.problems, "\n"))
	}
	for _, k := range s.keySets() {
		fmt.Fprintf(w, "keys of %s: %d held", cmp.Or(k.Issuer, k.URL), k.Keys)
		if k.Error != "" {
			fmt.Fprintf(w, "; the last attempt failed: %s", k.Error)
		}
		fmt.Fprintln(w)
	}
}
