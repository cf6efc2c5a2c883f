package engine

import (
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/attach"
	"github.com/agentauth-dev/agentauth/authz/hostgrant"
	"github.com/agentauth-dev/agentauth/authz/match"
	"github.com/agentauth-dev/agentauth/authz/policy"
)

// reserved are the reserved headers of hostname patterns. At a pattern stand those
// of all patterns that cover it, so that one look-up finds all of them. A pattern
// without reserved headers of its own has no entry.
type reserved struct {
	// permitted has what namespaces reserve on hosts that they may use. It counts
	// for every request of the host.
	permitted map[string][]policy.Reserved
	// all has the rest too. It counts for requests of which the proxy names the
	// policy or the route: they are that namespace's, granted or not.
	all map[string][]policy.Reserved
}

// host is what the hosts of a request know beside its policy: the reserved
// headers, of the policy's namespace and of the namespaces of the routes. A
// policy that the proxy's configuration names also counts for its own hostnames,
// since the caller may have chosen another host.
func (s *Snapshot) host(r *authz.Request, p *compiled, f found) policy.Host {
	h := policy.Host{Reserved: reservedAt(s.reserved.permitted, r.Host), Namespace: p.namespace, Others: f.namespaces}
	_, named := r.ContextExtensions[ContextPolicy]
	if named || r.Route != nil {
		h.Reserved = reservedAt(s.reserved.all, r.Host)
	}
	if named {
		h.Reserved = h.Reserved[:len(h.Reserved):len(h.Reserved)]
		for _, own := range p.hostnames {
			h.Reserved = append(h.Reserved, reservedAt(s.reserved.all, own)...)
		}
		for use := range s.attached.Hosts(f.policy) {
			h.Reserved = append(h.Reserved, reservedAt(s.reserved.all, use.Pattern)...)
		}
	}
	return h
}

// unmatched are the reserved headers of a request that no policy decides. Those of
// the namespaces whose routes the proxy names count on every host.
func (v reserved) unmatched(r *authz.Request, routes []string) []policy.Reserved {
	out := reservedAt(v.permitted, r.Host)
	if r.Route == nil {
		return out
	}
	own := policy.Reserved{}
	for _, some := range reservedAt(v.all, r.Host) {
		for _, ns := range routes {
			own.Add(ns, some[ns])
		}
	}
	return append(out[:len(out):len(out)], own)
}

// reservedAt finds the reserved headers of the most specific pattern that covers a host,
// or a pattern.
func reservedAt(of map[string][]policy.Reserved, host string) []policy.Reserved {
	out, _ := match.Closest(of, host)
	return out
}

// newReserved collects what policies reserve.
func newReserved(policies []*compiled, attached *attach.Attachments, grants *hostgrant.Table, tenants bool) reserved {
	granted, rest := policy.Reservations{}, policy.Reservations{}
	for i, p := range policies {
		if len(p.names) == 0 {
			continue
		}
		for use := range attached.Hosts(i) {
			granted.Add(use.Pattern, use.Namespace, p.names) // what is not permitted is left out below
		}
		for _, h := range p.hostnames {
			to := granted
			if tenants && !mayUse(grants, p.namespace, h) {
				to = rest
			}
			to.Add(h, p.namespace, p.names)
		}
	}
	v := reserved{all: granted.And(rest).Covering(nil)}
	if v.permitted = v.all; grants != nil || len(rest) > 0 {
		v.permitted = granted.Covering(grants)
	}
	return v
}
