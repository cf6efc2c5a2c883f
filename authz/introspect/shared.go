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
	owners Owners // under the mu of the Shared
	by     map[Outcome]*atomic.Uint64
}

// Owners are those who ask an endpoint, by the place of the function that says whose
// turns they take.
type Owners map[*func() string]bool

// Tenants are whose turns are taken, in order.
func (o Owners) Tenants() []string {
	tenants := make([]string, 0, len(o))
	for of := range o {
		if *of != nil {
			tenants = append(tenants, (*of)())
		} else {
			tenants = append(tenants, "")
		}
	}
	slices.Sort(tenants)
	return slices.Compact(tenants)
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

// enter returns the counts of an endpoint, which go on while it has an owner.
func (s *Shared) enter(endpoint string, owner *func() string) *counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counted[endpoint]
	if c == nil {
		c = &counts{owners: Owners{}, by: map[Outcome]*atomic.Uint64{}}
		for _, o := range Outcomes() {
			c.by[o] = new(atomic.Uint64)
		}
		s.counted[endpoint] = c
	}
	c.owners[owner] = true
	return c
}

func (s *Shared) leave(endpoint string, owner *func() string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.counted[endpoint]; c != nil {
		if delete(c.owners, owner); len(c.owners) == 0 {
			delete(s.counted, endpoint)
		}
	}
}

// Count is how many requests to an endpoint ended so.
type Count struct {
	Endpoint string
	// Tenants are those whose turns the requests take.
	Tenants  []string
	Outcome  Outcome
	Requests uint64
}

// Counts are those of all endpoints, in order.
func (s *Shared) Counts() (out []Count) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, endpoint := range slices.Sorted(maps.Keys(s.counted)) {
		c := s.counted[endpoint]
		tenants := c.owners.Tenants()
		for _, o := range Outcomes() {
			out = append(out, Count{endpoint, tenants, o, c.by[o].Load()})
		}
	}
	return out
}
