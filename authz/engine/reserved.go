package engine

import (
	"slices"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/attach"
	"github.com/agentauth-dev/agentauth/authz/match"
	"github.com/agentauth-dev/agentauth/authz/policy"
)

// host is what the hosts of a request know beside its policy: the reserved
// headers, of the policy's namespace and of the namespaces of the routes. A
// policy that the proxy's configuration names also counts for its own hostnames,
// since the caller may have chosen another host.
func (s *Snapshot) host(r *authz.Request, p *compiled, f found) policy.Host {
	h := policy.Host{Reserved: s.reservedFor(r.Host), Namespace: p.namespace, Others: f.namespaces}
	if _, named := r.ContextExtensions[ContextPolicy]; named {
		h.Reserved = slices.Clone(h.Reserved)
		for _, own := range p.hostnames {
			h.Reserved = append(h.Reserved, s.reservedFor(own)...)
		}
		for use := range s.attached.Hosts(f.policy) {
			h.Reserved = append(h.Reserved, s.reservedFor(use.Pattern)...)
		}
	}
	return h
}

// reservedFor finds the reserved headers of the most specific pattern that
// covers a host, or a pattern.
func (s *Snapshot) reservedFor(host string) []policy.Reserved {
	reserved, _ := match.Closest(s.reserved, host)
	return reserved
}

// newReserved lists, for each pattern, the reserved headers of all patterns that
// cover it, so that reservedFor finds all of them at one pattern. A pattern
// without names of its own has no entry.
func newReserved(policies []*compiled, attached *attach.Attachments) map[string][]policy.Reserved {
	own := map[string]policy.Reserved{}
	add := func(use attach.HostUse, p *compiled) {
		if own[use.Pattern] == nil {
			own[use.Pattern] = policy.Reserved{}
		}
		own[use.Pattern].Add(use.Namespace, p.names)
	}
	for i, p := range policies {
		if len(p.names) == 0 {
			continue
		}
		for use := range attached.Hosts(i) {
			add(use, p)
		}
		for _, h := range p.hostnames {
			add(attach.HostUse{Pattern: h, Namespace: p.namespace}, p)
		}
	}
	out := make(map[string][]policy.Reserved, len(own))
	for pattern := range own {
		for wider := range match.Covering(pattern) {
			if h := own[wider]; h != nil {
				out[pattern] = append(out[pattern], h)
			}
		}
	}
	return out
}
