package password

import (
	"sync"
	"time"
)

// memory holds digests of verified passwords for a short time. It is bounded;
// the oldest makes room. Nothing in it is prolonged: whoever comes back is
// verified anew after ttl.
type memory struct {
	ttl time.Duration
	max int
	now func() time.Time

	mu    sync.Mutex
	until map[digest]time.Time
	order []digest // oldest first, each once
}

func (m *memory) has(d digest) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	until, ok := m.until[d]
	return ok && m.now().Before(until)
}

func (m *memory) add(d digest) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	for len(m.order) > 0 && !now.Before(m.until[m.order[0]]) {
		m.forgetOldest()
	}
	if _, ok := m.until[d]; ok {
		return
	}
	if len(m.order) >= m.max {
		m.forgetOldest()
	}
	m.until[d] = now.Add(m.ttl)
	m.order = append(m.order, d)
}

func (m *memory) forgetOldest() {
	delete(m.until, m.order[0])
	m.order = m.order[1:]
}
