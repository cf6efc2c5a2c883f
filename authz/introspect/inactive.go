package introspect

import (
	"sync"
	"time"
)

const (
	// maxInactive is how many tokens that are not active are remembered. A flood of
	// them drives out one another, and nothing that is active.
	maxInactive = 16 << 10
	// rememberFor is the longest that anybody asks for.
	rememberFor = 5 * time.Second
)

// inactive holds tokens that are not active, and when their servers were asked. When
// it is full, the tenant with most of them gives its oldest away.
type inactive struct {
	mu      sync.Mutex
	held    int
	tenants map[string]*remembered // without those that have nothing
}

// question is a token, by its digest, and the server that was asked.
type question struct {
	server *Server
	digest [32]byte
}

// remembered are the tokens of a tenant.
type remembered struct {
	asked map[question]time.Time
	// order are the questions as they came. One that came again stands there twice.
	order []answered
}

type answered struct {
	question
	asked time.Time
}

// has says whether a server was asked after a time, and said that the token is not
// active.
func (i *inactive) has(tenant string, q question, after time.Time) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	t := i.tenants[tenant]
	if t == nil {
		return false
	}
	asked, ok := t.asked[q]
	return ok && asked.After(after)
}

func (i *inactive) put(tenant string, q question, asked time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	t := i.tenants[tenant]
	if t == nil {
		t = &remembered{asked: map[question]time.Time{}}
		i.tenants[tenant] = t
	}
	t.asked[q] = asked
	t.order = append(t.order, answered{q, asked})
	i.held++
	for name, t := range i.old(tenant) {
		for len(t.order) > 0 && asked.Sub(t.order[0].asked) > rememberFor {
			i.dropOldest(name, t)
		}
	}
	for i.held > maxInactive {
		i.dropOldest(i.fullest())
	}
}

// old are the tenants to look through for what is too old: all of them if there is no
// room any more.
func (i *inactive) old(tenant string) map[string]*remembered {
	if i.held > maxInactive {
		return i.tenants
	}
	return map[string]*remembered{tenant: i.tenants[tenant]}
}

func (i *inactive) dropOldest(tenant string, t *remembered) {
	first := t.order[0]
	if t.asked[first.question].Equal(first.asked) {
		delete(t.asked, first.question)
	}
	i.held--
	if t.order = t.order[1:]; len(t.order) == 0 {
		delete(i.tenants, tenant)
	}
}

func (i *inactive) fullest() (tenant string, most *remembered) {
	for name, t := range i.tenants {
		if most == nil || len(t.order) > len(most.order) {
			tenant, most = name, t
		}
	}
	return tenant, most
}
