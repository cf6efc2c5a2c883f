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
	routes  []*gatewayRoute // the older first
	byKey   map[routeKey]*gatewayRoute
	ports   []*port
	holders map[target]*targetHolder
	// broken are routes with a policy for a rule that they do not have.
	broken map[*gatewayRoute]*targetHolder
	// hostNamespaces are the namespaces whose routes have a hostname, and patterns
	// the hostnames of a namespace.
	hostNamespaces map[string]map[string]bool
	namespaceHosts map[string][]string
	// spaces are the policies' own `routes`, by namespace.
	spaces map[string]*match.Index
	// hosts are the hostnames of what a policy targets.
	hosts map[*policy]map[hostUse]bool
	// statuses are how policies with targetRefs came off.
	statuses map[*policy]*policyStatus
}

// target identifies a route, rule, Gateway or listener. Only one policy can hold
// it.
type target struct {
	kind            v1alpha1.TargetKind
	namespace, name string
	section         string
	override        bool
}

// targetHolder is the policy that holds a target. It answers 503 there if the target has
// no such section (any more): it may mean what is there under another name.
type targetHolder struct {
	policy *policy
	broken bool
}

// servingRule is what serves a request: a rule of a route on a listener.
type servingRule struct {
	route *gatewayRoute
	rule  string
	on    *listener // nil where it is not known
}

// attach builds all of it but spaces.
func attach(in Input, policies []*policy) *attachments {
	a := &attachments{
		listeners: newListeners(in), byKey: map[routeKey]*gatewayRoute{},
		holders: map[target]*targetHolder{}, broken: map[*gatewayRoute]*targetHolder{},
		hostNamespaces: map[string]map[string]bool{}, namespaceHosts: map[string][]string{}, hosts: map[*policy]map[hostUse]bool{}, statuses: map[*policy]*policyStatus{},
	}
	a.routes = gatewayRoutes(in)
	for _, g := range a.routes {
		a.byKey[g.key] = g
	}
	for _, p := range policies {
		a.enterTargets(p)
	}
	for _, g := range a.routes {
		a.listeners.attach(g)
		for _, at := range g.attached {
			for _, h := range at.hostnames {
				if a.hostNamespaces[h] == nil {
					a.hostNamespaces[h] = map[string]bool{}
				}
				if ns := g.key.namespace; !a.hostNamespaces[h][ns] {
					a.hostNamespaces[h][ns] = true
					a.namespaceHosts[ns] = append(a.namespaceHosts[ns], h)
				}
			}
		}
	}
	a.makePorts()
	a.judgeTargets(policies)
	return a
}

// enterTargets enters a policy's targets: the older policy holds them, invalid ones too.
func (a *attachments) enterTargets(p *policy) {
	spec := p.origin.spec
	for i, ref := range spec.TargetRefs {
		st := a.status(p)
		st.targets = append(st.targets, targetStatus{ref: ref})
		t := &st.targets[i]
		s := targetOf(p, ref)
		c := &targetHolder{policy: p}
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
				a.broken[g] = &targetHolder{p, true}
			}
		}
		if holder := a.holders[s]; holder == nil {
			a.holders[s] = c
		} else if holder.policy != p {
			t.lostTo = holder.policy
		}
	}
}

// targetOf is the target that a reference means. A precedence that cannot be read
// is taken for the stronger one.
func targetOf(p *policy, ref v1alpha1.TargetReference) target {
	precedence := p.origin.spec.Precedence
	return target{ref.Kind, p.namespace, ref.Name, ref.SectionName,
		ref.Kind == v1alpha1.TargetGateway && precedence != "" && precedence != v1alpha1.PrecedenceDefault}
}

// onGateway is who has a Gateway, or a listener of it.
func (a *attachments) onGateway(gateway types.NamespacedName, section string, override bool) *targetHolder {
	return a.holders[target{v1alpha1.TargetGateway, gateway.Namespace, gateway.Name, section, override}]
}

// override is the policy that routes on a listener cannot replace: the
// Gateway's before the listener's.
func (a *attachments) override(on *listener) *targetHolder {
	if on == nil {
		return nil
	}
	if c := a.onGateway(on.gateway, "", true); c != nil {
		return c
	}
	return a.onListener(on, true)
}

func (a *attachments) onListener(on *listener, override bool) *targetHolder {
	if on.name == "" {
		return nil
	}
	return a.onGateway(on.gateway, on.name, override)
}

// onRoute is the policy of a rule, else of its route.
func (a *attachments) onRoute(g *gatewayRoute, rule string) *targetHolder {
	if c := a.broken[g]; c != nil {
		return c
	}
	s := target{kind: v1alpha1.TargetKind(g.key.kind), namespace: g.key.namespace, name: g.key.name}
	if rule != "" {
		s.section = rule
		if c := a.holders[s]; c != nil {
			return c
		}
		s.section = ""
	}
	return a.holders[s]
}

// fallback is the policy that routes on a listener can replace.
func (a *attachments) fallback(on *listener) *targetHolder {
	if on == nil {
		return nil
	}
	if c := a.onListener(on, false); c != nil {
		return c
	}
	return a.onGateway(on.gateway, "", false)
}

// named are the servingRules that the proxy's word leaves possible; false if it names
// what is not known.
func (a *attachments) named(ref *authz.RouteRef, host string) ([]servingRule, bool) {
	g := a.byKey[routeKey{ref.Kind, ref.Namespace, ref.Name}]
	if g == nil || ref.SectionName != "" && !g.hasRule(ref.SectionName) {
		return nil, false
	}
	servingRules := g.servingRules(ref.SectionName, func(at attachment) bool { return at.covers(host) })
	if len(servingRules) == 0 {
		servingRules = g.servingRules(ref.SectionName, func(attachment) bool { return true })
	}
	if len(servingRules) == 0 { // it serves all the same: by one of its parents
		for _, on := range g.named {
			servingRules = append(servingRules, servingRule{g, ref.SectionName, on})
		}
	}
	if len(servingRules) == 0 {
		servingRules = []servingRule{{g, ref.SectionName, nil}}
	}
	return servingRules, true
}

func (g *gatewayRoute) servingRules(rule string, on func(attachment) bool) []servingRule {
	var out []servingRule
	for _, at := range g.attached {
		if on(at) {
			out = append(out, servingRule{g, rule, at.on})
		}
	}
	return out
}

func (a attachment) covers(host string) bool {
	for _, h := range a.hostnames {
		if match.Within(host, h) {
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
