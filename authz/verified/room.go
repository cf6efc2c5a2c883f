package verified

import (
	"container/heap"
	"slices"
	"strings"
)

const (
	// maxEntry is the most that one credential takes. The claims of a token of 16
	// KiB can take a hundred times that.
	maxEntry = 64 << 10
	// leastEntries have room in any cache.
	leastEntries = 16
	// freshShare is the part of a tenant's bytes that its fresh entries have when it
	// gives way, 1/10.
	freshShare = 10
	// mostLooks is how many entries are looked at to find one that gives way.
	mostLooks = 64
)

// room is the space that entries share. When it is full, the namespace gives way
// that uses most of it, so that each has its part whatever others do.
type room struct {
	max, bytes int64
	entries    int
	evicted    uint64
	tenants    map[string]*tenant // those with entries
	byUse      byUse
	// gone has the hashes of fresh entries that gave way lately, each at a place of
	// its own.
	gone []uint64
}

// tenant is a namespace and its entries. An entry begins among the fresh ones, and
// becomes proven if it was used by the time when it would give way, or if it comes
// again soon after. So credentials that come once drive out one another.
type tenant struct {
	name          string
	bytes         int64
	fresh, proven queue
	at            int // in byUse
}

func (t *tenant) queueOf(e *entry) *queue {
	if e.proven {
		return &t.proven
	}
	return &t.fresh
}

func (r *room) add(namespace string, e *entry) {
	t := r.tenants[namespace]
	if t == nil {
		t = &tenant{name: strings.Clone(namespace), bytes: int64(sizeOfTenant)}
		r.tenants[t.name] = t
		r.bytes += t.bytes
		heap.Push(&r.byUse, t)
	}
	e.tenant = t
	e.proven = *r.place(e) == e.hash
	t.queueOf(e).push(e)
	r.count(e, 1)
}

// place is where the hash of an entry is that gave way.
func (r *room) place(e *entry) *uint64 { return &r.gone[e.hash%uint64(len(r.gone))] }

func (r *room) remove(e *entry) {
	e.tenant.queueOf(e).remove(e)
	r.count(e, -1)
	if t := e.tenant; t.fresh.oldest == nil && t.proven.oldest == nil {
		heap.Remove(&r.byUse, t.at)
		r.bytes -= t.bytes
		delete(r.tenants, t.name)
	}
}

// count adds an entry to the sums, or takes it out.
func (r *room) count(e *entry, n int) {
	r.entries += n
	r.bytes += int64(n) * e.size
	e.tenant.bytes += int64(n) * e.size
	heap.Fix(&r.byUse, e.tenant.at)
}

// leastWorth is the entry that gives way.
func (r *room) leastWorth() *entry {
	t := r.byUse[0]
	e := t.oldest()
	for looks := 1; e.used.Load() && looks < mostLooks; looks++ {
		t.prove(e)
		e = t.oldest()
	}
	if !e.proven {
		*r.place(e) = e.hash
	}
	return e
}

// oldest is the entry that gives way unless it was used.
func (t *tenant) oldest() *entry {
	if t.proven.oldest == nil || t.fresh.bytes*freshShare > t.bytes {
		return t.fresh.oldest
	}
	return t.proven.oldest
}

// prove makes an entry the newest of the proven ones.
func (t *tenant) prove(e *entry) {
	t.queueOf(e).remove(e)
	e.used.Store(false)
	e.proven = true
	t.proven.push(e)
}

// queue are entries by age.
type queue struct {
	oldest, newest *entry
	bytes          int64
}

func (q *queue) push(e *entry) {
	e.older, e.newer = q.newest, nil
	if q.newest == nil {
		q.oldest = e
	} else {
		q.newest.newer = e
	}
	q.newest = e
	q.bytes += e.size
}

func (q *queue) remove(e *entry) {
	if e.older == nil {
		q.oldest = e.newer
	} else {
		e.older.newer = e.newer
	}
	if e.newer == nil {
		q.newest = e.older
	} else {
		e.newer.older = e.older
	}
	e.older, e.newer = nil, nil
	q.bytes -= e.size
}

// byUse are the tenants as a heap: the first uses most.
type byUse []*tenant

func (h byUse) Len() int           { return len(h) }
func (h byUse) Less(i, j int) bool { return h[i].bytes > h[j].bytes }
func (h byUse) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

// Push implements [heap.Interface].
func (h *byUse) Push(t any) {
	t.(*tenant).at = len(*h)
	*h = append(*h, t.(*tenant))
}

// Pop implements [heap.Interface].
func (h *byUse) Pop() any {
	last := len(*h) - 1
	t := (*h)[last]
	*h = slices.Delete(*h, last, last+1)
	return t
}
