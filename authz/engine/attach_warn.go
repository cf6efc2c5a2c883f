package engine

import (
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/match"
)

// What is said of policies between which a request without the proxy's word
// cannot choose. It is no fault of theirs, so they stay Accepted.
const (
	warnOrder = "another policy decides on matches that some proxies try before these and others after: " +
		"where both match and the proxy does not say which route it took, the answer is 503 (AmbiguousMatch); " +
		"let it say so (Envoy Gateway: includeRouteMetadata), or let one policy decide on both"
	warnListeners = "another policy decides on the same hostname and match on another listener or Gateway: " +
		"where the proxy does not say which it took, or the route is on both, the answer is 503 (AmbiguousMatch); " +
		"let it say so (Envoy Gateway: includeRouteMetadata), or let one policy decide on both"
	warnKinds = "another policy decides on a route of the other kind with a hostname that this one has too, of which " +
		"some proxies serve the older route alone and others both: where the proxy does not say which route it took, " +
		"the answer is 503 (AmbiguousMatch); let it say so (Envoy Gateway: includeRouteMetadata), or give HTTPRoutes and GRPCRoutes hostnames of their own"
	warnHostnames = "another policy decides on a route with a wider or narrower hostname that comes to the same on a listener, " +
		"of which some proxies let the narrower go first and others the better match: where the proxy does not say which route it took, " +
		"the answer is 503 (AmbiguousMatch); let it say so (Envoy Gateway: includeRouteMetadata), or let one policy decide on both"
)

// judgeOrders marks the policies between which orders or listeners decide.
func (a *attachments) judgeOrders() {
	for _, g := range a.routes {
		for _, rule := range g.rules {
			sides := policySet{}
			for _, at := range g.attached {
				sides.add(a.usual(servingRule{g, rule.name, at.on}))
			}
			a.warn(sides, warnListeners)
		}
	}
	all, from := []match.Entry{}, []policySet{}
	for _, d := range a.ports {
		d.judge(a)
		t := &d.behaviours[0].merged
		for i, e := range t.entries {
			e.Owner, e.Rule = len(all), 0
			all = append(all, e)
			from = append(from, t.policies(a, i))
		}
		for _, v := range d.behaviours {
			v.forget()
		}
	}
	if len(a.ports) < 2 {
		return
	}
	_, equal := mustBuild(all)
	for _, c := range equal {
		a.warn(from[c.Winner].and(from[c.Loser]), warnListeners)
	}
}

// usual is the policy of a rule, but for `routes`.
func (a *attachments) usual(p servingRule) *policy {
	c := a.override(p.on)
	if c == nil {
		c = a.onRoute(p.route, p.rule)
	}
	if c == nil {
		c = a.fallback(p.on)
	}
	if c == nil {
		return nil
	}
	return c.policy
}

// policies are the policies of an entry.
func (t *table) policies(a *attachments, entry int) policySet {
	out := policySet{}
	o := t.from[entry]
	for _, p := range o.route.servingRules(o.rule, func(at attachment) bool {
		return slices.Contains(at.hostnames, t.entries[entry].Hostname)
	}) {
		out.add(a.usual(p))
	}
	return out
}

// judge marks the pairs of a port.
func (d *port) judge(a *attachments) {
	t := &d.behaviours[0].merged
	t.judgeHostnames(a)
	if len(d.behaviours) > 1 {
		t.judgeKinds(a)
	}
	if len(t.orders) < 2 {
		return
	}
	type sides struct{ one, other policySet }
	paths, conditions, slashes, details := map[string]*sides{}, map[string]*sides{}, map[string]*sides{}, map[string]*sides{}
	side := func(m map[string]*sides, key string) *sides {
		if m[key] == nil {
			m[key] = &sides{policySet{}, policySet{}}
		}
		return m[key]
	}
	for i, e := range t.entries {
		of := t.policies(a, i)
		if s := side(paths, e.Hostname); isRegex(e.Match) {
			s.one.join(of)
		} else {
			s.other.join(of)
		}
		where := e.Hostname + "\x00" + pathOf(e.Match)
		s := side(conditions, where)
		switch {
		case e.Match.Method != nil:
			s.one.join(of)
		case len(e.Match.Headers) > 0:
			s.other.join(of)
		}
		if s := side(slashes, where); hasSlash(e.Match) {
			s.one.join(of)
		} else {
			s.other.join(of)
		}
		if s := side(details, where); hasRegexCondition(e.Match) {
			s.one.join(of)
		} else if e.Match.Method != nil || len(e.Match.Headers)+len(e.Match.QueryParams) > 0 {
			s.other.join(of)
		}
	}
	for _, m := range []map[string]*sides{paths, conditions, slashes, details} {
		for _, s := range m {
			if len(s.one) > 0 && len(s.other) > 0 {
				a.warn(s.one.and(s.other), warnOrder)
			}
		}
	}
}

// judgeHostnames marks who has a hostname of a listener by different ones.
func (t *table) judgeHostnames(a *attachments) {
	for _, levels := range t.levels {
		all := policySet{}
		for _, level := range levels {
			for i := range level.entries {
				all.join(level.policies(a, i))
			}
		}
		a.warn(all, warnHostnames)
	}
}

// judgeKinds marks who shares a hostname with a route of the other kind.
func (t *table) judgeKinds(a *attachments) {
	kinds := map[string]*[2]policySet{}
	for i, e := range t.entries {
		if kinds[e.Hostname] == nil {
			kinds[e.Hostname] = &[2]policySet{{}, {}}
		}
		which := 0
		if t.from[i].route.key.kind == string(v1alpha1.TargetGRPCRoute) {
			which = 1
		}
		kinds[e.Hostname][which].join(t.policies(a, i))
	}
	for h, one := range kinds {
		for c := range match.Covering(h) {
			for which := range 2 {
				if other := kinds[c]; other != nil && len(one[which]) > 0 && len(other[1-which]) > 0 {
					a.warn(one[which].and(other[1-which]), warnKinds)
				}
			}
		}
	}
}

// pathOf is the same for a prefix with and without a final slash.
func pathOf(m gatewayv1.HTTPRouteMatch) string {
	if m.Path == nil {
		return "PathPrefix\x00/"
	}
	value := deref(m.Path.Value, "/")
	if hasSlash(m) {
		value = strings.TrimSuffix(value, "/")
	}
	return string(deref(m.Path.Type, gatewayv1.PathMatchPathPrefix)) + "\x00" + value
}

// warn tells policies that they are in each other's way, if there are several.
func (a *attachments) warn(between policySet, message string) {
	if len(between) < 2 {
		return
	}
	for p := range between {
		if st := a.statuses[p]; st != nil && !slices.Contains(st.ambiguous, message) {
			st.ambiguous = append(st.ambiguous, message)
			slices.Sort(st.ambiguous)
		}
	}
}

// policySet is a set of policies; none is not one.
type policySet map[*policy]bool

func (s policySet) add(p *policy) {
	if p != nil {
		s[p] = true
	}
}

func (s policySet) join(other policySet) {
	for p := range other {
		s[p] = true
	}
}

func (s policySet) and(other policySet) policySet {
	out := policySet{}
	out.join(s)
	out.join(other)
	return out
}
