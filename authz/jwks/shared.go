package jwks

import (
	"sync"

	"github.com/agentauth-dev/agentauth/authz/work"
)

const (
	maxWaiters       = 256 // of all sets
	maxWaitersPerSet = 32

	readAtOnce = 2  // answers; one tenant has one of them
	maxUnread  = 32 // answers that wait to be read, of 1 MiB each perhaps
)

// Shared is what the sets of a process share: places for lookups that wait for
// keys, and turns to read answers. A proxy has a bound for the requests of all
// tenants (Envoy: 1,024), which waiting lookups must not reach.
type Shared struct {
	reading *work.Scheduler

	mu      sync.Mutex
	waiting int
	sets    map[*Remote]int
	tenants map[string]int
}

// NewShared returns a Shared for the sets of a process.
func NewShared() *Shared {
	return &Shared{
		reading: work.New(work.Options{Slots: readAtOnce, MaxWaiting: maxUnread, MaxWaitingPerOwner: maxUnread}),
		sets:    map[*Remote]int{},
		tenants: map[string]int{},
	}
}

// enter reports whether one more lookup of the set may wait; if so, leave must
// follow. A tenant may have as many waiting lookups as places are free, so that
// there is always a place for another tenant.
func (s *Shared) enter(set *Remote, tenant string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sets[set] == maxWaitersPerSet || s.tenants[tenant] >= maxWaiters-s.waiting {
		return false
	}
	s.waiting++
	s.sets[set]++
	s.tenants[tenant]++
	return true
}

func (s *Shared) leave(set *Remote, tenant string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting--
	if s.sets[set]--; s.sets[set] == 0 {
		delete(s.sets, set)
	}
	if s.tenants[tenant]--; s.tenants[tenant] == 0 {
		delete(s.tenants, tenant)
	}
}
