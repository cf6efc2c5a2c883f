package engine

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
)

// servedAt is where some proxy serves a request: this is what really happens,
// written down a second time and as plainly as can be.
type servedAt struct {
	route    *aRoute
	rule     string
	gateway  string
	listener string
}

func (s servedAt) String() string {
	return fmt.Sprintf("%s %s/%s rule %q on %s listener %q", s.route.kind, s.route.namespace, s.route.name, s.rule, s.gateway, s.listener)
}

// offer is a match that competes for a request.
type offer struct {
	at        servedAt
	on        aListener
	host, own string // what route and listener share, and what the route has for it
	match     aMatch
	sequence  int
}

// manner is how a proxy does what proxies do differently.
type manner struct {
	regexFirst, methodIsHeader bool
	own                        bool // the route's own hostname goes before the match
	spec                       bool // gRPC in the order of its specification
	below                      bool // a service's own path is not below it
}

// manners are all that can make a difference.
func manners(raw authz.Raw, grpc bool) []manner {
	out := []manner{{}}
	vary := func(change func(*manner)) {
		for _, m := range out {
			change(&m)
			out = append(out, m)
		}
	}
	vary(func(m *manner) { m.regexFirst = true })
	vary(func(m *manner) { m.methodIsHeader = true })
	vary(func(m *manner) { m.own = true })
	if grpc {
		vary(func(m *manner) { m.spec = true })
	}
	if grpc && strings.Count(raw.Path, "/") == 1 {
		vary(func(m *manner) { m.below = true })
	}
	return out
}

// entry is a port of a Gateway, and what competes there: lists of what one proxy
// or another serves.
type entry struct {
	hostnames []string // of its listeners
	lists     [][]offer
	notGRPC   []offer // a further list, where a request is not of gRPC
	grpc      bool
}

// entries are all ports of all Gateways.
func entries(in Input) []entry {
	var out []entry
	routes := routesOf(in)
	for _, g := range in.Gateways {
		for _, port := range []gatewayv1.PortNumber{80, 443} {
			var e entry
			var all []offer
			for _, l := range listenersOf(in, g) {
				if l.port == port {
					e.hostnames = append(e.hostnames, l.hostname)
					all = append(all, offersOf(in, routes, l)...)
				}
			}
			e.lists = kindsOf(all)
			e.notGRPC = slices.DeleteFunc(slices.Clone(all), func(o offer) bool { return o.match.grpc != nil })
			e.grpc = len(e.notGRPC) < len(all)
			out = append(out, e)
		}
	}
	return out
}

// proxies are the places where some proxy would serve it: at any port, with
// listeners isolated or merged, with the two kinds of routes together or apart,
// in each manner.
func proxies(entries []entry, raw authz.Raw) []servedAt {
	var out []servedAt
	for _, e := range entries {
		most := ""
		for _, h := range e.hostnames {
			if fits(h, raw.Host) && better(h, most) {
				most = h
			}
		}
		lists := e.lists
		if e.grpc && !slices.ContainsFunc(raw.Headers, func(h authz.Header) bool { return h.Name == "content-type" }) {
			lists = append(slices.Clone(lists), e.notGRPC)
		}
		for _, list := range lists {
			var merged, isolated []offer
			for _, o := range list {
				if fits(o.host, raw.Host) {
					merged = append(merged, o)
					if o.on.hostname == most {
						isolated = append(isolated, o)
					}
				}
			}
			for _, m := range manners(raw, e.grpc) {
				for _, at := range slices.Concat(winners(merged, raw, m), winners(isolated, raw, m)) {
					if !slices.Contains(out, at) {
						out = append(out, at)
					}
				}
			}
		}
	}
	return out
}

// kindsOf are the offers where both kinds of routes are served; and where each
// listener takes one kind for a hostname, the older, and if age and name are the
// same either.
func kindsOf(all []offer) [][]offer {
	out := [][]offer{all}
	if !slices.ContainsFunc(all, func(o offer) bool { return o.match.grpc != nil }) {
		return out
	}
	for _, first := range []string{"HTTPRoute", "GRPCRoute"} {
		sorted := slices.Clone(all)
		slices.SortStableFunc(sorted, func(a, b offer) int {
			x, y := a.at.route, b.at.route
			kind := 0
			if x.kind != y.kind {
				if kind = 1; x.kind == first {
					kind = -1
				}
			}
			return cmp.Or(x.created.Compare(y.created), cmp.Compare(x.namespace, y.namespace), cmp.Compare(x.name, y.name), kind)
		})
		type attached struct {
			route *aRoute
			on    aListener
		}
		refused := map[attached]bool{}
		for i, o := range sorted {
			for _, before := range sorted[:i] {
				if !refused[attached{before.at.route, before.on}] && before.on == o.on && before.at.route.kind != o.at.route.kind &&
					(fits(before.host, o.host) || fits(o.host, before.host)) {
					refused[attached{o.at.route, o.on}] = true
				}
			}
		}
		out = append(out, slices.DeleteFunc(slices.Clone(all), func(o offer) bool { return refused[attached{o.at.route, o.on}] }))
	}
	return out
}

