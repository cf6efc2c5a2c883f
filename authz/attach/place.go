package attach

import (
	"iter"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/match"
)

// Place is a rule of a route on a listener that a target of a policy is for.
type Place struct {
	Rule ServingRule
	// Held: another policy decides there. Gone: the target of that one is not there.
	Held, Gone bool
	Hostnames  []string
	Matches    []gatewayv1.HTTPRouteMatch
	// Unattached: no listener admits the route, so a request comes only by the
	// proxy's word.
	Unattached bool
}

// Ref is the rule as a proxy names it.
func (r ServingRule) Ref() authz.RouteRef {
	return authz.RouteRef{Kind: r.route.key.kind, Namespace: r.route.key.namespace, Name: r.route.key.name, SectionName: r.rule}
}

// GRPC says whether the rule is of a GRPCRoute.
func (r ServingRule) GRPC() bool { return r.route.grpc() }

// Places are those of a target of a policy.
func (a *Attachments) Places(policy, target int) iter.Seq[Place] {
	key := a.statuses[policy].targets[target].key
	gateway := nameIn(key.namespace, key.name)
	return func(yield func(Place) bool) {
		if key.kind != v1alpha1.TargetGateway {
			if r := a.byKey[routeKey{string(key.kind), key.namespace, key.name}]; r != nil {
				a.placesOn(policy, r, key.section, func(*listener) bool { return true }, yield)
			}
			return
		}
		for _, r := range a.onGateways[gateway] {
			if !a.placesOn(policy, r, "", func(on *listener) bool {
				return on.gateway == gateway && (key.section == "" || on.name == key.section)
			}, yield) {
				return
			}
		}
	}
}

func (a *Attachments) placesOn(policy int, r *route, section string, fits func(*listener) bool, yield func(Place) bool) bool {
	for _, rule := range r.rules {
		if section != "" && rule.name != section {
			continue
		}
		place := func(on *listener, hostnames []string, unattached bool) bool {
			p := Place{Rule: ServingRule{r, rule.name, on}, Hostnames: hostnames, Matches: rule.matches, Unattached: unattached}
			h, ok := a.usual(p.Rule)
			p.Held, p.Gone = ok && h.Policy != policy, ok && h.TargetGone
			return yield(p)
		}
		for _, at := range r.attached {
			if fits(at.on) && !place(at.on, at.hostnames, false) {
				return false
			}
		}
		if len(r.attached) > 0 {
			continue
		}
		named := r.named
		if len(named) == 0 {
			named = []*listener{nil}
		}
		for _, on := range named {
			if on == nil && section == "" || on != nil && fits(on) {
				if !place(on, r.ownHostnames(), true) {
					return false
				}
			}
		}
	}
	return true
}

func (r *route) ownHostnames() (out []string) {
	for _, h := range r.hostnames {
		if h := strings.ToLower(string(h)); match.Check(match.Entry{Hostname: h}) == nil {
			out = append(out, h)
		}
	}
	if len(out) == 0 {
		out = []string{"*"}
	}
	return out
}

// Touches says whether routes have some host of a pattern, those included that no
// listener admits.
func (a *Attachments) Touches(pattern string) bool {
	_, unattached := match.Closest(a.unattached, pattern)
	return unattached || a.above[pattern] || a.Owned(pattern)
}

// noteUnattached notes the hostnames of a route that no listener admits.
func (a *Attachments) noteUnattached(r *route) {
	for _, h := range r.ownHostnames() {
		a.unattached[h] = true
		at := HostUse{h, r.key.namespace}
		a.routesAt[at] = append(a.routesAt[at], r)
		for wider := range match.Covering(h) {
			a.above[wider] = true
		}
	}
}

// PlacesIn are the places of the routes of a namespace that have some host of a
// pattern; the Hostnames are those that both have. Held says that a policy with a
// target decides.
func (a *Attachments) PlacesIn(namespace, pattern string) iter.Seq[Place] {
	return func(yield func(Place) bool) {
		for hostname := range a.sharedHostnames(namespace, pattern) {
			both := []string{pattern}
			if match.Within(hostname, pattern) {
				both[0] = hostname
			}
			for _, r := range a.routesAt[HostUse{hostname, namespace}] {
				if !a.placesOn(-1, r, "", func(*listener) bool { return true }, func(p Place) bool {
					if !slices.Contains(p.Hostnames, hostname) {
						return true
					}
					_, p.Held = a.Holder(p.Rule)
					p.Hostnames = both
					return yield(p)
				}) {
					return
				}
			}
		}
	}
}

// sharedHostnames are the hostnames of routes of a namespace that have some host
// of a pattern.
func (a *Attachments) sharedHostnames(namespace, pattern string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for wider := range match.Covering(pattern) {
			if len(a.routesAt[HostUse{wider, namespace}]) > 0 && !yield(wider) {
				return
			}
		}
		if pattern[0] != '*' {
			return
		}
		for _, h := range a.hostnames[namespace] {
			if h != pattern && match.Within(h, pattern) && !yield(h) {
				return
			}
		}
	}
}

// InForce are the targets that are there and that no other policy has.
func (st *Status) InForce() []int {
	var out []int
	for i, t := range st.targets {
		if !t.missing && !t.gone && !t.overridden && t.lostTo == "" {
			out = append(out, i)
		}
	}
	return slices.Clip(out)
}
