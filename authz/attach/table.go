package attach

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/authz/match"
)

// table finds the rule that wins a request, in each order that proxies have.
type table struct {
	orders []*match.Index
	from   []origin // of each entry
	// unindexed are rules with a match that package match refuses, and those of
	// routes over a bound.
	unindexed unindexed
	// contested are the hostnames on which proxies differ by more than the order
	// of matches. If there is any, all other hostnames are here too, as nil.
	contested map[string]*contested

	// What the matches of the table have: it decides which orders differ.
	regex, prefix, method, header, detail bool

	entries []match.Entry // until forget
}

// origin is the rule of a route that an entry is made from. own is the route's
// hostname that led to the entry's hostname.
type origin struct {
	route *route
	rule  string
	own   string
}

// contested is a hostname on which proxies differ.
type contested struct {
	// levels are the entries of the hostname by the route's own hostname, the most
	// specific first: see level.
	levels []*table
	// regexes are the regular expressions of GRPCRoutes. Proxies disagree on the
	// precedence of these expressions.
	regexes []methodRegex
}

type methodRegex struct {
	of    origin
	index *match.Index
}

// enter adds the rules of a route to a table.
func (a *Attachments) enter(t *table, r attachedRoute, without leftOut) {
	if t.unindexed == nil {
		t.unindexed = unindexed{}
	}
	ofRoute, routeHeld := a.onRoute(r.route, "")
	for i, rule := range r.route.rules {
		// Rules that lead to one policy are one outcome.
		outcome := 0
		if h, held := a.onRoute(r.route, rule.name); h != ofRoute || held != routeHeld {
			outcome = i + 1
		}
		for _, m := range rule.matches {
			if without != nil && without(r, m) {
				continue
			}
			indexed := !r.route.over && match.Check(match.Entry{Hostname: "*", Match: m}) == nil
			for n, h := range r.at.hostnames {
				from := origin{r.route, rule.name, r.at.own[n]}
				if !indexed {
					t.unindexed.add(h, from)
					continue
				}
				t.put(match.Entry{Hostname: h, Match: m, Owner: r.owner, Rule: outcome}, from)
			}
		}
	}
}

func (t *table) put(e match.Entry, from origin) {
	t.entries, t.from = append(t.entries, e), append(t.from, from)
	m := e.Match
	t.regex, t.prefix = t.regex || isRegex(m), t.prefix || !isRegex(m)
	t.method = t.method || m.Method != nil
	t.header = t.header || m.Method == nil && len(m.Headers) > 0
	t.detail = t.detail || hasSlash(m) || hasRegexCondition(m)
}

// hasSlash says whether a prefix ends in a slash. Some proxies ignore that slash,
// for others it makes the prefix longer.
func hasSlash(m gatewayv1.HTTPRouteMatch) bool {
	if m.Path == nil || ptr.Deref(m.Path.Type, gatewayv1.PathMatchPathPrefix) != gatewayv1.PathMatchPathPrefix {
		return false
	}
	value := ptr.Deref(m.Path.Value, "/")
	return len(value) > 1 && strings.HasSuffix(value, "/")
}

// hasRegexCondition says whether a header or query parameter is matched by a
// regular expression. Some proxies prefer exact ones.
func hasRegexCondition(m gatewayv1.HTTPRouteMatch) bool {
	return slices.ContainsFunc(m.Headers, func(h gatewayv1.HTTPHeaderMatch) bool {
		return ptr.Deref(h.Type, gatewayv1.HeaderMatchExact) != gatewayv1.HeaderMatchExact
	}) || slices.ContainsFunc(m.QueryParams, func(q gatewayv1.HTTPQueryParamMatch) bool {
		return ptr.Deref(q.Type, gatewayv1.QueryParamMatchExact) != gatewayv1.QueryParamMatchExact
	})
}

func isRegex(m gatewayv1.HTTPRouteMatch) bool {
	return m.Path != nil && m.Path.Type != nil && *m.Path.Type == gatewayv1.PathMatchRegularExpression
}

