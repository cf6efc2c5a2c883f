package engine

import (
	"maps"
	"slices"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/match"
)

// reservedHeaders are the names that policies of one hostname pattern, and of
// every pattern that covers it, set upstream: by namespace, alias -> name.
type reservedHeaders struct{ byNamespace map[string]map[string]string }

// removeReserved keeps a name that any policy of the host and namespace sets
// from being sent by the caller: it means the same on every path. The namespace
// is the policy's and that of the routes. A policy that was named also counts
// for the hosts it is written for, since the caller may have chosen another. A
// request that nothing claims (there is no policy) belongs to no namespace, so
// the names of all are removed.
func (s *Snapshot) removeReserved(r *authz.Request, f found, d *authz.Decision) {
	s.reservedFor(r.Host).remove(r, f, d)
	if _, named := r.ContextExtensions[ContextPolicy]; named && f.policy != nil {
		for _, h := range f.policy.hostnames {
			s.reservedFor(h).remove(r, f, d)
		}
		for _, u := range s.attached.hostsOf(f.policy) {
			s.reservedFor(u.pattern).remove(r, f, d)
		}
	}
	slices.Sort(d.Remove)
	d.Remove = slices.Compact(d.Remove)
}

func (c *reservedHeaders) remove(r *authz.Request, f found, d *authz.Decision) {
	if c == nil {
		return
	}
	for ns, names := range c.byNamespace {
		if f.policy == nil || ns == f.policy.namespace || slices.Contains(f.namespaces, ns) {
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

// removeNames removes names, by their aliases, and what came under a name that
// upstreams may take for one of them, but for what the decision itself sets.
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

// use is a hostname pattern that a policy decides on for a namespace.
type hostUse struct{ pattern, namespace string }

// newReservedHeaders computes, for each pattern, the names of all patterns that cover
// it, so that a look-up is one walk over the labels of a host. A pattern that no
// name is set for has no entry: the look-up finds what covers it.
func newReservedHeaders(policies []*policy, attached *attachments) map[string]*reservedHeaders {
	own := map[string]*reservedHeaders{}
	for _, p := range policies {
		if len(p.headers) == 0 {
			continue
		}
		uses := attached.hostsOf(p)
		for _, pattern := range p.hostnames {
			uses = append(uses, hostUse{pattern, p.namespace})
		}
		for _, u := range uses {
			if own[u.pattern] == nil {
				own[u.pattern] = &reservedHeaders{map[string]map[string]string{}}
			}
			own[u.pattern].add(u.namespace, p.names)
		}
	}
	out := make(map[string]*reservedHeaders, len(own))
	for pattern, mine := range own {
		all := []*reservedHeaders{mine}
		for wider := range match.Covering(pattern) {
			if c := own[wider]; c != nil && c != mine {
				all = append(all, c)
			}
		}
		if len(all) > 1 { // what is one pattern's own stays so
			mine = &reservedHeaders{map[string]map[string]string{}}
			for _, c := range all {
				for ns, names := range c.byNamespace {
					mine.add(ns, names)
				}
			}
		}
		out[pattern] = mine
	}
	return out
}

func (c *reservedHeaders) add(namespace string, names map[string]string) {
	if c.byNamespace[namespace] == nil {
		c.byNamespace[namespace] = make(map[string]string, len(names))
	}
	maps.Copy(c.byNamespace[namespace], names)
}
