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

	maxHeld    = 256 << 20 // bytes of the keys of all sets
	bytesOfKey = 2 << 10   // what a key takes beside its text
)

// Shared is what the sets of a process share.
type Shared struct {
	// waiters are places for lookups that wait for keys. A proxy has a bound for
	// the requests of all tenants (Envoy: 1,024), which they must not reach.
	waiters quota
	// memory is for the keys that are held, in bytes.
	memory quota
	// reading gives turns to read answers.
	reading *work.Scheduler
}

// NewShared returns a Shared for the sets of a process.
func NewShared() *Shared {
	return &Shared{
		waiters: quota{free: maxWaiters, tenants: map[string]int{}},
		memory:  quota{free: maxHeld, tenants: map[string]int{}},
		reading: work.New(work.Options{Slots: readAtOnce, MaxWaiting: maxUnread, MaxWaitingPerOwner: maxUnread}),
	}
}

// quota is shared by tenants. A tenant may have as much as is free beside it, so
// that there is always something for another tenant.
type quota struct {
	mu      sync.Mutex
	free    int
	tenants map[string]int // without those that have nothing
}

// part is what a tenant has of a quota.
type part struct {
	tenant string
	amount int
}

// exchange gives one part back for another. If there is not so much, nothing changes.
func (q *quota) exchange(before, now part) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.add(before.tenant, -before.amount)
	if q.tenants[now.tenant]+now.amount > q.free {
		q.add(before.tenant, before.amount)
		return false
	}
	q.add(now.tenant, now.amount)
	return true
}

func (q *quota) add(tenant string, amount int) {
	q.free -= amount
	if q.tenants[tenant] += amount; q.tenants[tenant] == 0 {
		delete(q.tenants, tenant)
	}
}
