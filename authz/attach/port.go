package attach

import (
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/authz/match"
)

// port is a port of a Gateway. All listeners of a port compete for a request.
// Proxies differ in how; whatever any of them does is possible.
type port struct {
	listeners []*listener
	// behaviours are all that proxies do. The first one serves all attached routes.
	behaviours []*behaviour
}

// behaviour is what a port does in some proxies. Some of them merge the routes of
// its listeners, others let only the listener with the most specific hostname
// serve (Gateway API's isolation).
type behaviour struct {
	merged table
	// isolated are the tables of each listener; nil if isolation makes no
	// difference.
	isolated map[*listener]*table
	// when says for which requests; nil is all.
	when func(match.View) bool
}

// attachedRoute is a route on one of the listeners that admit it. owner is the
// index of the route among all routes, the older first.
type attachedRoute struct {
	route *route
	owner int
	at    attachment
}

func (r attachedRoute) same(other attachedRoute) bool {
	return r.route == other.route && r.at.on == other.at.on
}

func (r attachedRoute) grpc() bool { return r.route.grpc() }

// leftOut says whether a behaviour leaves out a match of a route; nil leaves out
// none.
type leftOut func(attachedRoute, gatewayv1.HTTPRouteMatch) bool

// attachedRoutes are all routes on all listeners that admit them, the older first.
func (a *Attachments) attachedRoutes() []attachedRoute {
	var out []attachedRoute
	for owner, r := range a.routes {
		for _, at := range r.attached {
			out = append(out, attachedRoute{r, owner, at})
		}
	}
	return out
}

// makePorts makes the tables of the ports that have routes.
func (a *Attachments) makePorts(all []attachedRoute) []*port {
	type portKey struct {
		gateway string
		number  int32
	}
	var out []*port
	ports := map[portKey]*port{}
	attached := map[*port][]attachedRoute{}
	for _, r := range all {
		key := portKey{r.at.on.gateway.String(), r.at.on.port}
		p := ports[key]
		if p == nil {
			p = &port{}
			ports[key] = p
			out = append(out, p)
		}
		if !slices.Contains(p.listeners, r.at.on) {
			p.listeners = append(p.listeners, r.at.on)
		}
		attached[p] = append(attached[p], r)
	}
	for _, p := range out {
		p.behaviours = append([]*behaviour{a.behaviour(p, attached[p], nil)}, a.grpcBehaviours(p, attached[p])...)
	}
	return out
}

// behaviour makes the tables of some routes.
func (a *Attachments) behaviour(p *port, routes []attachedRoute, without leftOut) *behaviour {
	b := &behaviour{}
	if p.overlap() {
		b.isolated = map[*listener]*table{}
		for _, l := range p.listeners {
			b.isolated[l] = &table{}
		}
	}
	for _, r := range routes {
		a.enter(&b.merged, r, without)
		if b.isolated != nil {
			a.enter(b.isolated[r.at.on], r, without)
		}
	}
	b.merged.build()
	for _, t := range b.isolated {
		t.build()
	}
	return b
}

// forget drops what only New needs.
func (b *behaviour) forget() {
	b.merged.forget()
	for _, t := range b.isolated {
		t.forget()
	}
}

// overlap says whether two listeners may have one host.
func (p *port) overlap() bool {
	for i, x := range p.listeners {
		for _, y := range p.listeners[:i] {
			if match.Overlap(x.hostname, y.hostname) {
				return true
			}
		}
	}
	return false
}

// Served are the rules by which some proxy serves a request, for one reading of
// its path.
type Served struct {
	Rules []ServingRule
	// Cause is the part of the request that can be read in two ways which lead to
	// different rules; "" if there is none. Rules is of no use then.
	Cause string
	// Late says that the request's time ended first. Rules is of no use then.
	Late bool

	// Groups are what Respelled finds: for each order that proxies have the best rules
	// for a server which ignores letter case, where the rule that serves the request
	// is not one of them. Each is given on every listener where it may serve.
	Groups    [][][]ServingRule
	respelled bool
}

// Serve finds the rules that may serve a request, on any port of any Gateway.
func (a *Attachments) Serve(host string, v match.View) Served {
	var s Served
	a.serve(&s, host, v)
	return s
}

// Respelled is Serve for a server that takes paths which differ in letter case, or
// in the final slash of an Exact path, for one: see [match.Index.Respelled].
func (a *Attachments) Respelled(host string, v match.View) Served {
	s := Served{respelled: true}
	a.serve(&s, host, v)
	return s
}

func (a *Attachments) serve(s *Served, host string, v match.View) {
	for _, p := range a.portsOf(host) {
		for _, b := range p.behaviours {
			if b.when != nil && !b.when(v) {
				continue
			}
			p.serve(b, s, host, v)
			if s.Cause != "" || s.Late {
				return
			}
		}
	}
}

func (p *port) serve(b *behaviour, s *Served, host string, v match.View) {
	b.merged.serve(s, host, v)
	if b.isolated == nil {
		return
	}
	closest := ""
	for _, l := range p.listeners {
		if match.Within(host, l.hostname) && match.CompareHostnames(l.hostname, closest) > 0 {
			closest = l.hostname
		}
	}
	for _, l := range p.listeners {
		if l.hostname == closest {
			b.isolated[l].serve(s, host, v)
		}
	}
}

// add adds a rule on every listener where it may serve the host, on other ports
// too. So the proxy's word never allows a rule that Serve does not return.
func (s *Served) add(o origin, host string) {
	for i := range o.route.attached {
		at := &o.route.attached[i]
		if r := (ServingRule{o.route, o.rule, at.on}); at.covers(host) && !slices.Contains(s.Rules, r) {
			s.Rules = append(s.Rules, r)
		}
	}
}

// entry is the entry that a lookup found. It notes why a lookup gives none.
func (s *Served) entry(r match.Result) (int, bool) {
	if r.Ambiguous && s.Cause == "" {
		s.Cause = r.Cause
	}
	s.Late = s.Late || r.Late
	return r.Entry()
}
