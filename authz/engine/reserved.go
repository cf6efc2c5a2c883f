package engine

import (
	"maps"
	"slices"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/attach"
	"github.com/agentauth-dev/agentauth/authz/match"
)

// reservedHeaders are the names of the headers that policies of one hostname
// pattern, and of every pattern that covers it, set upstream: by namespace,
// alias -> name.
type reservedHeaders struct{ byNamespace map[string]map[string]string }

// removeReserved removes the reserved headers of a host from what the caller
// sent, so that such a header means the same on every path. The reserved headers
// are those of the policy's namespace and of the routes' namespaces. A policy
// that the proxy's configuration names also counts for its own hostnames, since
// the caller may have chosen another host. A request without a policy belongs to
// no namespace: the reserved headers of all namespaces are removed.
func (s *Snapshot) removeReserved(r *authz.Request, f found, d *authz.Decision) {
	of := func(namespace string) bool {
		return f.outcome == nobody || namespace == s.policies[f.policy].namespace || slices.Contains(f.namespaces, namespace)
	}
	s.reservedFor(r.Host).remove(r, of, d)
	if _, named := r.ContextExtensions[ContextPolicy]; named && f.outcome == policyFound {
		for _, h := range s.policies[f.policy].hostnames {
			s.reservedFor(h).remove(r, of, d)
		}
		for use := range s.attached.Hosts(f.policy) {
			s.reservedFor(use.Pattern).remove(r, of, d)
		}
	}
	slices.Sort(d.Remove)
	d.Remove = slices.Compact(d.Remove)
}

func (h *reservedHeaders) remove(r *authz.Request, of func(namespace string) bool, d *authz.Decision) {
	if h == nil {
		return
	}
	for ns, names := range h.byNamespace {
		if of(ns) {
			removeNames(r, names, d)
		}
	}
}

// reservedFor finds the reserved headers of the most specific pattern that
// covers a host, or a pattern; nil if there are none.
func (s *Snapshot) reservedFor(host string) *reservedHeaders {
	h, _ := match.Closest(s.reserved, host)
	return h
}

// removeNames removes the names, and every header that upstreams may take for
// one of them (see authz.Alias). It keeps a header that the decision itself sets.
func removeNames(r *authz.Request, names map[string]string, d *authz.Decision) {
	for _, name := range names {
		if !sets(d, name) {
			d.Remove = append(d.Remove, name)
		}
	}
	if len(names) == 0 {
		return
	}
	for name := range r.Headers() {
		if names[authz.Alias(name)] != "" && !sets(d, name) {
			d.Remove = append(d.Remove, name)
		}
	}
}

func sets(d *authz.Decision, name string) bool {
	return slices.ContainsFunc(d.Set, func(h authz.Header) bool { return h.Name == name })
}

// newReservedHeaders merges, for each pattern, the names of all patterns that
// cover it, so that reservedFor finds all of them at one pattern. A pattern
// without names of its own has no entry.
func newReservedHeaders(policies []*policy, attached *attach.Attachments) map[string]*reservedHeaders {
	own := map[string]*reservedHeaders{}
	add := func(use attach.HostUse, p *policy) {
		if own[use.Pattern] == nil {
			own[use.Pattern] = &reservedHeaders{map[string]map[string]string{}}
		}
		own[use.Pattern].add(use.Namespace, p.names)
	}
	for i, p := range policies {
		if len(p.headers) == 0 {
			continue
		}
		for use := range attached.Hosts(i) {
			add(use, p)
		}
		for _, h := range p.hostnames {
			add(attach.HostUse{Pattern: h, Namespace: p.namespace}, p)
		}
	}
	out := make(map[string]*reservedHeaders, len(own))
	for pattern, mine := range own {
		all := []*reservedHeaders{mine}
		for wider := range match.Covering(pattern) {
			if h := own[wider]; h != nil && h != mine {
				all = append(all, h)
			}
		}
		if len(all) > 1 { // a single one is shared, not copied
			mine = &reservedHeaders{map[string]map[string]string{}}
			for _, h := range all {
				for ns, names := range h.byNamespace {
					mine.add(ns, names)
				}
			}
		}
		out[pattern] = mine
	}
	return out
}

func (h *reservedHeaders) add(namespace string, names map[string]string) {
	if h.byNamespace[namespace] == nil {
		h.byNamespace[namespace] = make(map[string]string, len(names))
	}
	maps.Copy(h.byNamespace[namespace], names)
}
