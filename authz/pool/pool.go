// Package pool holds what works in the background and outlives a snapshot: key sets
// that are fetched, servers that are asked. Each is held by its own inputs, so that
// it stays warm whatever else changes in a policy.
package pool

import (
	"cmp"
	"context"
	"crypto/sha256"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Thing is what a Pool holds. It does nothing before Start and nothing more after
// Close.
type Thing interface {
	Start()
	Close()
	// Ready is closed when the first attempt has ended, well or not.
	Ready() <-chan struct{}
}

// Key is a hash of a kind of thing and its inputs.
type Key [sha256.Size]byte

// KeyOf makes a key. Inputs that differ in any part have different keys.
func KeyOf(kind string, inputs ...[]byte) Key {
	h := sha256.New()
	for _, part := range append([][]byte{[]byte(kind)}, inputs...) {
		sum := sha256.Sum256(part)
		h.Write(sum[:])
	}
	return Key(h.Sum(nil))
}

// Held is a Thing of a Pool.
type Held struct {
	Thing
	start   sync.Once
	started atomic.Bool
	tenant  atomic.Pointer[string]
}

// Started says whether a snapshot that was in force uses the thing.
func (h *Held) Started() bool { return h.started.Load() }

// Pool holds things by their keys.
type Pool struct {
	mu     sync.Mutex
	things map[Key]*Held
}

// New makes an empty pool.
func New() *Pool { return &Pool{things: map[Key]*Held{}} }

// Get returns what is held for a key, or makes it. tenant says whose turn the work of
// the thing takes: it changes with the policies in force.
func (p *Pool) Get(key Key, build func(tenant func() string) Thing) *Held {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.things[key]
	if h == nil {
		h = &Held{}
		h.tenant.Store(new(string))
		h.Thing = build(func() string { return *h.tenant.Load() })
		p.things[key] = h
	}
	return h
}

// Holds reports whether things are still those that Get returns.
func (p *Pool) Holds(things map[Key]*Held) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, h := range things {
		if p.things[key] != h {
			return false
		}
	}
	return true
}

// Retain starts what is used and closes everything else. A check that still reads
// an older snapshot finds the things that this snapshot holds.
func (p *Pool) Retain(used map[Key]*Held, tenants map[Key]string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, h := range p.things {
		if used[key] == nil {
			h.Close()
			delete(p.things, key)
		}
	}
	for key, h := range used {
		tenant := tenants[key]
		h.tenant.Store(&tenant)
		h.start.Do(func() { h.Start(); h.started.Store(true) })
	}
}

// Tenants says whose turns each thing takes, by the things that policies of each
// namespace use. A thing that several namespaces share takes the turns of the
// namespace with the fewest things, which come soonest: nobody's thing gets slower
// because others share it.
func Tenants(things map[string]map[Key]bool) map[Key]string {
	tenants := map[Key]string{}
	for _, namespace := range slices.SortedFunc(maps.Keys(things), func(a, b string) int {
		return cmp.Or(len(things[b])-len(things[a]), strings.Compare(b, a))
	}) { // the last one counts
		for key := range things[namespace] {
			tenants[key] = namespace
		}
	}
	return tenants
}

// Wait returns when everything has been tried once, at most after limit.
func Wait(ctx context.Context, used map[Key]*Held, limit time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for _, h := range used {
		select {
		case <-h.Ready():
		case <-ctx.Done():
			return
		}
	}
}
