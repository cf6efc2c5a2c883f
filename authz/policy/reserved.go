package policy

import (
	"github.com/agentauth-dev/agentauth/authz/hostgrant"
	"github.com/agentauth-dev/agentauth/authz/match"
)

// Reservations are the reserved headers of each hostname pattern.
type Reservations map[string]Reserved

// Add adds names that a namespace reserves on a pattern.
func (r Reservations) Add(pattern, namespace string, names Names) {
	if r[pattern] == nil {
		r[pattern] = Reserved{}
	}
	r[pattern].Add(namespace, names)
}

// And are those of both. It changes neither.
func (r Reservations) And(more Reservations) Reservations {
	if len(more) == 0 {
		return r
	}
	out := Reservations{}
	for _, one := range []Reservations{r, more} {
		for pattern, reserved := range one {
			for ns, names := range reserved {
				out.Add(pattern, ns, names)
			}
		}
	}
	return out
}

// Covering lists, at each pattern, the reserved headers of all patterns that cover
// it: at the most specific pattern of a host stand all that count there. With
// grants, those of namespaces that may not use the pattern are left out, and each
// pattern of a grant has an entry: its hosts do not fall to a wider one.
func (r Reservations) Covering(grants *hostgrant.Table) map[string][]Reserved {
	out := make(map[string][]Reserved, len(r))
	for pattern := range r {
		out[pattern] = nil
	}
	for pattern := range grants.Patterns() {
		out[pattern] = nil
	}
	for pattern := range out {
		for wider := range match.Covering(pattern) {
			if some := r[wider].permitted(grants, pattern); len(some) > 0 {
				out[pattern] = append(out[pattern], some)
			}
		}
	}
	return out
}

// permitted leaves the namespaces that may use a pattern.
func (r Reserved) permitted(grants *hostgrant.Table, pattern string) Reserved {
	out := Reserved{}
	for ns, names := range r {
		if grants.Permits(ns, pattern) {
			out[ns] = names
		}
	}
	if len(out) == len(r) {
		return r
	}
	return out
}
