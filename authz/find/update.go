package find

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/agentauth-dev/agentauth/authz/match"
)

// update makes a Snapshot of the one before. What did not change it takes over:
// the change of a policy costs what that policy costs, and a look at each of the
// others.
type update struct {
	*Snapshot
	prev    *Snapshot
	places  []int // in the list, by number
	judged  bool  // the verdicts are those of the snapshot before
	changes changes
	// reattached are the hostnames of routes of Gateway API that changed.
	// routesAlone: nothing else of the attachments did.
	reattached  map[string]bool
	routesAlone bool
	// enforced is set in the update of a trial: the Snapshot without its shadowed
	// policies, and beside the update that made it.
	enforced *Snapshot
	beside   *update
}

// Update makes a Snapshot of policies and of the Snapshot before, which it does not
// change; nil has all made anew. listed has, for the number of each policy, its
// place in the list of policies.
func Update(prev *Snapshot, options Options, in Input, policies []Listed) (next *Snapshot, listed []int) {
	if prev == nil {
		prev = &Snapshot{}
	}
	u := &update{Snapshot: &Snapshot{options: options}, prev: prev}
	if slices.ContainsFunc(policies, func(p Listed) bool { return p.Shadow }) {
		return u.withTrial(&in, policies)
	}
	u.number(policies)
	u.make(&in)
	return u.Snapshot, u.places
}

// make makes the Snapshot of the policies, which have their numbers.
func (u *update) make(in *Input) {
	u.over = boundNamespaces(u.policies, u.order, u.prev.over)
	u.separate(in)
	u.attach(in.Objects)
	u.hasRoutes = u.attached.HasRoutes()
	u.judge()
	u.place()
	u.hide()
	u.reserve()
	u.program()
	u.answers()
}

// number gives each policy the number that the policy of this name had before.
func (u *update) number(policies []Listed) {
	var fresh []int // in the list
	size := max(len(u.prev.policies), len(policies))
	u.policies, u.created = make([]*Policy, len(u.prev.policies), size), make([]time.Time, len(u.prev.policies), size)
	u.places, u.listed = make([]int, len(u.prev.policies), size), make([]int, len(policies))
	for i, p := range policies {
		if n, known := u.numberBefore(i, p.Name); known {
			u.policies[n], u.created[n], u.places[n], u.listed[i] = p.Policy, p.Created, i, n
		} else {
			fresh = append(fresh, i)
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
		delete(u.byName, u.prev.policies[n].Name)
	}
	slices.SortFunc(fresh, func(a, b int) int { return compareAge(policies[a], policies[b]) })
	free := 0
	for _, i := range fresh {
		p := policies[i]
		n, known := u.byName[p.Name] // two of one name
		for !known && free < len(u.policies) && u.policies[free] != nil {
			free++
		}
		switch {
		case known:
		case free < len(u.policies):
			n = free
		default:
			n = len(u.policies)
			u.policies, u.created, u.places = append(u.policies, nil), append(u.created, time.Time{}), append(u.places, 0)
		}
		u.policies[n], u.created[n], u.places[n], u.byName[p.Name], u.listed[i] = p.Policy, p.Created, i, n, n
	}
	u.arrange()
}

// numberBefore is the number that the policy of a name had. Most are at the place in
// the list where they were.
func (u *update) numberBefore(at int, name types.NamespacedName) (n int, known bool) {
	if at < len(u.prev.listed) {
		if n = u.prev.listed[at]; u.prev.policies[n] != nil && u.prev.policies[n].Name == name {
			return n, true
		}
	}
	n, known = u.prev.byName[name]
	return n, known
}

// arrange puts the numbers in order of age.
func (u *update) arrange() {
	kept, moved := make([]int, 0, len(u.policies)), []int{}
	settled := make([]bool, len(u.policies))
	for _, n := range u.prev.order {
		if p := u.policies[n]; p != nil && p.Name == u.prev.policies[n].Name && u.created[n].Equal(u.prev.created[n]) {
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
	return compareAge(Listed{u.policies[a], u.created[a]}, Listed{u.policies[b], u.created[b]})
}

func compareAge(a, b Listed) int {
	return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Name.Namespace, b.Name.Namespace), cmp.Compare(a.Name.Name, b.Name.Name))
}

// age is the age of a policy as package match compares it.
func (u *update) age(n int) match.Age {
	return match.Age{Created: u.created[n], Namespace: u.policies[n].Name.Namespace, Name: u.policies[n].Name.Name}
}

// changed says whether a number stands for another policy than before, or for
// one that was compiled anew. Either may be nil.
func (u *update) changed(n int) (before, now *Policy, changed bool) {
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
