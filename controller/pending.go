package controller

import (
	"sync"
	"time"
)

// pending measures for how long the oldest change has not been in force: also
// while it is compiled, and while it cannot be.
type pending struct {
	mu sync.Mutex
	// arrived is the oldest change that no load has taken; loading is the oldest
	// change of the loads that did not come in force.
	arrived, loading time.Time
}

// arrives notes a change.
func (p *pending) arrives() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.arrived.IsZero() {
		p.arrived = time.Now()
	}
}

// begin notes that a load takes all changes so far.
func (p *pending) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.loading.IsZero() {
		p.loading = p.arrived
	}
	p.arrived = time.Time{}
}

// inForce notes that what the load took is in force.
func (p *pending) inForce() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.loading = time.Time{}
}

// age is 0 if no change is waiting.
func (p *pending) age() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, since := range []time.Time{p.loading, p.arrived} {
		if !since.IsZero() {
			return time.Since(since)
		}
	}
	return 0
}
