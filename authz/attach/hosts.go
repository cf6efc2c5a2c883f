package attach

import (
	"iter"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/agentauth-dev/agentauth/authz/match"
)

// HostUse is a hostname pattern on which a policy decides, and the namespace of
// the policy or of the route that it decides for.
type HostUse struct{ Pattern, Namespace string }

func (a *Attachments) noteHostnames(r *route, hostnames []string) {
	namespace := r.key.namespace
	for _, h := range hostnames {
		if at := (HostUse{h, namespace}); !slices.Contains(a.routesAt[at], r) {
			a.routesAt[at] = append(a.routesAt[at], r)
		}
		if a.namespaces[h] == nil {
			a.namespaces[h] = map[string]bool{}
			for wider := range match.Covering(h) {
				a.above[wider] = true
			}
		}
		if !a.namespaces[h][namespace] {
			a.namespaces[h][namespace] = true
			a.hostnames[namespace] = append(a.hostnames[namespace], h)
		}
	}
}

// HasRoutes says whether there is any route of Gateway API.
func (a *Attachments) HasRoutes() bool { return len(a.routes) > 0 }

// HasRoutesIn says whether a namespace has a route of Gateway API.
func (a *Attachments) HasRoutesIn(namespace string) bool { return a.routeNamespaces[namespace] }

// Namespaces are those whose routes have a host, in order.
func (a *Attachments) Namespaces(host string) []string {
	var out []string
	for pattern := range match.Covering(host) {
		for ns := range a.namespaces[pattern] {
			if a.grants.Permits(ns, host) && !slices.Contains(out, ns) {
				out = append(out, ns)
			}
		}
	}
	slices.Sort(out)
	return out
}

// Owned says whether routes of any namespace have all hosts of a pattern.
func (a *Attachments) Owned(pattern string) bool {
	for wider := range match.Covering(pattern) {
		for ns := range a.namespaces[wider] {
			if a.grants.Permits(ns, pattern) {
				return true
			}
		}
	}
	return false
}

// Owns says whether routes of a namespace have all hosts of a pattern.
func (a *Attachments) Owns(namespace, pattern string) bool {
	for wider := range match.Covering(pattern) {
		if a.namespaces[wider][namespace] {
			return a.grants.Permits(namespace, pattern)
		}
	}
	return false
}

// OwnsPart says whether routes of a namespace have some host of a pattern.
func (a *Attachments) OwnsPart(namespace, pattern string) bool {
	return slices.ContainsFunc(a.hostnames[namespace], func(h string) bool {
		return match.Overlap(h, pattern) && a.grants.Permits(namespace, narrower(h, pattern))
	})
}

// Guards says whether a policy targets a Gateway, or a listener, on which a
// request for the host may arrive. Such a request is never unguarded, even if no
// route serves it.
func (a *Attachments) Guards(host string) bool {
	for _, all := range []map[types.NamespacedName][]*listener{a.own, a.sets} {
		for _, list := range all {
			if slices.ContainsFunc(list, func(l *listener) bool { return match.Within(host, l.hostname) && a.guarded(l) }) {
				return true
			}
		}
	}
	return false
}

func (a *Attachments) guarded(l *listener) bool {
	_, override := a.override(l)
	_, fallback := a.fallback(l)
	return override || fallback
}

// Hosts are the hostnames on which a policy decides by its targetRefs, in no
// order.
func (a *Attachments) Hosts(policy int) iter.Seq[HostUse] { return maps.Keys(a.hosts[policy]) }
