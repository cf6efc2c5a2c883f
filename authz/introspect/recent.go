package introspect

import (
	"sync"
	"time"
)

const (
	// maxRecent is how many questions are remembered. A flood of them drives out one
	// another.
	maxRecent = 16 << 10
	// rememberFor is the longest that anybody asks for.
	rememberFor = 5 * time.Second
)

// recent holds questions with one answer, that a token is not active or that it is,
// and when the servers were asked. When it is full, the tenant with most of them gives
// its oldest away.
type recent struct {
	mu      sync.Mutex
	held    int
	tenants map[string]*remembered // without those that have nothing
}

func newRecent() recent { return recent{tenants: map[string]*remembered{}} }

// question is a token, by its digest, and the server that was asked.
type question struct {
	server *Server
	digest [32]byte
}

// remembered are the questions of a tenant.
type remembered struct {
	asked map[question]time.Time
	// order are the questions as they came. One that came again stands there twice.
	order []answered
}

type answered struct {
	question
	asked time.Time
}

// has says whether a server was asked after a time, and gave the answer.
func (i *recent) has(tenant string, q question, after time.Time) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	t := i.tenants[tenant]
	if t == nil {
		return false
	}
	asked, ok := t.asked[q]
	return ok && asked.After(after)
}

func (i *recent) put(tenant string, q question, asked time.Time) {
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
	for i.held > maxRecent {
		i.dropOldest(i.fullest())
	}
}

// old are the tenants to look through for what is too old: all of them if there is no
// room any more.
func (i *recent) old(tenant string) map[string]*remembered {
	if i.held > maxRecent {
		return i.tenants
	}
	return map[string]*remembered{tenant: i.tenants[tenant]}
}

func (i *recent) dropOldest(tenant string, t *remembered) {
	first := t.order[0]
	if t.asked[first.question].Equal(first.asked) {
		delete(t.asked, first.question)
	}
	i.held--
	if t.order = t.order[1:]; len(t.order) == 0 {
		delete(i.tenants, tenant)
	}
}

func (i *recent) fullest() (tenant string, most *remembered) {
	for name, t := range i.tenants {
		if most == nil || len(t.order) > len(most.order) {
			tenant, most = name, t
		}
	}
	return tenant, most
}
