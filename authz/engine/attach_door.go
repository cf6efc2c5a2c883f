package engine

import (
	"cmp"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/authz/match"
)

// door is a port of a Gateway, where all its listeners compete for a request.
//
// Some proxies merge the routes of these listeners, others let only the
// listener with the most specific hostname serve (Gateway API's isolation), and
// they order some matches differently. Whatever any of them does is possible.
type door struct {
	listeners []*listener
	merged    table
	// isolated are the tables of each listener, where that makes a difference.
	isolated map[*listener]*table
}

// table is who serves what, in each order that proxies have.
type table struct {
	orders []*match.Index
	from   []origins // of each entry
	// unreadable are rules whose matches cannot be entered here. They may serve
	// any request on their host.
	unreadable []vague

	regex, prefix, method, header bool
	entries                       []match.Entry
}

// origins are where an entry comes from.
type origins struct {
	route *gatewayRoute
	rule  string
}

type vague struct {
	origins
	hostname string
}

// openDoors makes the tables of all ports.
func (a *attachments) openDoors() {
	type port struct {
		gateway string
		number  int32
	}
	doors := map[port]*door{}
	at := map[*listener]*door{}
	for owner, g := range a.routes {
		for _, att := range g.attached {
			d := at[att.on]
			if d == nil {
				key := port{att.on.gateway.String(), att.on.port}
				if d = doors[key]; d == nil {
					d = &door{isolated: map[*listener]*table{}}
					doors[key] = d
					a.doors = append(a.doors, d)
				}
				at[att.on] = d
				d.listeners = append(d.listeners, att.on)
				d.isolated[att.on] = &table{}
			}
			a.enter(&d.merged, g, owner, att.hostnames)
			a.enter(d.isolated[att.on], g, owner, att.hostnames)
		}
	}
	for _, d := range a.doors {
		d.merged.build()
		if !d.overlap() {
			d.isolated = nil
			continue
		}
		for _, t := range d.isolated {
			t.build()
		}
	}
}

// overlap says whether a host may be one of several listeners'.
func (d *door) overlap() bool {
	for i, x := range d.listeners {
		for _, y := range d.listeners[:i] {
			if within(x.hostname, y.hostname) || within(y.hostname, x.hostname) {
				return true
			}
		}
	}
	return false
}

// enter writes the rules of a route into a table.
func (a *attachments) enter(t *table, g *gatewayRoute, owner int, hostnames []string) {
	for i, rule := range g.rules {
		// Rules without a policy of their own lead to one outcome.
		outcome := 0
		if rule.name != "" && a.onRoute(g, rule.name) != a.onRoute(g, "") {
			outcome = i + 1
		}
		for _, m := range rule.matches {
			readable := match.Check(match.Entry{Hostname: "*", Match: m}) == nil
			for _, h := range hostnames {
				if !readable {
					t.unreadable = append(t.unreadable, vague{origins{g, rule.name}, h})
					continue
				}
				t.entries = append(t.entries, match.Entry{Hostname: h, Match: m, Owner: owner, Rule: outcome})
				t.from = append(t.from, origins{g, rule.name})
			}
			t.note(m)
		}
	}
}

// note sees whether orders differ here.
func (t *table) note(m gatewayv1.HTTPRouteMatch) {
	isRegex := isRegex(m)
	t.regex, t.prefix = t.regex || isRegex, t.prefix || !isRegex
	t.method = t.method || m.Method != nil
	t.header = t.header || m.Method == nil && len(m.Headers) > 0
}

func isRegex(m gatewayv1.HTTPRouteMatch) bool {
	return m.Path != nil && m.Path.Type != nil && *m.Path.Type == gatewayv1.PathMatchRegularExpression
}

// build makes an index for each order that differs: regular expressions behind
// prefixes or before them, and a method before headers or one of them.
func (t *table) build() {
	regexes, methods := []match.RegexOrder{match.LongestFirst}, []bool{false}
	if t.regex && t.prefix {
		regexes = append(regexes, match.LongestBeforePrefixes)
	}
	if t.method && t.header {
		methods = append(methods, true)
	}
	for _, r := range regexes {
		for _, m := range methods {
			index, _, err := match.Build(t.entries, match.Options{Regex: r, MethodIsHeader: m})
			if err != nil {
				panic(err) // enter checked every entry
			}
			t.orders = append(t.orders, index)
		}
	}
}

// served is what may serve a request, as far as one reading of its path goes.
type served struct {
	places []place
	// cause is what can be read in two ways that lead to different routes.
	cause string
	late  bool
}

// serve finds who serves a request at any door.
func (a *attachments) serve(host string, v match.View) served {
	var s served
	for _, d := range a.doors {
		d.serve(&s, host, v)
		if s.cause != "" || s.late {
			break
		}
	}
	return s
}

func (d *door) serve(s *served, host string, v match.View) {
	d.merged.serve(s, host, v)
	if d.isolated == nil {
		return
	}
	longest := ""
	for _, l := range d.listeners {
		if within(host, l.hostname) && specific(l.hostname, longest) > 0 {
			longest = l.hostname
		}
	}
	for _, l := range d.listeners {
		if l.hostname == longest {
			d.isolated[l].serve(s, host, v)
		}
	}
}

// specific compares patterns of one host: an exact one, then the longest.
func specific(a, b string) int {
	exact := func(h string) int { return cmp.Compare(strings.Count(h, "*"), 0) }
	if a == "" || b == "" {
		return cmp.Compare(len(a), len(b))
	}
	return cmp.Or(cmp.Compare(exact(b), exact(a)), cmp.Compare(len(a), len(b)))
}

// serve adds the places of the route that wins in any order.
func (t *table) serve(s *served, host string, v match.View) {
	for _, index := range t.orders {
		r := index.Lookup(host, v)
		if r.Ambiguous {
			s.cause = r.Cause
		}
		if s.late = s.late || r.Late; s.late || s.cause != "" {
			return
		}
		if n, ok := r.Entry(); ok {
			s.add(t.from[n], host)
		}
	}
	for _, u := range t.unreadable {
		if within(host, u.hostname) {
			s.add(u.origins, host)
		}
	}
}

// add adds every place where the route may serve the host, at other doors too:
// so what is found without the proxy's word is never less than with it.
func (s *served) add(o origins, host string) {
	for _, p := range o.route.places(o.rule, func(at attachment) bool { return at.covers(host) }) {
		if !slices.Contains(s.places, p) {
			s.places = append(s.places, p)
		}
	}
}
