package engine

import (
	"maps"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/match"
)

// table is who serves what, in each order that proxies have.
type table struct {
	orders []*match.Index
	from   []origins // of each entry
	// unindexed are rules whose matches cannot be entered here. They may serve
	// any request on their host.
	unindexed []unindexedRule
	// methodRegex are the regular expressions of GRPCRoutes, by hostname: whether one
	// goes before other matches is told by nothing that all proxies agree on.
	methodRegexes map[string][]methodRegex
	// hostnames are those of all entries.
	hostnames map[string]bool
	// levels are the entries of a hostname by the hostnames that their routes have
	// for it, the most specific first: see layer.
	levels map[string][]*table

	regex, prefix, method, header, detail bool
	entries                               []match.Entry
}

// origins are where an entry comes from: the rule of a route, and the route's
// own hostname.
type origins struct {
	route    *gatewayRoute
	rule     string
	hostname string
}

type unindexedRule struct {
	origins
	hostname string // that it shares with the listener
}

type methodRegex struct {
	of    []origins // its one
	index *match.Index
}

// enter writes the rules of a route into a table, but for matches to leave out.
func (a *attachments) enter(t *table, e attachedRoute, without func(attachedRoute, gatewayv1.HTTPRouteMatch) bool) {
	for i, rule := range e.route.rules {
		// Rules without a policy of their own lead to one outcome.
		outcome := 0
		if rule.name != "" && a.onRoute(e.route, rule.name) != a.onRoute(e.route, "") {
			outcome = i + 1
		}
		for _, m := range rule.matches {
			if without != nil && without(e, m) {
				continue
			}
			readable := match.Check(match.Entry{Hostname: "*", Match: m}) == nil
			for n, h := range e.at.hostnames {
				from := origins{e.route, rule.name, e.at.own[n]}
				if !readable {
					t.unindexed = append(t.unindexed, unindexedRule{from, h})
					continue
				}
				t.put(match.Entry{Hostname: h, Match: m, Owner: e.owner, Rule: outcome}, from)
			}
		}
	}
}

func (t *table) put(e match.Entry, from origins) {
	t.entries = append(t.entries, e)
	t.from = append(t.from, from)
	t.note(e.Match)
}

// note sees whether orders differ here.
func (t *table) note(m gatewayv1.HTTPRouteMatch) {
	isRegex := isRegex(m)
	t.regex, t.prefix = t.regex || isRegex, t.prefix || !isRegex
	t.method = t.method || m.Method != nil
	t.header = t.header || m.Method == nil && len(m.Headers) > 0
	t.detail = t.detail || hasSlash(m) || hasRegexCondition(m)
}

// hasSlash says whether a prefix ends in one, which is no part of it for some
// proxies, and makes it longer for others.
func hasSlash(m gatewayv1.HTTPRouteMatch) bool {
	if m.Path == nil || deref(m.Path.Type, gatewayv1.PathMatchPathPrefix) != gatewayv1.PathMatchPathPrefix {
		return false
	}
	value := deref(m.Path.Value, "/")
	return len(value) > 1 && strings.HasSuffix(value, "/")
}

// hasRegexCondition: some proxies prefer exact ones.
func hasRegexCondition(m gatewayv1.HTTPRouteMatch) bool {
	return slices.ContainsFunc(m.Headers, func(h gatewayv1.HTTPHeaderMatch) bool {
		return deref(h.Type, gatewayv1.HeaderMatchExact) != gatewayv1.HeaderMatchExact
	}) || slices.ContainsFunc(m.QueryParams, func(q gatewayv1.HTTPQueryParamMatch) bool {
		return deref(q.Type, gatewayv1.QueryParamMatchExact) != gatewayv1.QueryParamMatchExact
	})
}

func isRegex(m gatewayv1.HTTPRouteMatch) bool {
	return m.Path != nil && m.Path.Type != nil && *m.Path.Type == gatewayv1.PathMatchRegularExpression
}

// build makes the indexes of all that was entered.
func (t *table) build() {
	t.order()
	t.layer()
	for i, e := range t.entries {
		if isRegex(e.Match) && t.from[i].route.key.kind == string(v1alpha1.TargetGRPCRoute) {
			if t.methodRegexes == nil {
				t.methodRegexes = map[string][]methodRegex{}
			}
			e.Match = ofAnyPath(e.Match)
			t.methodRegexes[e.Hostname] = append(t.methodRegexes[e.Hostname], methodRegex{t.from[i : i+1], indexOf([]match.Entry{e}, match.Options{})})
		}
	}
}

