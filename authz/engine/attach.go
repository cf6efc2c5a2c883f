package engine

import (
	"k8s.io/apimachinery/pkg/types"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/match"
)

// attachments are what policies have to do with Gateway API: the routes there
// are, who serves which request, and the policies that target what. There are
// none where there are no routes.
type attachments struct {
	*listeners
	routes []*gatewayRoute // the older first
	byKey  map[routeKey]*gatewayRoute
	doors  []*door
	slots  map[slot]*claim
	// broken are routes with a policy for a rule that they do not have.
	broken map[*gatewayRoute]*claim
	// claimants are the namespaces whose routes have a hostname, and patterns
	// the hostnames of a namespace.
	claimants map[string]map[string]bool
	patterns  map[string][]string
	// spaces are the policies' own `routes`, by namespace.
	spaces map[string]*match.Index
	// hosts are the hostnames of what a policy targets.
	hosts map[*policy]map[use]bool
	// standings are how policies with targetRefs came off.
	standings map[*policy]*standing
}

// slot is a target: what of two policies only one can have.
type slot struct {
	kind            v1alpha1.TargetKind
	namespace, name string
	section         string
	override        bool
}

// claim is a policy that has a target. It answers 503 there if the target has
// no such section (any more): it may mean what is there under another name.
type claim struct {
	policy *policy
	broken bool
}

// place is what serves a request: a rule of a route on a listener.
type place struct {
	route *gatewayRoute
	rule  string
	on    *listener // nil where it is not known
}

// attach builds all of it but spaces.
func attach(in Input, policies []*policy) *attachments {
	a := &attachments{
		listeners: newListeners(in), byKey: map[routeKey]*gatewayRoute{},
		slots: map[slot]*claim{}, broken: map[*gatewayRoute]*claim{},
		claimants: map[string]map[string]bool{}, patterns: map[string][]string{}, hosts: map[*policy]map[use]bool{}, standings: map[*policy]*standing{},
	}
	a.routes = gatewayRoutes(in)
	for _, g := range a.routes {
		a.byKey[g.key] = g
	}
	for _, p := range policies {
		a.claim(p)
	}
	for _, g := range a.routes {
		a.listeners.attach(g)
		for _, at := range g.attached {
			for _, h := range at.hostnames {
				if a.claimants[h] == nil {
					a.claimants[h] = map[string]bool{}
				}
				if ns := g.key.namespace; !a.claimants[h][ns] {
					a.claimants[h][ns] = true
					a.patterns[ns] = append(a.patterns[ns], h)
				}
			}
		}
	}
	a.openDoors()
	a.judgeTargets(policies)
	return a
}

// claim enters a policy's targets: the older policy has them, invalid ones too.
func (a *attachments) claim(p *policy) {
	spec := p.origin.spec
	for i, ref := range spec.TargetRefs {
		st := a.standing(p)
		st.targets = append(st.targets, target{ref: ref})
		t := &st.targets[i]
		s := slotOf(p, ref)
		c := &claim{policy: p}
		switch ref.Kind {
		case v1alpha1.TargetGateway:
			gateway := nameIn(s.namespace, s.name)
			if t.missing = a.known[gateway] == nil; !t.missing && ref.SectionName != "" {
				t.gone = !a.has(gateway, ref.SectionName)
			}
			if c.broken = t.missing || t.gone; t.gone {
				a.addGone(gateway, ref.SectionName)
			}
		default:
			g := a.byKey[routeKey{string(ref.Kind), s.namespace, s.name}]
			t.missing = g == nil
			if t.gone = g != nil && ref.SectionName != "" && !g.hasRule(ref.SectionName); t.gone && a.broken[g] == nil {
				a.broken[g] = &claim{p, true}
			}
		}
		if holder := a.slots[s]; holder == nil {
			a.slots[s] = c
		} else if holder.policy != p {
			t.lostTo = holder.policy
		}
	}
}

// slotOf is the target that a reference means. A precedence that cannot be read
// is taken for the stronger one.
func slotOf(p *policy, ref v1alpha1.TargetReference) slot {
	precedence := p.origin.spec.Precedence
	return slot{ref.Kind, p.namespace, ref.Name, ref.SectionName,
		ref.Kind == v1alpha1.TargetGateway && precedence != "" && precedence != v1alpha1.PrecedenceDefault}
}

// onGateway is who has a Gateway, or a listener of it.
func (a *attachments) onGateway(gateway types.NamespacedName, section string, override bool) *claim {
	return a.slots[slot{v1alpha1.TargetGateway, gateway.Namespace, gateway.Name, section, override}]
}

// override is the policy that routes on a listener cannot replace: the
// Gateway's before the listener's.
func (a *attachments) override(on *listener) *claim {
	if on == nil {
		return nil
	}
	if c := a.onGateway(on.gateway, "", true); c != nil {
		return c
	}
	return a.listenerClaim(on, true)
}

func (a *attachments) listenerClaim(on *listener, override bool) *claim {
	if on.name == "" {
		return nil
	}
	return a.onGateway(on.gateway, on.name, override)
}

// onRoute is the policy of a rule, else of its route.
func (a *attachments) onRoute(g *gatewayRoute, rule string) *claim {
	if c := a.broken[g]; c != nil {
		return c
	}
	s := slot{kind: v1alpha1.TargetKind(g.key.kind), namespace: g.key.namespace, name: g.key.name}
	if rule != "" {
		s.section = rule
		if c := a.slots[s]; c != nil {
			return c
		}
		s.section = ""
	}
	return a.slots[s]
}

// fallback is the policy that routes on a listener can replace.
func (a *attachments) fallback(on *listener) *claim {
	if on == nil {
		return nil
	}
	if c := a.listenerClaim(on, false); c != nil {
		return c
	}
	return a.onGateway(on.gateway, "", false)
}

// named are the places that the proxy's word leaves possible; false if it names
// what is not known.
func (a *attachments) named(ref *authz.RouteRef, host string) ([]place, bool) {
	g := a.byKey[routeKey{ref.Kind, ref.Namespace, ref.Name}]
	if g == nil || ref.SectionName != "" && !g.hasRule(ref.SectionName) {
		return nil, false
	}
	places := g.places(ref.SectionName, func(at attachment) bool { return at.covers(host) })
	if len(places) == 0 {
		places = g.places(ref.SectionName, func(attachment) bool { return true })
	}
	if len(places) == 0 { // it serves all the same: by one of its parents
		for _, on := range g.claimed {
			places = append(places, place{g, ref.SectionName, on})
		}
	}
	if len(places) == 0 {
		places = []place{{g, ref.SectionName, nil}}
	}
	return places, true
}

func (g *gatewayRoute) places(rule string, on func(attachment) bool) []place {
	var out []place
	for _, at := range g.attached {
		if on(at) {
			out = append(out, place{g, rule, at.on})
		}
	}
	return out
}

func (a attachment) covers(host string) bool {
	for _, h := range a.hostnames {
		if within(host, h) {
			return true
		}
	}
	return false
}

// fillSpaces makes the indexes of the policies' own `routes` by namespace, for
// those namespaces that have routes of Gateway API.
func (a *attachments) fillSpaces(entries map[string][]match.Entry) {
	if a == nil {
		return
	}
	a.spaces = map[string]*match.Index{}
	for _, g := range a.routes {
		ns := g.key.namespace
		if a.spaces[ns] == nil && len(entries[ns]) > 0 {
			a.spaces[ns], _ = mustBuild(entries[ns])
		}
	}
}