// build makes the indexes of all entries.
func (t *table) build() {
	t.order()
	t.level()
	for i, e := range t.entries {
		if isRegex(e.Match) && t.from[i].route.grpc() {
			e.Match = ofAnyPath(e.Match)
			index, _ := build([]match.Entry{e}, match.Options{})
			c := t.contest(e.Hostname)
			c.regexes = append(c.regexes, methodRegex{t.from[i], index})
		}
	}
	if t.contested == nil {
		return
	}
	for _, e := range t.entries {
		if _, known := t.contested[e.Hostname]; !known {
			t.contested[e.Hostname] = nil
		}
	}
}

func (t *table) contest(hostname string) *contested {
	if t.contested == nil {
		t.contested = map[string]*contested{}
	}
	if t.contested[hostname] == nil {
		t.contested[hostname] = &contested{}
	}
	return t.contested[hostname]
}

// order makes an index for each order that differs: regular expressions behind
// prefixes or before them, and the order of Envoy Gateway for the rest.
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
			index, _ := build(t.entries, match.Options{Regex: r, EnvoyGateway: g})
			t.orders = append(t.orders, index)
		}
	}
}

func build(entries []match.Entry, options match.Options) (*match.Index, []match.Conflict) {
	index, equal, err := match.Build(entries, options)
	if err != nil {
		panic(err) // enter checked every entry
	}
	return index, equal
}

// level parts the entries of a hostname by the hostnames of their routes. On a
// listener for a.example.com the routes of *.com and of *.example.com both have
// a.example.com. The specification does not say which goes first: for some
// proxies the routes are equals, for others the more specific hostname goes
// first, whatever the matches are.
func (t *table) level() {
	first, differ := map[string]string{}, map[string]bool{}
	for i, e := range t.entries {
		own := t.from[i].own
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
			own := t.from[i].own
			if byOwn[own] == nil {
				byOwn[own] = &table{}
			}
			byOwn[own].put(e, t.from[i])
		}
		c := t.contest(h)
		for _, own := range slices.SortedFunc(maps.Keys(byOwn), func(a, b string) int { return match.CompareHostnames(b, a) }) {
			byOwn[own].order()
			c.levels = append(c.levels, byOwn[own])
		}
	}
}

// forget drops what only New needs.
func (t *table) forget() {
	t.entries = nil
	for _, c := range t.contested {
		if c == nil {
			continue
		}
		for _, level := range c.levels {
			level.forget()
		}
	}
}

// serve adds the rules that win in any order.
func (t *table) serve(s *Served, host string, v match.View) {
	if s.respelled {
		t.respelled(s, host, v)
		return
	}
	t.win(s, host, v)
	t.unindexed.serve(s, host)
	if c, _ := match.Closest(t.contested, host); c != nil {
		c.serve(s, host, v)
	}
}

// serve adds the rules that win in some proxies only.
func (c *contested) serve(s *Served, host string, v match.View) {
	for _, level := range c.levels {
		if level.win(s, host, v) {
			break
		}
	}
	for _, r := range c.regexes {
		if _, ok := s.entry(r.index.Lookup(host, v)); ok {
			s.add(r.of, host)
		}
	}
}

// win adds the rule that wins in each order, and says whether there is any.
func (t *table) win(s *Served, host string, v match.View) (won bool) {
	for _, index := range t.orders {
		n, ok := s.entry(index.Lookup(host, v))
		if won = won || ok; ok {
			s.add(t.from[n], host)
		}
	}
	return won
}

// respelled adds the rules that win in each order without regard to letter case,
// where these are others.
func (t *table) respelled(s *Served, host string, v match.View) {
	for _, index := range t.orders {
		s.group(t.from, index, host, v)
	}
	c, _ := match.Closest(t.contested, host)
	if c == nil {
		return
	}
	for _, level := range c.levels {
		level.respelled(s, host, v)
		if level.win(&Served{}, host, v) {
			break
		}
	}
	for _, r := range c.regexes {
		s.group([]origin{r.of}, r.index, host, v)
	}
}

// group adds the rules of one index.
func (s *Served) group(from []origin, index *match.Index, host string, v match.View) {
	best, late := index.Respelled(host, v)
	s.Late = s.Late || late
	if len(best) == 0 {
		return
	}
	var group [][]ServingRule
	for _, c := range best {
		var one Served
		one.add(from[c.Entry()], host)
		group = append(group, one.Rules)
	}
	s.Groups = append(s.Groups, group)
}
