package store

import (
	"context"
	"strings"
	"sync"
	"time"
)

// sizeOfEntry is what one key takes in bytes, with its part of maps and lists.
const sizeOfEntry = 96

// short is the part of a key that is kept. Two keys with one are refused as one, and
// nobody finds such two with 128 bits.
type short [16]byte

// Memory is a Replay of one process. A nil Memory and the zero Memory have no place.
//
// A tenant may have half as many places as are still free. So a tenant alone has a
// third of them, two have a quarter each, and one that comes later finds some, though
// nothing that was seen is ever forgotten for it.
type Memory struct {
	now func() time.Time
	max int

	mu      sync.Mutex
	seen    map[short]struct{}
	ends    map[int64][]ending // by the second behind which they are forgotten
	tenants map[string]*places // those with entries
	swept   int64              // the second that was swept last; a clock may be set back
}

// places are how many entries a tenant has.
type places struct {
	tenant string
	taken  int
}

type ending struct {
	key short
	of  *places
}

// NewMemory makes a store of so many bytes. now is the clock; nil is that of the
// system.
func NewMemory(bytes int64, now func() time.Time) *Memory {
	if now == nil {
		now = time.Now
	}
	return &Memory{
		now: now, max: int(bytes / sizeOfEntry),
		seen: map[short]struct{}{}, ends: map[int64][]ending{}, tenants: map[string]*places{},
	}
}

// Seen implements [Replay].
func (m *Memory) Seen(_ context.Context, tenant string, key [32]byte, keep time.Duration) (bool, error) {
	if m == nil || m.max == 0 {
		return false, ErrFull
	}
	now, kept := m.now(), short(key[:])
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sweep(now.Unix())
	if _, seen := m.seen[kept]; seen {
		return true, nil
	}
	of := m.tenants[tenant]
	if of == nil {
		of = &places{tenant: strings.Clone(tenant)}
	}
	if 2*of.taken >= m.max-len(m.seen) {
		return false, ErrFull
	}
	of.taken++
	m.tenants[of.tenant] = of
	m.seen[kept] = struct{}{}
	end := now.Add(max(keep, 0)).Unix()
	m.ends[end] = append(m.ends[end], ending{kept, of})
	return false, nil
}

// maxSwept bounds what one call forgets, since others wait: a flood may end at once.
const maxSwept = 4096

// sweep forgets what ended before this second.
func (m *Memory) sweep(second int64) {
	if second == m.swept {
		return
	}
	left := maxSwept
	for end, list := range m.ends {
		if end >= second {
			continue
		}
		kept := max(len(list)-left, 0)
		for _, e := range list[kept:] {
			delete(m.seen, e.key)
			if e.of.taken--; e.of.taken == 0 {
				delete(m.tenants, e.of.tenant)
			}
		}
		if left -= len(list) - kept; kept > 0 {
			m.ends[end] = list[:kept]
			return // the next call goes on
		}
		delete(m.ends, end)
	}
	m.swept = second
}