// ofAnyPath is a method of any service as some proxies take it (Envoy Gateway):
// whatever path ends in it.
func ofAnyPath(m gatewayv1.HTTPRouteMatch) gatewayv1.HTTPRouteMatch {
	if method, ok := strings.CutPrefix(*m.Path.Value, anyService); ok {
		m.Path = &gatewayv1.HTTPPathMatch{Type: m.Path.Type, Value: new("(/.*)?/" + method)}
	}
	return m
}

// order makes an index for each order that differs: regular expressions behind
// prefixes or before them, and what else Envoy Gateway has its own order for.
func (t *table) order() {
	regexes, gateways := []match.RegexOrder{match.LongestFirst}, []bool{false}
	if t.regex && t.prefix {
		regexes = append(regexes, match.LongestBeforePrefixes)
	}
	if t.method && t.header || t.detail {
		gateways = append(gateways, true)
	}
	for _, r := range regexes {
		for _, g := range gateways {
			t.orders = append(t.orders, indexOf(t.entries, match.Options{Regex: r, EnvoyGateway: g}))
		}
	}
}

func indexOf(entries []match.Entry, options match.Options) *match.Index {
	index, _, err := match.Build(entries, options)
	if err != nil {
		panic(err) // enter checked every entry
	}
	return index
}

// layer parts the entries of a hostname where routes have it by different ones
// of their own: on a listener for a.example.com the routes of *.com and of
// *.example.com both have a.example.com. For some proxies they are equals, for
// others the more specific goes first whatever its matches are; the
// specification does not say.
func (t *table) layer() {
	first, differ := map[string]string{}, map[string]bool{}
	t.hostnames = map[string]bool{}
	for i, e := range t.entries {
		t.hostnames[e.Hostname] = true
		own := t.from[i].hostname
		if first[e.Hostname] == "" {
			first[e.Hostname] = own
		}
		if first[e.Hostname] != own {
			differ[e.Hostname] = true
		}
	}
	for h := range differ {
		byOwn := map[string]*table{}
		for i, e := range t.entries {
			if e.Hostname != h {
				continue
			}
			own := t.from[i].hostname
			if byOwn[own] == nil {
				byOwn[own] = &table{}
			}
			byOwn[own].put(e, t.from[i])
		}
		if t.levels == nil {
			t.levels = map[string][]*table{}
		}
		for _, own := range slices.SortedFunc(maps.Keys(byOwn), func(a, b string) int { return match.CompareHostnames(b, a) }) {
			byOwn[own].order()
			t.levels[h] = append(t.levels[h], byOwn[own])
		}
	}
}

func (t *table) forget() {
	t.entries = nil
	for _, levels := range t.levels {
		for _, level := range levels {
			level.entries = nil
		}
	}
}

// serve adds the rules of the routes that win in any order.
func (t *table) serve(s *served, host string, v match.View) {
	t.win(s, host, v)
	for _, u := range t.unindexed {
		if match.Within(host, u.hostname) {
			s.add(u.origins, host)
		}
	}
	if t.levels == nil && t.methodRegexes == nil {
		return
	}
	for h := range match.Covering(host) {
		if t.hostnames[h] {
			t.serveLevels(s, h, host, v)
			return
		}
	}
}

// serveLevels adds those that win on a hostname in some proxies only.
func (t *table) serveLevels(s *served, hostname, host string, v match.View) {
	for _, level := range t.levels[hostname] {
		if level.win(s, host, v) {
			break
		}
	}
	for _, l := range t.methodRegexes[hostname] {
		if n, ok := s.entry(l.index.Lookup(host, v)); ok {
			s.add(l.of[n], host)
		}
	}
}

// win adds the rules of the entry that wins in each order, and says whether
// there is one.
func (t *table) win(s *served, host string, v match.View) (won bool) {
	for _, index := range t.orders {
		n, ok := s.entry(index.Lookup(host, v))
		if won = won || ok; ok {
			s.add(t.from[n], host)
		}
	}
	return won
}

// entry notes what keeps a look-up from being answered.
func (s *served) entry(r match.Result) (int, bool) {
	if r.Ambiguous && s.cause == "" {
		s.cause = r.Cause
	}
	s.late = s.late || r.Late
	return r.Entry()
}
