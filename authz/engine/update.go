package engine

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/match"
)

// update makes a Snapshot of the one before. What did not change it takes over:
// the change of a policy costs what that policy costs, and a look at each of the
// others.
type update struct {
	*Snapshot
	prev    *Snapshot
	engine  *Engine
	options Options
	judged  bool // the verdicts are those of the snapshot before
	changes changes
	// reattached are the hostnames of routes of Gateway API that changed.
	// routesAlone: nothing else of the attachments did.
	reattached  map[string]bool
	routesAlone bool
}

// number gives each policy the number that the policy of this name had before.
func (u *update) number(sources []*v1alpha1.AgentAuthPolicy, policies []*compiled) {
	type numbered struct {
		p       *compiled
		created time.Time
	}
	var fresh []numbered
	size := max(len(u.prev.policies), len(sources))
	u.policies, u.created = make([]*compiled, len(u.prev.policies), size), make([]time.Time, len(u.prev.policies), size)
	for i, source := range sources {
		p := policies[i]
		if n, known := u.prev.byName[p.origin.name]; known {
			u.policies[n], u.created[n] = p, source.CreationTimestamp.Time
		} else {
			fresh = append(fresh, numbered{p, source.CreationTimestamp.Time})
		}
	}
	var gone []int
	for n, p := range u.prev.policies {
		if p != nil && u.policies[n] == nil {
			gone = append(gone, n)
		}
	}
	if u.byName = u.prev.byName; len(fresh)+len(gone) > 0 || u.byName == nil {
		u.byName = maps.Clone(u.byName)
		if u.byName == nil {
			u.byName = make(map[types.NamespacedName]int, len(fresh))
		}
	}
	for _, n := range gone {
		delete(u.byName, u.prev.policies[n].origin.name)
	}
	slices.SortFunc(fresh, func(a, b numbered) int { return compareAge(a.p, a.created, b.p, b.created) })
	free := 0
	for _, f := range fresh {
		n, known := u.byName[f.p.origin.name] // two of one name
		for !known && free < len(u.policies) && u.policies[free] != nil {
			free++
		}
		switch {
		case known:
		case free < len(u.policies):
			n = free
		default:
			n = len(u.policies)
			u.policies, u.created = append(u.policies, nil), append(u.created, time.Time{})
		}
		u.policies[n], u.created[n], u.byName[f.p.origin.name] = f.p, f.created, n
	}
	u.arrange()
}

// arrange puts the numbers in order of age.
func (u *update) arrange() {
	kept, moved := make([]int, 0, len(u.policies)), []int{}
	settled := make([]bool, len(u.policies))
	for _, n := range u.prev.order {
		if p := u.policies[n]; p != nil && p.origin.name == u.prev.policies[n].origin.name && u.created[n].Equal(u.prev.created[n]) {
			kept, settled[n] = append(kept, n), true
		}
	}
	for n, p := range u.policies {
		if p != nil && !settled[n] {
			moved = append(moved, n)
		}
	}
	if len(moved) == 0 && len(kept) == len(u.prev.order) {
		u.order = u.prev.order
		return
	}
	slices.SortFunc(moved, u.older)
	for len(moved) > 0 && len(kept) > 0 {
		next := &kept
		if u.older(moved[0], kept[0]) < 0 {
			next = &moved
		}
		u.order = append(u.order, (*next)[0])
		*next = (*next)[1:]
	}
	u.order = append(append(u.order, kept...), moved...)
}

// older orders policies as ties are decided: the older first, then by namespace
// and name.
func (u *update) older(a, b int) int {
	return compareAge(u.policies[a], u.created[a], u.policies[b], u.created[b])
}

func compareAge(a *compiled, aCreated time.Time, b *compiled, bCreated time.Time) int {
	return cmp.Or(aCreated.Compare(bCreated), cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.origin.name.Name, b.origin.name.Name))
}

// age is the age of a policy as package match compares it.
func (u *update) age(n int) match.Age {
	return match.Age{Created: u.created[n], Name: u.policies[n].namespace + "\x00" + u.policies[n].origin.name.Name}
}

// changed says whether a number stands for another policy than before, or for
// one that was compiled anew. Either may be nil.
func (u *update) changed(n int) (before, now *compiled, changed bool) {
	if n < len(u.prev.policies) {
		before = u.prev.policies[n]
	}
	if n < len(u.policies) {
		now = u.policies[n]
	}
	return before, now, before != now
}

// numbers is one more than the largest number, of before or now.
func (u *update) numbers() int { return max(len(u.policies), len(u.prev.policies)) }

// use collects the pooled things of the policies.
func (u *update) use() {
	same := u.prev.used != nil
	for n := range u.numbers() {
		before, now, changed := u.changed(n)
		same = same && (!changed || maps.Equal(before.pooled(), now.pooled()))
	}
	if u.used, u.tenants = u.prev.used, u.prev.tenants; same {
		return
	}
	u.used, u.tenants = map[poolKey]*pooled{}, u.tenantsOfPooled()
	for _, n := range u.order {
		maps.Copy(u.used, u.policies[n].origin.pooled)
	}
}

func (p *compiled) pooled() map[poolKey]*pooled {
	if p == nil {
		return nil
	}
	return p.origin.pooled
}
