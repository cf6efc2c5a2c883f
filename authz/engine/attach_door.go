package engine

import (
	"cmp"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/authz/match"
)

// door is a port of a Gateway, where all its listeners compete for a request.
// Proxies differ in what they make of it; whatever any of them does is possible.
type door struct {
	listeners []*listener
	// views are what they make of it: the first is all that is attached.
	views []*view
}

// view is what a door has in some proxies. Some of them merge the routes of its
// listeners, others let only the listener with the most specific hostname serve
// (Gateway API's isolation).
type view struct {
	merged table
	// isolated are the tables of each listener, where that makes a difference.
	isolated map[*listener]*table
	// when says for which requests; nil is all.
	when func(match.View) bool
}

// entrance is a route that is attached to a listener of a door.
type entrance struct {
	route *gatewayRoute
	owner int
	at    attachment
}

// openDoors makes the tables of all ports.
func (a *attachments) openDoors() {
	type port struct {
		gateway string
		number  int32
	}
	doors := map[port]*door{}
	entrances := map[*door][]entrance{}
	for owner, g := range a.routes {
		for _, att := range g.attached {
			key := port{att.on.gateway.String(), att.on.port}
			d := doors[key]
			if d == nil {
				d = &door{}
				doors[key] = d
				a.doors = append(a.doors, d)
			}
			if !slices.Contains(d.listeners, att.on) {
				d.listeners = append(d.listeners, att.on)
			}
			entrances[d] = append(entrances[d], entrance{g, owner, att})
		}
	}
	for _, d := range a.doors {
		all := entrances[d]
		d.views = append(d.views, a.viewOf(d, all, nil))
		d.views = append(d.views, a.grpcViews(d, all)...)
	}
}

// viewOf is what comes through a door, but for matches to leave out.
func (a *attachments) viewOf(d *door, entrances []entrance, without func(entrance, gatewayv1.HTTPRouteMatch) bool) *view {
	v := &view{}
	if d.overlap() {
		v.isolated = map[*listener]*table{}
		for _, l := range d.listeners {
			v.isolated[l] = &table{}
		}
	}
	for _, e := range entrances {
		a.enter(&v.merged, e, without)
		if v.isolated != nil {
			a.enter(v.isolated[e.at.on], e, without)
		}
	}
	v.merged.build()
	for _, t := range v.isolated {
		t.build()
	}
	return v
}

// forget drops what only building needs.
func (v *view) forget() {
	v.merged.forget()
	for _, t := range v.isolated {
		t.forget()
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
		for _, w := range d.views {
			if w.when != nil && !w.when(v) {
				continue
			}
			d.serve(w, &s, host, v)
			if s.cause != "" || s.late {
				return s
			}
		}
	}
	return s
}

func (d *door) serve(w *view, s *served, host string, v match.View) {
	w.merged.serve(s, host, v)
	if w.isolated == nil {
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
			w.isolated[l].serve(s, host, v)
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

// add adds every place where the route may serve the host, at other doors too:
// so what is found without the proxy's word is never less than with it.
func (s *served) add(o origins, host string) {
	for _, p := range o.route.places(o.rule, func(at attachment) bool { return at.covers(host) }) {
		if !slices.Contains(s.places, p) {
			s.places = append(s.places, p)
		}
	}
}
