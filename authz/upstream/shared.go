package upstream

import (
	"maps"
	"slices"
	"sync"

	"github.com/agentauth-dev/agentauth/authz/introspect"
	"github.com/agentauth-dev/agentauth/authz/work"
)

const (
	// maxWaiters are the checks that may wait for all token endpoints. With those that
	// wait for key sets and for introspection they are fewer than a proxy lets wait
	// (Envoy: 1,024). A tenant may have as many as are free beside its own.
	maxWaiters          = 192
	maxWaitersPerServer = 96

	signers = 2 // of requests by RSA; one tenant has one of them
)

// Outcome is how a request ended.
type Outcome string

// Outcomes. After Denied, which is 403, all are no answer.
const (
	Issued    Outcome = "issued"
	Denied    Outcome = "denied"    // the server does not exchange the token of this caller
	Refused   Outcome = "refused"   // the server does not take agentauth as its client
	Malformed Outcome = "malformed" // 200, and no sound answer
	Late      Outcome = "late"      // no answer in time
	Failed    Outcome = "failed"    // no connection, another status, a redirect, an answer that is too large
	Crowded   Outcome = "crowded"   // not sent: too many wait
	Abandoned Outcome = "abandoned" // the callers hung up before there was an answer
)

// Outcomes lists all of them.
func Outcomes() []Outcome {
	return []Outcome{Issued, Denied, Refused, Malformed, Late, Failed, Crowded, Abandoned}
}

// Shared is what all sources of a process share.
type Shared struct {
	// Waited, if not nil, learns of checks that waited for a token. It is set before the
	// first of them.
	Waited work.Waited
	// waiters are places for checks that wait.
	waiters *work.Quota
	held    held
	// signing gives turns to sign requests by RSA.
	signing *work.Scheduler

	mu      sync.Mutex
	counted map[string]*counts
}

// NewShared returns a Shared for a process.
func NewShared() *Shared {
	return &Shared{
		waiters: work.NewQuota(maxWaiters), counted: map[string]*counts{}, held: held{max: maxHeld, tenants: map[string]*tenantHeld{}},
		signing: work.New(work.Options{Slots: signers, MaxWaiting: maxWaiters, MaxWaitingPerOwner: maxWaiters}),
	}
}

// counts are the outcomes of the requests to an endpoint.
type counts struct {
	owners introspect.Owners // under the mu of the Shared

	mu       sync.Mutex
	by       map[Outcome]uint64
	failures uint64
	err      string
}

func (c *counts) add(o Outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.by[o]++
}

// failed notes a request without a sound answer, and why.
func (c *counts) failed(why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failures++
	c.err = why
}

// enter returns the counts of an endpoint, which go on while it is asked by somebody.
func (s *Shared) enter(endpoint string, owner *func() string) *counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counted[endpoint]
	if c == nil {
		c = &counts{owners: introspect.Owners{}, by: map[Outcome]uint64{}}
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

// Status is how an endpoint is doing, for an operator.
type Status struct {
	Endpoint string
	// Tenants are those whose turns the requests take.
	Tenants  []string
	Requests map[Outcome]uint64
	// Failures are requests without a sound answer. Error is why the last of them
	// failed; it holds nothing that was received.
	Failures uint64
	Error    string
}

// Statuses are those of all endpoints, in order.
func (s *Shared) Statuses() (out []Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, endpoint := range slices.Sorted(maps.Keys(s.counted)) {
		c := s.counted[endpoint]
		c.mu.Lock()
		out = append(out, Status{Endpoint: endpoint, Tenants: c.owners.Tenants(), Requests: maps.Clone(c.by), Failures: c.failures, Error: c.err})
		c.mu.Unlock()
	}
	return out
}
