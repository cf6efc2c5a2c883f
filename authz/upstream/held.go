package upstream

import (
	"container/list"
	"sync"
	"time"
)

const (
	// maxHeld is what exchanged tokens take at most, in bytes.
	maxHeld = 16 << 20
	// sizeOfHeld is what one takes beside its token, about.
	sizeOfHeld = 384
)

// held are exchanged tokens, and those of callers that were refused. When they take
// too much, the tenant that takes most gives away what it used least lately.
type held struct {
	max int

	mu      sync.Mutex
	bytes   int
	tenants map[string]*tenantHeld // without those that have nothing
}

// heldKey is the token of a caller, by its digest, and who exchanges it.
type heldKey struct {
	by     *Exchange
	digest [32]byte
}

// heldToken is a token, or why there is none.
type heldToken struct {
	token, why string
	ends       time.Time
}

func (h *heldToken) size() int { return sizeOfHeld + len(h.token) + len(h.why) }

// refused is nil for a token.
func (h *heldToken) refused() error {
	if h.why == "" {
		return nil
	}
	return &CallerRefused{Detail: "the token endpoint: " + h.why}
}

// tenantHeld is what a tenant holds, the least lately used last.
type tenantHeld struct {
	bytes int
	at    map[*Exchange]map[[32]byte]*list.Element // without those that have nothing
	order list.List
}

type heldEntry struct {
	heldKey
	heldToken
}

func (h *held) get(tenant string, k heldKey, now time.Time) (heldToken, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.tenants[tenant]
	if t == nil {
		return heldToken{}, false
	}
	el := t.at[k.by][k.digest]
	if el == nil {
		return heldToken{}, false
	}
	e := el.Value.(*heldEntry)
	if !now.Before(e.ends) {
		h.remove(tenant, t, el)
		return heldToken{}, false
	}
	t.order.MoveToFront(el)
	return e.heldToken, true
}

func (h *held) put(tenant string, k heldKey, what heldToken, now time.Time) {
	if !now.Before(what.ends) {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.tenants[tenant]
	if t == nil {
		t = &tenantHeld{at: map[*Exchange]map[[32]byte]*list.Element{}}
		h.tenants[tenant] = t
	} else if el := t.at[k.by][k.digest]; el != nil {
		h.remove(tenant, t, el)
		h.tenants[tenant] = t
	}
	e := &heldEntry{k, what}
	if t.at[k.by] == nil {
		t.at[k.by] = map[[32]byte]*list.Element{}
	}
	t.at[k.by][k.digest] = t.order.PushFront(e)
	t.bytes += e.size()
	h.bytes += e.size()
	for h.bytes > h.max {
		name, most := h.fullest()
		h.remove(name, most, most.order.Back())
	}
}

func (h *held) fullest() (tenant string, most *tenantHeld) {
	for name, t := range h.tenants {
		if most == nil || t.bytes > most.bytes {
			tenant, most = name, t
		}
	}
	return tenant, most
}

func (h *held) remove(tenant string, t *tenantHeld, el *list.Element) {
	e := t.order.Remove(el).(*heldEntry)
	if delete(t.at[e.by], e.digest); len(t.at[e.by]) == 0 {
		delete(t.at, e.by)
	}
	t.bytes -= e.size()
	h.bytes -= e.size()
	if t.order.Len() == 0 {
		delete(h.tenants, tenant)
	}
}

// drop forgets what an Exchange got, and looks at nothing that others did.
func (h *held) drop(by *Exchange) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for name, t := range h.tenants {
		for _, el := range t.at[by] {
			h.remove(name, t, el)
		}
	}
}
