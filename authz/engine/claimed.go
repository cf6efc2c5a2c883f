package engine

import (
	"slices"
	"strings"

	"github.com/agentauth-dev/agentauth/authz"
)

// claims are the header names that policies of one hostname pattern, and of
// every pattern that covers it, set upstream: alias -> name, by namespace.
type claims struct{ byNamespace map[string]map[string]string }

// removeClaimed keeps a name that any policy of the host and namespace sets
// from being sent by the caller: it means the same on every path. A request
// that nothing claims belongs to no namespace, so all names are removed.
func (s *Snapshot) removeClaimed(r *authz.Request, namespace string, d *authz.Decision) {
	c := s.claimsOf(r.Host)
	if c == nil {
		return
	}
	for ns, names := range c.byNamespace {
		if namespace == "" || ns == namespace {
			removeNames(r, names, d)
		}
	}
	slices.Sort(d.Remove)
	d.Remove = slices.Compact(d.Remove)
}

// claimsOf finds the longest pattern that covers a host.
func (s *Snapshot) claimsOf(host string) *claims {
	if c := s.claimed[host]; c != nil {
		return c
	}
	for rest := host; ; {
		i := strings.IndexByte(rest, '.')
		if i < 0 {
			return s.claimed["*"]
		}
		rest = rest[i+1:]
		if c := s.claimed["*."+rest]; c != nil {
			return c
		}
	}
}

// removeNames removes names and what upstreams may take for them, but for
// what the decision itself sets.
func removeNames(r *authz.Request, names map[string]string, d *authz.Decision) {
	if len(names) == 0 {
		return
	}
	set := make(map[string]bool, len(d.Set))
	for _, h := range d.Set {
		set[h.Name] = true
	}
	for _, name := range names {
		if !set[name] {
			d.Remove = append(d.Remove, name)
		}
	}
	for name := range r.Headers() {
		if _, ok := names[authz.Alias(name)]; ok && !set[name] {
			d.Remove = append(d.Remove, name)
		}
	}
}

// newClaims computes, for each pattern, the names of all patterns that cover
// it, so that a look-up is one walk over the labels of a host.
func newClaims(policies []*policy) map[string]*claims {
	own := map[string]map[string]map[string]string{} // pattern -> namespace -> alias -> name
	for _, p := range policies {
		for _, pattern := range p.hostnames {
			if own[pattern] == nil {
				own[pattern] = map[string]map[string]string{}
			}
			if len(p.headers) == 0 {
				continue
			}
			names := own[pattern][p.namespace]
			if names == nil {
				names = map[string]string{}
				own[pattern][p.namespace] = names
			}
			for _, h := range p.headers {
				names[authz.Alias(h.name)] = h.name
			}
		}
	}
	out := make(map[string]*claims, len(own))
	for pattern := range own {
		c := &claims{byNamespace: map[string]map[string]string{}}
		for _, covering := range covers(pattern) {
			for ns, names := range own[covering] {
				if c.byNamespace[ns] == nil {
					c.byNamespace[ns] = map[string]string{}
				}
				for alias, name := range names {
					c.byNamespace[ns][alias] = name
				}
			}
		}
		out[pattern] = c
	}
	return out
}

// covers lists a pattern and every pattern that matches all its hosts.
func covers(pattern string) []string {
	if pattern == "*" {
		return []string{"*"}
	}
	out := []string{pattern}
	rest := strings.TrimPrefix(pattern, "*.")
	for {
		i := strings.IndexByte(rest, '.')
		if i < 0 {
			return append(out, "*")
		}
		rest = rest[i+1:]
		out = append(out, "*."+rest)
	}
}
