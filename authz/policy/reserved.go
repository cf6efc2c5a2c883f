package policy

import (
	"cmp"
	"slices"
	"strings"

	"github.com/agentauth-dev/agentauth/authz/hostgrant"
	"github.com/agentauth-dev/agentauth/authz/match"
)

// Reserved are the names that the policies of a hostname pattern set upstream. A name
// means the same on every path of the host, so a caller must not send it on any. They
// never change.
type Reserved struct {
	// namespaces are in order, each there once.
	namespaces []namespaceNames
	// all are the names of all namespaces, in order of their aliases. An alias may be
	// there several times.
	all Names
}

type namespaceNames struct {
	namespace string
	names     Names
}

func newReserved(namespaces []namespaceNames) *Reserved {
	slices.SortFunc(namespaces, func(a, b namespaceNames) int { return cmp.Compare(a.namespace, b.namespace) })
	r := &Reserved{namespaces: namespaces}
	if len(namespaces) == 1 { // usual
		r.all = namespaces[0].names
		return r
	}
	for _, n := range namespaces {
		r.all = append(r.all, n.names...)
	}
	slices.SortFunc(r.all, func(a, b Name) int { return cmp.Or(cmp.Compare(a.Alias, b.Alias), cmp.Compare(a.Name, b.Name)) })
	r.all = slices.Compact(r.all)
	return r
}

// of are the names of a namespace.
func (r *Reserved) of(namespace string) Names {
	i, ok := slices.BinarySearchFunc(r.namespaces, namespace, func(n namespaceNames, namespace string) int {
		return strings.Compare(n.namespace, namespace)
	})
	if !ok {
		return nil
	}
	return r.namespaces[i].names
}

// Only are the names of some of the namespaces.
func (r *Reserved) Only(namespaces func(string) bool) *Reserved {
	var some []namespaceNames
	for _, n := range r.namespaces {
		if namespaces(n.namespace) {
			some = append(some, n)
		}
	}
	if len(some) == len(r.namespaces) {
		return r
	}
	return newReserved(some)
}

// Reservations are what namespaces reserve on hostname patterns: by pattern, then by
// namespace, the names of each policy.
type Reservations map[string]map[string][]Names

// Add adds names that a namespace reserves on a pattern. Of two names that have one
// alias the last one counts.
func (r Reservations) Add(pattern, namespace string, names Names) {
	if r[pattern] == nil {
		r[pattern] = map[string][]Names{}
	}
	r[pattern][namespace] = append(r[pattern][namespace], names)
}

// And are those of both. It changes neither.
func (r Reservations) And(more Reservations) Reservations {
	if len(more) == 0 {
		return r
	}
	out := Reservations{}
	for _, one := range []Reservations{r, more} {
		for pattern, namespaces := range one {
			for ns, lists := range namespaces {
				for _, names := range lists {
					out.Add(pattern, ns, names)
				}
			}
		}
	}
	return out
}

// Covering lists, at each pattern, the reserved headers of all patterns that cover
// it: at the most specific pattern of a host stand all that count there. With
// grants, those of namespaces that may not use the pattern are left out, and each
// pattern of a grant has an entry: its hosts do not fall to a wider one.
func (r Reservations) Covering(grants *hostgrant.Table) map[string][]*Reserved {
	reserved := make(map[string]*Reserved, len(r))
	out := make(map[string][]*Reserved, len(r))
	shared, alone := map[onePolicy]*Reserved{}, map[*Reserved][]*Reserved{}
	for pattern := range r {
		reserved[pattern], out[pattern] = r.at(pattern, shared), nil
	}
	for pattern := range grants.Patterns() {
		out[pattern] = nil
	}
	for pattern := range out {
		for wider := range match.Covering(pattern) {
			all := reserved[wider]
			if all == nil {
				continue
			}
			if some := all.Only(func(ns string) bool { return grants.Permits(ns, pattern) }); len(some.all) > 0 {
				if alone[some] == nil {
					alone[some] = []*Reserved{some}
				}
				if out[pattern] == nil { // usual
					out[pattern] = alone[some]
				} else {
					out[pattern] = append(out[pattern], some) // which copies the list that is shared
				}
			}
		}
	}
	return out
}

// onePolicy is what a pattern of one policy reserves: policies of a template share
// their names.
type onePolicy struct {
	namespace string
	first     *Name
	count     int
}

// at are the reserved headers of a pattern. The names of a namespace of one policy
// are shared with the policy, and what they make with other patterns.
func (r Reservations) at(pattern string, shared map[onePolicy]*Reserved) (out *Reserved) {
	if len(r[pattern]) == 1 {
		for ns, lists := range r[pattern] {
			if len(lists) == 1 && len(lists[0]) > 0 {
				key := onePolicy{ns, &lists[0][0], len(lists[0])}
				if shared[key] != nil {
					return shared[key]
				}
				defer func() { shared[key] = out }()
			}
		}
	}
	namespaces := make([]namespaceNames, 0, len(r[pattern]))
	for ns, lists := range r[pattern] {
		names := lists[0]
		if len(lists) > 1 {
			names = sorted(slices.Concat(lists...))
		}
		namespaces = append(namespaces, namespaceNames{ns, names})
	}
	return newReserved(namespaces)
}
