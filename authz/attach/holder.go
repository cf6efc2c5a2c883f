package attach

import (
	"k8s.io/apimachinery/pkg/types"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
)

// target identifies a route, rule, Gateway or listener. Only one policy can hold
// it.
type target struct {
	kind            v1alpha1.TargetKind
	namespace, name string
	section         string // of a rule or listener
	override        bool   // a Gateway has a default and an override
}

// targetOf is the target that a reference names. A precedence that cannot be
// read counts as the stronger one.
func targetOf(p Policy, ref v1alpha1.TargetReference) target {
	return target{ref.Kind, p.Namespace, ref.Name, ref.SectionName,
		ref.Kind == v1alpha1.TargetGateway && p.Precedence != "" && p.Precedence != v1alpha1.PrecedenceDefault}
}

// Holder is the policy that holds a target.
type Holder struct {
	Policy int
	// TargetGone: the route or Gateway lacks the rule or listener that the policy
	// names. The policy answers 503 there, since it may mean what is there now
	// under another name.
	TargetGone bool
}

// Holder is the policy that decides for a rule, whatever else the caller knows:
// the Gateway's or listener's with precedence Override, else the rule's, else
// the route's.
func (a *Attachments) Holder(r ServingRule) (Holder, bool) {
	if h, ok := a.override(r.on); ok {
		return h, true
	}
	return a.onRoute(r.route, r.rule)
}

// Fallback is the policy that decides for a rule if nothing else does: the
// listener's, else the Gateway's.
func (a *Attachments) Fallback(r ServingRule) (Holder, bool) { return a.fallback(r.on) }

// override is the policy that policies of routes cannot replace: the Gateway's
// before the listener's.
func (a *Attachments) override(on *listener) (Holder, bool) {
	if on == nil {
		return Holder{}, false
	}
	if h, ok := a.onGateway(on.gateway, "", true); ok {
		return h, true
	}
	return a.onListener(on, true)
}

// fallback is the policy that policies of routes replace: the listener's before
// the Gateway's.
func (a *Attachments) fallback(on *listener) (Holder, bool) {
	if on == nil {
		return Holder{}, false
	}
	if h, ok := a.onListener(on, false); ok {
		return h, true
	}
	return a.onGateway(on.gateway, "", false)
}

func (a *Attachments) onListener(on *listener, override bool) (Holder, bool) {
	if on.name == "" {
		return Holder{}, false
	}
	return a.onGateway(on.gateway, on.name, override)
}

// onGateway is the policy of a Gateway, or of a listener of it.
func (a *Attachments) onGateway(gateway types.NamespacedName, section string, override bool) (Holder, bool) {
	h, ok := a.holders[target{v1alpha1.TargetGateway, gateway.Namespace, gateway.Name, section, override}]
	return h, ok
}

// onRoute is the policy of a rule, else of its route.
func (a *Attachments) onRoute(r *route, rule string) (Holder, bool) {
	if h, ok := a.lostRules[r]; ok {
		return h, true
	}
	t := target{kind: v1alpha1.TargetKind(r.key.kind), namespace: r.key.namespace, name: r.key.name, section: rule}
	h, ok := a.holders[t]
	if !ok && rule != "" {
		t.section = ""
		h, ok = a.holders[t]
	}
	return h, ok
}