func fits(pattern, host string) bool {
	return pattern == "*" || pattern == host || pattern[0] == '*' && strings.HasSuffix(host, pattern[1:])
}

// better: exact before wildcards, a longer one before a shorter.
func better(a, b string) bool {
	if b == "" || a == b {
		return b == ""
	}
	if (a[0] == '*') != (b[0] == '*') {
		return a[0] != '*'
	}
	return len(a) > len(b)
}

func offersOf(in Input, routes []*aRoute, l aListener) []offer {
	var out []offer
	for _, r := range routes {
		if !r.names(l) || !admitted(in, l, r) {
			continue
		}
		hosts := r.hostnames
		if len(hosts) == 0 {
			hosts = []string{"*"}
		}
		for _, h := range hosts {
			common := h
			switch {
			case fits(l.hostname, h):
			case fits(h, l.hostname):
				common = l.hostname
			default:
				continue
			}
			for i, rule := range r.rules {
				for _, m := range rule.matches {
					out = append(out, offer{servedAt{r, rule.name, l.gateway, l.name}, l, common, h, m, i})
				}
			}
		}
	}
	return out
}

// winners are the best offers on the best host, on every listener they are on.
func winners(offers []offer, raw authz.Raw, how manner) []servedAt {
	host := ""
	for _, o := range offers {
		if better(o.host, host) {
			host = o.host
		}
	}
	var list []offer
	onlyGRPC := true
	for _, o := range offers {
		if o.host == host && o.match.holds(raw, how.below) {
			list = append(list, o)
			onlyGRPC = onlyGRPC && o.match.grpc != nil
		}
	}
	if len(list) == 0 {
		return nil
	}
	order := func(a, b offer) int {
		own := 0
		if how.own && a.own != b.own {
			if own = 1; better(a.own, b.own) {
				own = -1
			}
		}
		match := byMatch(a.match.http, b.match.http, how)
		if how.spec && onlyGRPC {
			match = bySpec(a.match.grpc, b.match.grpc)
		}
		x, y := a.at.route, b.at.route
		return cmp.Or(own, match, x.created.Compare(y.created), cmp.Compare(x.namespace, y.namespace), cmp.Compare(x.name, y.name), -cmp.Compare(x.kind, y.kind), cmp.Compare(a.sequence, b.sequence))
	}
	slices.SortStableFunc(list, order)
	var out []servedAt
	for _, o := range offers {
		if o.at.route == list[0].at.route && o.at.rule == list[0].at.rule {
			out = append(out, o.at)
		}
	}
	return out
}

func byMatch(a, b gatewayv1.HTTPRouteMatch, how manner) int {
	ma, mb, ha, hb := 0, 0, len(a.Headers), len(b.Headers)
	if a.Method != nil {
		ma = 1
	}
	if b.Method != nil {
		mb = 1
	}
	if how.methodIsHeader {
		ma, mb, ha, hb = 0, 0, ha+ma, hb+mb
	}
	return cmp.Or(cmp.Compare(rankOf(a, how.regexFirst), rankOf(b, how.regexFirst)), cmp.Compare(len(valueOf(b)), len(valueOf(a))),
		cmp.Compare(mb, ma), cmp.Compare(hb, ha), cmp.Compare(len(b.QueryParams), len(a.QueryParams)))
}

func typeOf(m gatewayv1.HTTPRouteMatch) gatewayv1.PathMatchType {
	if m.Path == nil {
		return gatewayv1.PathMatchPathPrefix
	}
	return *m.Path.Type
}

func valueOf(m gatewayv1.HTTPRouteMatch) string {
	if m.Path == nil {
		return "/"
	}
	return *m.Path.Value
}

func rankOf(m gatewayv1.HTTPRouteMatch, regexFirst bool) int {
	switch typeOf(m) {
	case gatewayv1.PathMatchExact:
		return 0
	case gatewayv1.PathMatchRegularExpression:
		if regexFirst {
			return 1
		}
		return 3
	case gatewayv1.PathMatchPathPrefix:
	}
	return 2
}

