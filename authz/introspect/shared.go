package introspect

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/agentauth-dev/agentauth/authz/work"
)

const (
	// maxWaiters are the checks that may wait for all servers: well below the bound
	// that a proxy has for the requests of all tenants (Envoy: 1,024). A tenant may
	// have as many as are free beside its own.
	maxWaiters        = 384
	maxCallsPerServer = 128

	readAtOnce = 4 << 10 // bytes of an answer that waits for no turn
	readers    = 2       // of larger ones; one tenant has one of them
)

// Outcome is how a request ended.
type Outcome string

// Outcomes. The last six are no answer.
const (
	Active    Outcome = "active"
	Inactive  Outcome = "inactive"
	Refused   Outcome = "refused"   // the server does not take agentauth as its client
	Malformed Outcome = "malformed" // 200, and no sound answer
	Late      Outcome = "late"      // no answer in time
	Failed    Outcome = "failed"    // no connection, another status, a redirect, an answer that is too large
	Crowded   Outcome = "crowded"   // not sent, or not read: too many wait
	Abandoned Outcome = "abandoned" // the callers hung up before there was an answer
)

// Outcomes lists all of them.
func Outcomes() []Outcome {
	return []Outcome{Active, Inactive, Refused, Malformed, Late, Failed, Crowded, Abandoned}
}

// counts are the outcomes of the requests to an endpoint.
type counts struct {
	servers int // under the mu of the Shared
	by      map[Outcome]*atomic.Uint64
}

func (c *counts) add(o Outcome) { c.by[o].Add(1) }

// Shared is what the servers of a process share.
type Shared struct {
	// Waited, if not nil, learns of checks that waited for an answer. It is set before
	// the first of them.
	Waited work.Waited
	// waiters are places for checks that wait.
	waiters *work.Quota

	mu      sync.Mutex
	counted map[string]*counts

	inactive, active recent
	// reading gives turns to read large answers, and to sign by RSA.
	reading *work.Scheduler
}

// NewShared returns a Shared for the servers of a process.
func NewShared() *Shared {
	return &Shared{
		waiters: work.NewQuota(maxWaiters), counted: map[string]*counts{},
		inactive: newRecent(), active: newRecent(),
		reading: work.New(work.Options{Slots: readers, MaxWaiting: maxWaiters, MaxWaitingPerOwner: maxWaiters}),
	}
}

// enter returns the counts of an endpoint, which go on while it has a server.
func (s *Shared) enter(endpoint string) *counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counted[endpoint]
	if c == nil {
		c = &counts{by: map[Outcome]*atomic.Uint64{}}
		for _, o := range Outcomes() {
			c.by[o] = new(atomic.Uint64)
		}
		s.counted[endpoint] = c
	}
	c.servers++
	return c
}

func (s *Shared) leave(endpoint string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.counted[endpoint]; c != nil {
		if c.servers--; c.servers == 0 {
			delete(s.counted, endpoint)
		}
	}
}

// Count is how many requests to an endpoint ended so.
type Count struct {
	Endpoint string
	Outcome  Outcome
	Requests uint64
}

// Counts are those of all endpoints, in order.
func (s *Shared) Counts() (out []Count) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, endpoint := range slices.Sorted(maps.Keys(s.counted)) {
		for _, o := range Outcomes() {
			out = append(out, Count{endpoint, o, s.counted[endpoint].by[o].Load()})
		}
	}
	return out
}
