package password

import (
	"sync"
	"time"

	"github.com/agentauth-dev/agentauth/authz/keyed"
)

// verified holds digests of users with their passwords, after the password was
// verified, for the time ttl. It is bounded; the oldest digest of the namespace
// that has most makes room, so that a flood in one namespace drops its own. A
// password that is used all the time is still hashed anew after ttl.
type verified struct {
	ttl time.Duration
	max int
	now func() time.Time

	mu         sync.Mutex
	len        int
	namespaces map[string]*remembered // none is empty
}

// remembered are the digests of one namespace.
type remembered struct {
	until map[keyed.Digest]time.Time
	order []keyed.Digest // oldest first, each once
}

func (v *verified) has(namespace string, d keyed.Digest) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	r := v.namespaces[namespace]
	if r == nil {
		return false
	}
	until, ok := r.until[d]
	return ok && v.now().Before(until)
}

func (v *verified) add(namespace string, d keyed.Digest) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.now()
	v.forgetOld(now)
	r := v.namespaces[namespace]
	if r == nil {
		r = &remembered{until: map[keyed.Digest]time.Time{}}
	}
	if _, ok := r.until[d]; ok {
		return
	}
	if v.len >= v.max {
		v.forgetOldest(v.fullest(namespace))
	}
	v.namespaces[namespace] = r
	r.until[d] = now.Add(v.ttl)
	r.order = append(r.order, d)
	v.len++
}

func (v *verified) forgetOld(now time.Time) {
	for namespace, r := range v.namespaces {
		for len(r.order) > 0 && !now.Before(r.until[r.order[0]]) {
			v.forgetOldest(namespace)
		}
	}
}

// fullest is the namespace that has most, mine if none has more.
func (v *verified) fullest(mine string) string {
	most := 0
	if r := v.namespaces[mine]; r != nil {
		most = len(r.order)
	}
	for namespace, r := range v.namespaces {
		if len(r.order) > most {
			mine, most = namespace, len(r.order)
		}
	}
	return mine
}

func (v *verified) forgetOldest(namespace string) {
	r := v.namespaces[namespace]
	delete(r.until, r.order[0])
	r.order = r.order[1:]
	v.len--
	if len(r.order) == 0 {
		delete(v.namespaces, namespace)
	}
}
