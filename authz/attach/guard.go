package attach

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/match"
)

// guard notes the hosts that a policy is meant to guard by its targets, and does not,
// since their Gateway does not count or is not there. Nobody loses a host by it: a
// request there is only never let through unmatched.
func (a *Attachments) guard(objects Objects) {
	a.guards = map[string]map[string]bool{}
	idle := a.idle(objects)
	for _, all := range []map[types.NamespacedName][]*listener{idle.own, idle.sets} {
		for _, list := range all {
			for _, l := range list {
				if a.guarded(l) {
					a.addGuard(l.hostname, l.gateway.Namespace)
				}
			}
		}
	}
	for _, r := range a.routes {
		a.guardRoute(r, idle)
	}
}

// idle are the listeners of the Gateways that do not count.
func (a *Attachments) idle(objects Objects) *listeners {
	if len(a.uncounted) == 0 {
		return newListeners(Objects{}, nil)
	}
	of := Objects{ListenerSets: objects.ListenerSets, Namespaces: objects.Namespaces}
	for _, g := range objects.Gateways {
		if a.known[nameIn(g.Namespace, g.Name)] == nil {
			of.Gateways = append(of.Gateways, g)
		}
	}
	return newListeners(of, nil)
}

func (a *Attachments) addGuard(pattern, namespace string) {
	if a.guards[pattern] == nil {
		a.guards[pattern] = map[string]bool{}
	}
	a.guards[pattern][namespace] = true
}

// guardRoute notes the hostnames of a route that a policy targets, itself or by its
// Gateway, if a parent of the route does not count or no listener admits the route.
// A route without hostnames has those of the listeners that do not count and that
// admit it. Without such a listener it has none: it must not close every host.
func (a *Attachments) guardRoute(r *route, idle *listeners) {
	held, lost := a.held(r), len(r.attached) == 0
	var listed []string
	for _, ref := range r.parents {
		gateway, list, counts := a.parentOf(r, ref, idle)
		if counts {
			continue
		}
		lost = true
		r.idle = r.idle || idle.known[gateway] != nil && gateway.Namespace == r.key.namespace
		held = held || a.guarded(&listener{gateway: gateway, name: string(ptr.Deref(ref.SectionName, ""))})
		for _, l := range list {
			if section := ptr.Deref(ref.SectionName, ""); (section == "" || l.name == string(section)) && idle.admits(l, r.key.kind, r.key.namespace) {
				r.idle, held, listed = true, held || a.guarded(l), append(listed, l.hostname)
			}
		}
	}
	if r.byDefault {
		for gateway, g := range idle.known {
			if g.Spec.DefaultScope != gatewayv1.GatewayDefaultScopeAll {
				continue
			}
			for _, l := range idle.own[gateway] {
				if idle.admits(l, r.key.kind, r.key.namespace) {
					r.idle, lost, held, listed = true, true, held || a.guarded(l), append(listed, l.hostname)
				}
			}
		}
	}
	if !held || !lost {
		return
	}
	for _, h := range r.hostnames {
		if h := strings.ToLower(string(h)); match.Check(match.Entry{Hostname: h}) == nil {
			a.addGuard(h, r.key.namespace)
		}
	}
	if len(r.hostnames) == 0 {
		for _, h := range listed {
			a.addGuard(h, r.key.namespace)
		}
	}
}

// parentOf is the Gateway of a parent of a route, and its listeners if it does not
// count. What is no Gateway and no ListenerSet is as if it counted.
func (a *Attachments) parentOf(r *route, ref gatewayv1.ParentReference, idle *listeners) (gateway types.NamespacedName, list []*listener, counts bool) {
	if ptr.Deref(ref.Group, v1alpha1.GatewayGroup) != v1alpha1.GatewayGroup {
		return gateway, nil, true
	}
	key := nameIn(string(ptr.Deref(ref.Namespace, gatewayv1.Namespace(r.key.namespace))), string(ref.Name))
	switch ptr.Deref(ref.Kind, "Gateway") {
	case "Gateway":
		return key, idle.own[key], a.known[key] != nil
	case "ListenerSet":
		_, counts = a.parent[key]
		return idle.parent[key], idle.sets[key], counts
	}
	return gateway, nil, true
}

// held says whether a policy targets a route, or a rule of it.
func (a *Attachments) held(r *route) bool {
	if _, held := a.onRoute(r, ""); held {
		return true
	}
	return slices.ContainsFunc(r.rules, func(one rule) bool {
		_, held := a.onRoute(r, one.name)
		return held
	})
}

// GuardsUnserved says whether a policy is meant to guard a host on which it cannot
// decide: see guard. Where routes serve the request, only policies of their
// namespaces guard it: nobody takes a host from the routes of others.
func (a *Attachments) GuardsUnserved(host string, serving []string) bool {
	if len(a.guards) == 0 {
		return false
	}
	for pattern := range match.Covering(host) {
		for ns := range a.guards[pattern] {
			if a.grants.Permits(ns, host) && (len(serving) == 0 || slices.Contains(serving, ns)) {
				return true
			}
		}
	}
	return false
}
