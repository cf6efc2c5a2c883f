package verified

import (
	"math/rand/v2"
	"sync/atomic"
)

// Stats are what the cache did and holds.
type Stats struct {
	// Hits are credentials that were found. Misses are those that had to be verified,
	// good or bad. Evictions are entries that gave way to others.
	Hits, Misses, Evictions uint64
	Entries                 int
	Bytes                   int64
}

// Stats are those of now. What has ended is let go: some buckets at a time, so that
// nobody waits for all of them.
func (c *Cache) Stats() Stats {
	if c == nil {
		return Stats{}
	}
	const some = 512
	for range (len(c.buckets) + some - 1) / some {
		c.mu.Lock()
		c.sweep(c.now(), min(some, len(c.buckets)))
		c.mu.Unlock()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return Stats{c.hits.sum(), c.misses.sum(), c.room.evicted, c.room.entries, c.room.bytes}
}

// counter counts on many processors at once: each add writes one of its parts.
type counter [8]struct {
	atomic.Uint64
	_ [56]byte // a line of the processor's cache for each
}

func (c *counter) add() { c[rand.Uint64()%uint64(len(c))].Add(1) } // #nosec G404 -- any part will do

func (c *counter) sum() (n uint64) {
	for i := range c {
		n += c[i].Load()
	}
	return n
}
