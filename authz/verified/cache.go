package verified

import (
	"crypto/sha256"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/agentauth-dev/agentauth/authz/authn"
	"github.com/agentauth-dev/agentauth/authz/keyed"
)

// keepFor is how long a credential is used without being verified again.
const keepFor = 10 * time.Minute

// Options are the operator's choices. The zero value keeps nothing.
type Options struct {
	// Bytes is what may be kept.
	Bytes int64
	// Now is the clock; nil is that of the system.
	Now func() time.Time
}

// Cache keeps verified credentials. A look-up takes no lock; whatever changes what
// is kept does. A nil Cache keeps nothing.
type Cache struct {
	now func() time.Time

	// buckets are chains of entries, by a hash that nobody can predict.
	buckets []atomic.Pointer[entry]
	seed    maphash.Seed

	hits, misses counter

	mu    sync.Mutex
	room  room
	swept int // the bucket that is swept next
}

// key is a credential, by its digest, and who verified it: an authenticator's inputs
// and its namespace.
type key struct{ credential, inputs [sha256.Size]byte }

// entry is one verified credential.
type entry struct {
	key
	hash uint64
	// state is the one that the credential was verified in.
	state    authn.State
	verified *authn.Verified
	until    time.Time
	size     int64
	// used says that the entry was found since the room last looked at it.
	used atomic.Bool
	// next is the next entry of the bucket.
	next atomic.Pointer[entry]

	tenant       *tenant
	older, newer *entry // in the queue of the tenant
	proven       bool   // which queue that is
}

// sizeOfBucket is how many bytes may be kept for each bucket.
const sizeOfBucket = 2 << 10

// New makes a cache.
func New(o Options) *Cache {
	c := &Cache{now: o.Now, seed: maphash.MakeSeed(), room: room{max: o.Bytes, tenants: map[string]*tenant{}}}
	if c.now == nil {
		c.now = time.Now
	}
	n := 1
	for int64(n)*sizeOfBucket < o.Bytes {
		n *= 2
	}
	c.buckets, c.room.gone = make([]atomic.Pointer[entry], n), make([]uint64, 4*n)
	return c
}

func (c *Cache) bucket(hash uint64) *atomic.Pointer[entry] {
	return &c.buckets[hash%uint64(len(c.buckets))]
}

// find returns what is kept, however old; nil if nothing is.
func (c *Cache) find(k *key) *entry {
	for e := c.bucket(maphash.Comparable(c.seed, *k)).Load(); e != nil; e = e.next.Load() {
		if e.key == *k {
			return e
		}
	}
	return nil
}

// lookup returns what may be used; nil if nothing may.
func (c *Cache) lookup(k *key, state authn.State) *authn.Verified {
	e := c.find(k)
	if e == nil || e.state != state || !c.now().Before(e.until) {
		return nil
	}
	if !e.used.Load() { // what all processors read is not written each time
		e.used.Store(true)
	}
	c.hits.add()
	return e.verified
}

// keep adds an entry, in the place of one that may be used no more. If others were
// as quick, theirs stays: all share one identity.
func (c *Cache) keep(namespace string, e *entry) {
	now := c.now()
	if !now.Before(e.until) || e.size > c.room.max/leastEntries || e.size > maxEntry {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.find(&e.key); old != nil {
		if old.state == e.state && now.Before(old.until) {
			return
		}
		c.drop(old)
	}
	c.sweep(now, 2)
	e.hash = maphash.Comparable(c.seed, e.key)
	c.room.add(namespace, e)
	b := c.bucket(e.hash)
	e.next.Store(b.Load())
	b.Store(e)
	for c.room.bytes > c.room.max {
		c.drop(c.room.leastWorth())
		c.room.evicted++
	}
}

// drop takes an entry out. Who reads the chain at this moment still gets to its end.
func (c *Cache) drop(e *entry) {
	for at := c.bucket(e.hash); ; {
		here := at.Load()
		if here == e {
			at.Store(e.next.Load())
			break
		}
		at = &here.next
	}
	c.room.remove(e)
}

// sweep drops what has ended in the next buckets.
func (c *Cache) sweep(now time.Time, buckets int) {
	for range buckets {
		for e := c.buckets[c.swept].Load(); e != nil; e = e.next.Load() {
			if !now.Before(e.until) {
				c.drop(e)
			}
		}
		c.swept = (c.swept + 1) % len(c.buckets)
	}
}

// inputsOf are the inputs of an authenticator in its namespace.
func inputsOf(namespace string, d keyed.Digest) [sha256.Size]byte {
	return keyed.Of("verified", []byte(namespace), d[:])
}
