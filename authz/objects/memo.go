package objects

import (
	"sync"
	"weak"
)

// memo finds a V that somebody still holds, or makes one. It keeps none in memory
// itself. It may be used by several goroutines.
type memo[K comparable, V any] struct {
	mu   sync.Mutex
	held map[K]weak.Pointer[V]
	most int // held is swept when it has as many
}

// get returns what is held for a key, or the zero V. Whoever asks for it must hold
// it, or the next one who asks gets another.
func (m *memo[K, V]) get(key K) *V {
	m.mu.Lock()
	defer m.mu.Unlock()
	if v := m.held[key].Value(); v != nil {
		return v
	}
	m.sweep()
	v := new(V)
	m.held[key] = weak.Make(v)
	return v
}

// sweep removes what nobody holds, at a cost that stays small for each get.
func (m *memo[K, V]) sweep() {
	if len(m.held) < m.most {
		return
	}
	if m.held == nil {
		m.held = map[K]weak.Pointer[V]{}
	}
	for key, v := range m.held {
		if v.Value() == nil {
			delete(m.held, key)
		}
	}
	m.most = max(64, 2*len(m.held))
}
