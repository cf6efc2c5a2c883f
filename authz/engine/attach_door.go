package engine

import (
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/authz/match"
)

// port is a port of a Gateway, where all its listeners compete for a request.
// Proxies differ in what they make of it; whatever any of them does is possible.
type port struct {
	listeners []*listener
	// views are what they make of it: the first is all that is attached.
	behaviours []*behaviour
}

// behaviour is what a port serves in some proxies. Some of them merge the routes of its
// listeners, others let only the listener with the most specific hostname serve
// (Gateway API's isolation).
type behaviour struct {
	merged table
	// isolated are the tables of each listener, where that makes a difference.
	isolated map[*listener]*table
	// when says for which requests; nil is all.
	when func(match.View) bool
}

// attachedRoute is a route that is attached to a listener of a port.
type attachedRoute struct {
	route *gatewayRoute
	owner int
	at    attachment
}

// makePorts makes the tables of all ports.
func (a *attachments) makePorts() {
	type portKey struct {
		gateway string
		number  int32
	}
	ports := map[portKey]*port{}
	routes := map[*port][]attachedRoute{}
	for owner, g := range a.routes {
		for _, att := range g.attached {
			key := portKey{att.on.gateway.String(), att.on.port}
			d := ports[key]
			if d == nil {
				d = &port{}
				ports[key] = d
				a.ports = append(a.ports, d)
			}
			if !slices.Contains(d.listeners, att.on) {
				d.listeners = append(d.listeners, att.on)
			}
			routes[d] = append(routes[d], attachedRoute{g, owner, att})
		}
	}
	for _, d := range a.ports {
		all := routes[d]
		d.behaviours = append(d.behaviours, a.behaviourOf(d, all, nil))
		d.behaviours = append(d.behaviours, a.grpcBehaviours(d, all)...)
	}
}

// behaviourOf is what a port serves, but for matches to leave out.
func (a *attachments) behaviourOf(d *port, routes []attachedRoute, without func(attachedRoute, gatewayv1.HTTPRouteMatch) bool) *behaviour {
	v := &behaviour{}
	if d.overlap() {
		v.isolated = map[*listener]*table{}
		for _, l := range d.listeners {
			v.isolated[l] = &table{}
		}
	}
	for _, e := range routes {
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
func (v *behaviour) forget() {
	v.merged.forget()
	for _, t := range v.isolated {
		t.forget()
	}
}

// overlap says whether a host may be one of several listeners'.
func (d *port) overlap() bool {
	for i, x := range d.listeners {
		for _, y := range d.listeners[:i] {
			if match.Overlap(x.hostname, y.hostname) {
				return true
			}
		}
	}
	return false
}

// served is what may serve a request, as far as one reading of its path goes.
type served struct {
	servingRules []servingRule
	// cause is what can be read in two ways that lead to different routes.
	cause string
	late  bool
}

// serve finds who serves a request at any port.
func (a *attachments) serve(host string, v match.View) served {
	var s served
	for _, d := range a.ports {
		for _, w := range d.behaviours {
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

func (d *port) serve(w *behaviour, s *served, host string, v match.View) {
	w.merged.serve(s, host, v)
	if w.isolated == nil {
		return
	}
	longest := ""
	for _, l := range d.listeners {
		if match.Within(host, l.hostname) && match.CompareHostnames(l.hostname, longest) > 0 {
			longest = l.hostname
		}
	}
	for _, l := range d.listeners {
		if l.hostname == longest {
			w.isolated[l].serve(s, host, v)
		}
	}
}

// add adds every rule by which the route may serve the host, at other ports too:
// so what is found without the proxy's word is never less than with it.
func (s *served) add(o origins, host string) {
	for _, p := range o.route.servingRules(o.rule, func(at attachment) bool { return at.covers(host) }) {
		if !slices.Contains(s.servingRules, p) {
			s.servingRules = append(s.servingRules, p)
		}
	}
}
