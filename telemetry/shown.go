package telemetry

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
)

const (
	// maxShown is how many policies in force have series of their own, and how many
	// that are gone.
	maxShown = 1000
	// others is the policy under which the others are counted. No name of a policy is
	// like it.
	others = "(others)"
	// goneAfter is for how long counters of a policy that is gone are still shown:
	// the last decisions are to be seen by a scrape, and a check that is under way
	// may still be decided by it.
	goneAfter = 10 * time.Minute
)

// leaving are the policies that are gone and whose series are still shown. While there
// is one, a sweep is due.
type leaving struct{ since map[string]time.Time }

func (l *leaving) oldest() (oldest string) {
	for policy, since := range l.since {
		if oldest == "" || since.Before(l.since[oldest]) {
			oldest = policy
		}
	}
	return oldest
}

// show makes policies those in force: maxShown of them have series of their own.
// When a policy is gone, so is the time at which it was asked, and a while later what
// was counted of it.
func (m *Metrics) show(policies []string) {
	before := *m.inForce.Load()
	now := make(map[string]*policyCounts, len(policies)+2)
	now[""], now[others] = before[""], before[others]
	own := withOwnSeries(policies)
	for _, name := range policies {
		switch counts := before[name]; {
		case !own(name):
			now[name] = before[others]
		case counts != nil && counts.policy == name:
			now[name] = counts
		default:
			now[name] = &policyCounts{policy: name}
		}
	}
	m.inForce.Store(&now)
	for name, counts := range before {
		if counts.policy == name && (now[name] == nil || now[name].policy != name) {
			m.asked.DeleteLabelValues(name)
			m.leave(name)
		}
	}
}

// withOwnSeries says which policies have series of their own: the first of each
// namespace by name, of which each has as many as any other.
func withOwnSeries(policies []string) func(name string) bool {
	if len(policies) <= maxShown {
		return func(string) bool { return true }
	}
	namespaces := map[string][]string{}
	wanted := map[string]int{}
	for _, name := range policies {
		in := namespaceOf(name)
		namespaces[in] = append(namespaces[in], name)
		wanted[in]++
	}
	shown := make(map[string]bool, maxShown)
	for in, n := range shares(wanted, maxShown) {
		slices.Sort(namespaces[in])
		for _, name := range namespaces[in][:n] {
			shown[name] = true
		}
	}
	return func(name string) bool { return shown[name] }
}

func namespaceOf(policy string) string {
	namespace, _, _ := strings.Cut(policy, "/")
	return namespace
}

// shares parts most places among tenants: each may have as many as any other, and
// what one does not want goes to the others. Replicas part them the same way.
func shares(wanted map[string]int, most int) map[string]int {
	tenants := slices.SortedFunc(maps.Keys(wanted), func(a, b string) int {
		if wanted[a] != wanted[b] {
			return wanted[a] - wanted[b]
		}
		return strings.Compare(a, b)
	})
	out := make(map[string]int, len(tenants))
	for i, tenant := range tenants {
		rest := len(tenants) - i
		out[tenant] = min(wanted[tenant], (most+rest-1)/rest)
		most -= out[tenant]
	}
	return out
}

// stray are the counts of a policy that is not in force, or not yet.
func (m *Metrics) stray(policy string) *policyCounts {
	m.mu.Lock()
	defer m.mu.Unlock()
	if counts := (*m.inForce.Load())[policy]; counts != nil {
		return counts
	}
	if _, known := m.leaving.since[policy]; !known {
		if len(m.leaving.since) >= maxShown {
			return (*m.inForce.Load())[others]
		}
		m.leave(policy)
	}
	return &policyCounts{policy: policy}
}

// leave has the series of a policy forgotten after goneAfter; at once, where too many
// policies went.
func (m *Metrics) leave(policy string) {
	l := &m.leaving
	if l.since == nil {
		l.since = map[string]time.Time{}
	}
	if len(l.since) == 0 {
		time.AfterFunc(goneAfter, m.sweep)
	}
	l.since[policy] = time.Now()
	if len(l.since) > maxShown {
		m.forget(l.oldest())
	}
}

// sweep forgets what was counted of policies that went goneAfter ago.
func (m *Metrics) sweep() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for policy, since := range m.leaving.since {
		if time.Since(since) >= goneAfter {
			m.forget(policy)
		}
	}
	if len(m.leaving.since) > 0 {
		time.AfterFunc(goneAfter-time.Since(m.leaving.since[m.leaving.oldest()]), m.sweep)
	}
}

// forget drops what was counted of a policy, unless it is there again.
func (m *Metrics) forget(policy string) {
	delete(m.leaving.since, policy)
	if counts := (*m.inForce.Load())[policy]; counts != nil && counts.policy == policy {
		return
	}
	m.asked.DeleteLabelValues(policy)
	m.shadow.forget(policy)
	for _, outcome := range []authz.Outcome{authz.Deny, authz.Allow, authz.Error, authz.Respond} {
		for _, reason := range append(authz.Reasons(), "") {
			m.decision.DeleteLabelValues(policy, outcome.String(), string(reason))
		}
	}
}
