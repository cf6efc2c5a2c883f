package telemetry

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/agentauth-dev/agentauth/authz/engine"
)

// Readiness is what the probes say: whether to send requests here, and what is
// wrong with the policies. The zero value is not ready. The exported fields are
// set before the first request.
type Readiness struct {
	// KeySets lists the key sets that policies name.
	KeySets func() []engine.RemoteStatus
	// Behind, in a cluster, is for how long what is in force may not have been all
	// that the API server says. Causes, if not nil, are why, and what is left out.
	Behind func() time.Duration
	Causes func() []string
	// MaxAge is how much of Behind is too much to decide by; 0 is no limit.
	MaxAge time.Duration

	mu              sync.Mutex
	ready, stopping bool
	// refused are the problems of the last load, where it is not in force, and
	// since is when the first such load was.
	refused []string
	since   time.Time
	// problems are those of what is in force.
	problems []string
	// schema, in a cluster, is what is wrong with the CRD of policies.
	schema string
}

// Ready says that the first load is in force.
func (s *Readiness) Ready() { s.set(func() { s.ready = true }) }

// Stopping says that the process ends: no more requests, please.
func (s *Readiness) Stopping() { s.set(func() { s.stopping = true }) }

// InForce says that the last load is in force, with problems.
func (s *Readiness) InForce(problems []string) {
	s.set(func() { s.refused, s.since, s.problems = nil, time.Time{}, problems })
}

// Refused says that the last load is not in force, because of problems.
func (s *Readiness) Refused(problems []string) {
	s.set(func() {
		s.refused = problems
		if s.since.IsZero() {
			s.since = time.Now()
		}
	})
}

// Schema says what is wrong with the CRD of policies; "" is nothing.
func (s *Readiness) Schema(problem string) { s.set(func() { s.schema = problem }) }

func (s *Readiness) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// Age is for how long what is in force has not been what the source says.
func (s *Readiness) Age() time.Duration {
	if s.Behind != nil {
		return s.Behind()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.since.IsZero() {
		return 0
	}
	return time.Since(s.since)
}

// Stale says whether what is in force is too old to decide by.
func (s *Readiness) Stale() bool { return s.MaxAge > 0 && s.Behind != nil && s.Behind() > s.MaxAge }

// Serving says whether requests may be sent here.
func (s *Readiness) Serving() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ready && !s.stopping && !s.Stale()
}

// ServeHTTP answers /readyz: 200 when requests may be sent here. ?verbose adds
// what is wrong, with file and line but never contents.
func (s *Readiness) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var text bytes.Buffer
	status := s.write(&text, r.URL.Query().Has("verbose"))
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = text.WriteTo(w) // who asked hung up
}

// write writes the answer to a buffer: whoever reads it slowly must not hold the lock,
// which loads take.
func (s *Readiness) write(w *bytes.Buffer, verbose bool) (status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	status, word := s.word()
	fmt.Fprintln(w, word)
	if verbose {
		s.writeProblems(w)
		s.writeKeySets(w)
	}
	return status
}

func (s *Readiness) word() (status int, word string) {
	switch {
	case s.stopping:
		return http.StatusServiceUnavailable, "stopping"
	case !s.ready:
		return http.StatusServiceUnavailable, "not ready: policies and keys are being loaded"
	case s.Stale():
		return http.StatusServiceUnavailable, "not ready: what is in force is older than --max-config-age"
	}
	return http.StatusOK, "ready"
}

func (s *Readiness) writeProblems(w io.Writer) {
	if s.Behind != nil && s.Behind() > time.Second {
		fmt.Fprintf(w, "what is in force is %s behind the API server\n", s.Behind().Round(time.Second))
	}
	if s.Causes != nil {
		for _, cause := range s.Causes() {
			fmt.Fprintln(w, cause)
		}
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
}

func (s *Readiness) writeKeySets(w io.Writer) {
	if s.KeySets == nil {
		return
	}
	for _, k := range s.KeySets() {
		fmt.Fprintf(w, "keys of %s: %d held", cmp.Or(k.Issuer, k.URL), k.Keys)
		if k.Error != "" {
			fmt.Fprintf(w, "; the last attempt failed: %s", k.Error)
			if wait := time.Until(k.Next); wait > 0 {
				fmt.Fprintf(w, "; the next one is in %s", wait.Round(time.Second))
			}
		}
		fmt.Fprintln(w)
	}
}
