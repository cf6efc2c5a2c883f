package attach

import (
	"slices"

	"github.com/agentauth-dev/agentauth/authz/match"
)

// region is the hosts of a hostname grant that no narrower grant covers. Its ports
// have the routes of the namespaces that were granted these hosts, and no others.
type region struct{ ports []*port }

// portsOf are the ports on which a host is looked up.
func (a *Attachments) portsOf(host string) []*port {
	if r, ok := match.Closest(a.regions, host); ok && r != nil {
		return r.ports
	}
	return a.ports
}

// permitted leaves of routes the hostnames that grants permit to their namespaces.
func (a *Attachments) permitted(all []attachedRoute) []attachedRoute {
	if a.grants == nil {
		return all
	}
	var out []attachedRoute
	for _, r := range all {
		out = r.appendTo(out, func(h string) bool { return a.grants.Permits(r.route.key.namespace, h) })
	}
	return out
}

// appendTo appends the route with those of its hostnames that are wanted, if there
// are any.
func (r attachedRoute) appendTo(list []attachedRoute, wanted func(hostname string) bool) []attachedRoute {
	at := attachment{on: r.at.on}
	for i, h := range r.at.hostnames {
		if wanted(h) {
			at.hostnames, at.own = append(at.hostnames, h), append(at.own, r.at.own[i])
		}
	}
	if len(at.hostnames) == 0 {
		return list
	}
	r.at = at
	return append(list, r)
}

// makeRegions makes a region for each grant. Mostly a region is nil: it has the
// tables of all hosts. It has tables of its own where a namespace has a hostname
// that is wider than the grant, and may use that hostname but not the granted hosts,
// or the other way round. Making a region takes as long as it has routes.
func (a *Attachments) makeRegions(all []attachedRoute) {
	if a.grants == nil {
		return
	}
	a.regions = map[string]*region{}
	apart := false
	for pattern := range a.grants.Patterns() {
		a.regions[pattern] = nil
		if a.standsApart(pattern) {
			a.regions[pattern], apart = &region{}, true
		}
	}
	if !apart {
		return
	}
	within, having := a.byRegion(all)
	for pattern, r := range a.regions {
		if r == nil {
			continue
		}
		numbers := within[pattern]
		for wider := range match.Covering(pattern) {
			for ns := range a.grants.Namespaces(pattern) {
				numbers = append(numbers, having[HostUse{wider, ns}]...)
			}
		}
		slices.Sort(numbers)
		var routes []attachedRoute
		for _, n := range slices.Compact(numbers) {
			ns := all[n].route.key.namespace
			routes = all[n].appendTo(routes, func(h string) bool { // elsewhere too: see exclusive
				return a.grants.Permits(ns, narrower(h, pattern))
			})
		}
		r.ports = a.makePorts(routes)
	}
}

// standsApart says whether a region needs tables of its own.
func (a *Attachments) standsApart(pattern string) bool {
	for wider := range match.Covering(pattern) {
		for ns := range a.namespaces[wider] {
			if a.grants.Permits(ns, wider) != a.grants.Granted(ns, pattern) {
				return true
			}
		}
	}
	return false
}

// byRegion finds the numbers of the routes with a hostname within each region, and
// of the routes that have a hostname.
func (a *Attachments) byRegion(all []attachedRoute) (within map[string][]int, having map[HostUse][]int) {
	within, having = map[string][]int{}, map[HostUse][]int{}
	for n, r := range all {
		for _, h := range r.at.hostnames {
			use := HostUse{h, r.route.key.namespace}
			having[use] = append(having[use], n)
			for wider := range match.Covering(h) {
				if a.regions[wider] != nil {
					within[wider] = append(within[wider], n)
				}
			}
		}
	}
	return within, having
}

// narrower is a hostname, or a pattern that the hostname covers.
func narrower(hostname, pattern string) string {
	if match.Within(pattern, hostname) {
		return pattern
	}
	return hostname
}
