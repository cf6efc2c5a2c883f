package jwks

import (
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
	// Waited, if not nil, learns of lookups that waited for keys. It is set before the
	// first of them.
	Waited work.Waited
	// waiters are places for lookups that wait for keys. A proxy has a bound for
	// the requests of all tenants (Envoy: 1,024), which they must not reach.
	waiters *work.Quota
	// memory is for the keys that are held, in bytes.
	memory *work.Quota
	// reading gives turns to read answers.
	reading *work.Scheduler
}

// NewShared returns a Shared for the sets of a process.
func NewShared() *Shared {
	return &Shared{
		waiters: work.NewQuota(maxWaiters),
		memory:  work.NewQuota(maxHeld),
		reading: work.New(work.Options{Slots: readAtOnce, MaxWaiting: maxUnread, MaxWaitingPerOwner: maxUnread}),
	}
}
