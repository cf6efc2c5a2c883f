package attach

import (
	"slices"
	"strings"

	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/authz/match"
)

// Warnings for policies between which a request cannot choose without the
// proxy's word. They are no fault of the policies, which stay Accepted.
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

// judgeOverlaps warns the policies between which the order of a proxy, or the
// listener, decides.
func (a *Attachments) judgeOverlaps() {
	for _, r := range a.routes {
		for _, rule := range r.rules {
			policies := policySet{}
			for _, at := range r.attached {
				policies.add(a.usual(ServingRule{r, rule.name, at.on}))
			}
			a.warn(policies, warnListeners)
			if r.over {
				a.tell(policies, a.overBound(r.key.namespace))
			}
		}
	}
	a.judgePorts(a.ports)
	for _, r := range a.regions {
		if r != nil {
			a.judgePorts(r.ports)
		}
	}
}

// judgePorts warns the policies of routes that are looked up together.
func (a *Attachments) judgePorts(ports []*port) {
	all, from := []match.Entry{}, []policySet{}
	for _, p := range ports {
		a.judgePort(p)
		t := &p.behaviours[0].merged
		for i, e := range t.entries {
			e.Owner, e.Rule = len(all), 0
			all = append(all, e)
			from = append(from, t.policies(a, i))
		}
		for _, b := range p.behaviours {
			b.forget()
		}
	}
	if len(ports) < 2 {
		return
	}
	_, equal := build(all, match.Options{})
	for _, c := range equal {
		a.warn(from[c.Winner].and(from[c.Loser]), warnListeners)
	}
}

// usual is the policy of a rule, unless `routes` of policies decide.
func (a *Attachments) usual(r ServingRule) (Holder, bool) {
	if h, ok := a.Holder(r); ok {
		return h, true
	}
	return a.Fallback(r)
}

// policies are the policies of an entry.
func (t *table) policies(a *Attachments, entry int) policySet {
	out := policySet{}
	o := t.from[entry]
	for _, r := range o.route.on(o.rule, func(at attachment) bool {
		return slices.Contains(at.hostnames, t.entries[entry].Hostname)
	}) {
		out.add(a.usual(r))
	}
	return out
}

// sides are the policies of matches that have a property, and of those that do
// not. Proxies disagree on which side goes first.
type sides struct{ with, without policySet }

type sidesByKey map[string]*sides

func (m sidesByKey) join(key string, with bool, policies policySet) {
	if m[key] == nil {
		m[key] = &sides{policySet{}, policySet{}}
	}
	if with {
		m[key].with.join(policies)
	} else {
		m[key].without.join(policies)
	}
}

// judgePort warns the policies of one port.
func (a *Attachments) judgePort(p *port) {
	t := &p.behaviours[0].merged
	a.judgeHostnames(t)
	if len(p.behaviours) > 1 {
		a.judgeKinds(t)
	}
	if len(t.orders) < 2 {
		return
	}
	regexes, methods, slashes, details := sidesByKey{}, sidesByKey{}, sidesByKey{}, sidesByKey{}
	for i, e := range t.entries {
		policies, m := t.policies(a, i), e.Match
		samePath := e.Hostname + "\x00" + pathOf(m)
		regexes.join(e.Hostname, isRegex(m), policies)
		slashes.join(samePath, hasSlash(m), policies)
		if m.Method != nil || len(m.Headers) > 0 {
			methods.join(samePath, m.Method != nil, policies)
		}
		if m.Method != nil || len(m.Headers)+len(m.QueryParams) > 0 {
			details.join(samePath, hasRegexCondition(m), policies)
		}
	}
	for _, m := range []sidesByKey{regexes, methods, slashes, details} {
		for _, s := range m {
			if len(s.with) > 0 && len(s.without) > 0 {
				a.warn(s.with.and(s.without), warnOrder)
			}
		}
	}
}

// judgeHostnames warns the policies of one hostname whose routes have it by
// different hostnames of their own.
func (a *Attachments) judgeHostnames(t *table) {
	for _, c := range t.contested {
		if c == nil {
			continue
		}
		all := policySet{}
		for _, level := range c.levels {
			for i := range level.entries {
				all.join(level.policies(a, i))
			}
		}
		a.warn(all, warnHostnames)
	}
}

// judgeKinds warns the policies of an HTTPRoute and a GRPCRoute that share a
// hostname.
func (a *Attachments) judgeKinds(t *table) {
	kinds := map[string]*[2]policySet{}
	for i, e := range t.entries {
		if kinds[e.Hostname] == nil {
			kinds[e.Hostname] = &[2]policySet{{}, {}}
		}
		kind := 0
		if t.from[i].route.grpc() {
			kind = 1
		}
		kinds[e.Hostname][kind].join(t.policies(a, i))
	}
	for h, one := range kinds {
		for wider := range match.Covering(h) {
			for kind := range 2 {
				if other := kinds[wider]; other != nil && len(one[kind]) > 0 && len(other[1-kind]) > 0 {
					a.warn(one[kind].and(other[1-kind]), warnKinds)
				}
			}
		}
	}
}

// pathOf is equal for a prefix with a final slash and without.
func pathOf(m gatewayv1.HTTPRouteMatch) string {
	if m.Path == nil {
		return "PathPrefix\x00/"
	}
	value := ptr.Deref(m.Path.Value, "/")
	if hasSlash(m) {
		value = strings.TrimSuffix(value, "/")
	}
	return string(ptr.Deref(m.Path.Type, gatewayv1.PathMatchPathPrefix)) + "\x00" + value
}

// warn adds a warning to each of two or more policies.
func (a *Attachments) warn(policies policySet, message string) {
	if len(policies) > 1 {
		a.tell(policies, message)
	}
}

// tell adds a warning to policies.
func (a *Attachments) tell(policies policySet, message string) {
	for p := range policies {
		if st := a.statuses[p]; !slices.Contains(st.ambiguous, message) {
			st.ambiguous = append(st.ambiguous, message)
			slices.Sort(st.ambiguous)
		}
	}
}

// policySet is a set of policies.
type policySet map[int]bool

func (s policySet) add(h Holder, held bool) {
	if held {
		s[h.Policy] = true
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
