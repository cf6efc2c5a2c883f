package work

import "sync"

// Quota is an amount that tenants share: places to wait, or memory. A tenant may have
// as much as is free beside it, so that there is always something for another tenant.
// The zero Quota has nothing.
type Quota struct {
	mu      sync.Mutex
	most    int
	free    int
	tenants map[string]int // without those that have nothing
}

// Part is what a tenant has of a Quota. The zero Part is nothing.
type Part struct {
	Tenant string
	Amount int
}

// NewQuota makes a Quota of which nothing is taken.
func NewQuota(amount int) *Quota {
	return &Quota{most: amount, free: amount, tenants: map[string]int{}}
}

// Exchange gives one part back for another. If there is not so much, nothing changes.
func (q *Quota) Exchange(before, now Part) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.add(before.Tenant, -before.Amount)
	if q.tenants[now.Tenant]+now.Amount > q.free {
		q.add(before.Tenant, before.Amount)
		return false
	}
	q.add(now.Tenant, now.Amount)
	return true
}

// Taken is how much is taken, and by how many tenants.
func (q *Quota) Taken() (amount, tenants int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.most - q.free, len(q.tenants)
}

func (q *Quota) add(tenant string, amount int) {
	if amount == 0 {
		return
	}
	q.free -= amount
	if q.tenants[tenant] += amount; q.tenants[tenant] == 0 {
		delete(q.tenants, tenant)
	}
}
