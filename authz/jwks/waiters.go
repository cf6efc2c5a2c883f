package jwks

import "sync"

const (
	maxWaiters       = 256 // of all sets
	maxWaitersPerSet = 32
)

// Waiters bounds how many lookups wait at once for keys. A proxy has a bound for
// the requests of all tenants (Envoy: 1,024), which waiting lookups must not reach.
type Waiters struct {
	mu      sync.Mutex
	waiting int
	sets    map[*Remote]int
	tenants map[string]int
}

// enter reports whether one more lookup of the set may wait; if so, leave must
// follow. A tenant may have as many waiting lookups as places are free, so that
// there is always a place for another tenant.
func (w *Waiters) enter(set *Remote, tenant string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.sets[set] == maxWaitersPerSet || w.tenants[tenant] >= maxWaiters-w.waiting {
		return false
	}
	if w.sets == nil {
		w.sets, w.tenants = map[*Remote]int{}, map[string]int{}
	}
	w.waiting++
	w.sets[set]++
	w.tenants[tenant]++
	return true
}

func (w *Waiters) leave(set *Remote, tenant string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting--
	if w.sets[set]--; w.sets[set] == 0 {
		delete(w.sets, set)
	}
	if w.tenants[tenant]--; w.tenants[tenant] == 0 {
		delete(w.tenants, tenant)
	}
}