func holds(m gatewayv1.HTTPRouteMatch, raw authz.Raw) bool {
	path, query, _ := strings.Cut(raw.Path, "?")
	value := valueOf(m)
	switch typeOf(m) {
	case gatewayv1.PathMatchExact:
		if path != value {
			return false
		}
	case gatewayv1.PathMatchRegularExpression:
		if !whole(value, path) {
			return false
		}
	case gatewayv1.PathMatchPathPrefix:
		if value != "/" && path != value && !strings.HasPrefix(path, value+"/") {
			return false
		}
	}
	if m.Method != nil && string(*m.Method) != raw.Method || len(m.QueryParams) > 0 && query != "q=1" {
		return false
	}
	for _, h := range m.Headers {
		if !slices.ContainsFunc(raw.Headers, func(f authz.Header) bool { return f.Name == string(h.Name) }) {
			return false
		}
	}
	return true
}

// truthOf is the policy of a place, by the order of the six.
func truthOf(in Input, at servedAt, raw authz.Raw, _ Options) string {
	policies := slices.Clone(in.Policies)
	slices.SortFunc(policies, func(a, b *v1alpha1.AgentAuthPolicy) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	targets := func(namespace string, kind v1alpha1.TargetKind, name, section string, override bool) *v1alpha1.AgentAuthPolicy {
		for _, p := range policies {
			if p.Namespace == namespace && (p.Spec.Precedence == v1alpha1.PrecedenceOverride) == override &&
				slices.Contains(p.Spec.TargetRefs, v1alpha1.TargetReference{Group: v1alpha1.GatewayGroup, Kind: kind, Name: name, SectionName: section}) {
				return p
			}
		}
		return nil
	}
	say := func(p *v1alpha1.AgentAuthPolicy) string {
		if len(p.Spec.Authentication.Methods) == 0 {
			return "503 " + p.Namespace + "/" + p.Name
		}
		return p.Namespace + "/" + p.Name
	}
	steps := []*v1alpha1.AgentAuthPolicy{
		targets("shop", "Gateway", at.gateway, "", true), targets("shop", "Gateway", at.gateway, at.listener, true),
	}
	kind := v1alpha1.TargetKind(at.route.kind)
	lost := targetsOfLostRules(policies, at.route)
	if steps[0] == nil && steps[1] == nil && lost != "" {
		return lost
	}
	if at.rule != "" {
		steps = append(steps, targets(at.route.namespace, kind, at.route.name, at.rule, false))
	}
	steps = append(steps, targets(at.route.namespace, kind, at.route.name, "", false))
	// Its own `routes`: the best host, and the best match there.
	var best *gatewayv1.HTTPRouteMatch
	var own *v1alpha1.AgentAuthPolicy
	host := ""
	for _, p := range policies {
		for _, r := range p.Spec.Routes {
			if h := string(r.Hostnames[0]); p.Namespace == at.route.namespace && fits(h, raw.Host) && better(h, host) {
				host = h
			}
		}
	}
	for _, p := range policies {
		for _, r := range p.Spec.Routes {
			if p.Namespace != at.route.namespace || string(r.Hostnames[0]) != host {
				continue
			}
			m := gatewayv1.HTTPRouteMatch{}
			if len(r.Matches) > 0 {
				m = r.Matches[0]
			}
			o := m
			if holds(m, raw) && (best == nil || moreSpecific(m, *best)) {
				best, own = &o, p
			}
		}
	}
	steps = append(steps, own, targets("shop", "Gateway", at.gateway, at.listener, false), targets("shop", "Gateway", at.gateway, "", false))
	for _, p := range steps {
		if p != nil {
			return say(p)
		}
	}
	return "none"
}

// targetsOfLostRules says that a policy is for a rule that the route has not: then
// all of the route answers 503.
func targetsOfLostRules(policies []*v1alpha1.AgentAuthPolicy, r *aRoute) string {
	for _, p := range policies {
		for _, ref := range p.Spec.TargetRefs {
			if p.Namespace == r.namespace && string(ref.Kind) == r.kind && ref.Name == r.name && ref.SectionName != "" &&
				!slices.ContainsFunc(r.rules, func(rule aRule) bool { return rule.name == ref.SectionName }) {
				return "503 " + p.Namespace + "/" + p.Name
			}
		}
	}
	return ""
}

func moreSpecific(a, b gatewayv1.HTTPRouteMatch) bool {
	method := func(m gatewayv1.HTTPRouteMatch) int {
		if m.Method != nil {
			return 1
		}
		return 0
	}
	if typeOf(a) == gatewayv1.PathMatchRegularExpression && typeOf(b) == gatewayv1.PathMatchRegularExpression {
		return false // the older
	}
	return cmp.Or(cmp.Compare(rankOf(a, false), rankOf(b, false)), cmp.Compare(len(valueOf(b)), len(valueOf(a))), cmp.Compare(method(b), method(a)),
		cmp.Compare(len(b.Headers), len(a.Headers)), cmp.Compare(len(b.QueryParams), len(a.QueryParams))) < 0
}
