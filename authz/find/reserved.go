package find

import (
	"cmp"
	"slices"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/attach"
	"github.com/agentauth-dev/agentauth/authz/match"
	"github.com/agentauth-dev/agentauth/authz/policy"
)

// reserved are the reserved headers of hostname patterns. At a pattern stand those
// of all patterns that cover it, so that one look-up finds all of them. A pattern
// without reserved headers of its own has no entry.
type reserved struct {
	// permitted has what namespaces reserve on hosts that they may use. It counts
	// for every request of the host.
	permitted map[string][]*policy.Reserved
	// all has the rest too. It counts for requests of which the proxy names the
	// policy or the route: they are that namespace's, granted or not.
	all map[string][]*policy.Reserved
	// nobodys is what is permitted without the hosts that shadowed policies would not
	// have, since another namespace has them. It counts for requests that no policy
	// decides.
	nobodys map[string][]*policy.Reserved
}

// host is what the hosts of a request know beside its policy: the reserved
// headers, of the policy's namespace and of the namespaces of the routes. A
// policy that the proxy's configuration names also counts for its own hostnames,
// since the caller may have chosen another host. Namespaces that do not keep
// policies apart, and those that were granted one host, share the names on it.
func (s *Snapshot) host(r *authz.Request, p *Policy, f *found) policy.Host {
	h := policy.Host{Namespace: p.Name.Namespace, Others: f.namespaces, TrustForwarded: s.options.TrustForwarded, TrustMCPMetadata: s.options.TrustMCPMetadata}
	reserved := s.reservedFor(r, p, f)
	if s.trial != nil {
		reserved = append(slices.Clip(reserved), s.trial.reservedFor(r, p, f)...)
	}
	if s.options.OneTenant {
		h.Shared = reserved
		return h
	}
	h.Reserved = reserved
	if s.tenancy.grants.Granted(h.Namespace, r.Host) {
		h.Shared = reservedAt(s.reserved.permitted, r.Host)
		if s.trial != nil {
			h.Shared = append(slices.Clip(h.Shared), reservedAt(s.trial.reserved.permitted, r.Host)...)
		}
	}
	return h
}

func (s *Snapshot) reservedFor(r *authz.Request, p *Policy, f *found) []*policy.Reserved {
	_, named := r.ContextExtensions[ContextPolicy]
	switch {
	case named:
		return s.reservedForNamed(r, p, f.policy)
	case r.Route != nil:
		return reservedAt(s.reserved.all, r.Host)
	}
	return reservedAt(s.reserved.permitted, r.Host)
}

// reservedForNamed are those of a policy that the proxy's configuration names.
func (s *Snapshot) reservedForNamed(r *authz.Request, p *Policy, n int) []*policy.Reserved {
	out := slices.Clip(reservedAt(s.reserved.all, r.Host))
	for _, own := range p.Hostnames {
		out = append(out, reservedAt(s.reserved.all, own)...)
	}
	for use := range s.attached.Hosts(n) {
		out = append(out, reservedAt(s.reserved.all, use.Pattern)...)
	}
	return out
}

// unmatched are the reserved headers of a request that no policy decides. Those of
// the namespaces whose routes the proxy names count on every host.
func (v reserved) unmatched(r *authz.Request, routes []string) []*policy.Reserved {
	out := reservedAt(v.nobodys, r.Host)
	if r.Route == nil {
		return out
	}
	out = slices.Clip(out)
	for _, some := range reservedAt(v.all, r.Host) {
		out = append(out, some.Only(func(ns string) bool { return slices.Contains(routes, ns) }))
	}
	return out
}

// reservedAt finds the reserved headers of the most specific pattern that covers a host,
// or a pattern.
func reservedAt(of map[string][]*policy.Reserved, host string) []*policy.Reserved {
	out, _ := match.Closest(of, host)
	return out
}

// reserve collects what policies reserve, unless that is what it was before.
func (u *update) reserve() {
	same := u.prev.attached != nil && u.tenancy.grants == u.prev.tenancy.grants && (u.judged || u.enforced == nil)
	for n := range u.numbers() {
		before, now, changed := u.changed(n)
		if !same || !changed && u.attached == u.prev.attached {
			continue
		}
		same = slices.Equal(u.prev.uses(n, before), u.uses(n, now)) && (before == nil || now == nil || before.Shadow == now.Shadow && slices.Equal(before.Names(), now.Names()))
	}
	if u.reserved = u.prev.reserved; same {
		return
	}
	granted, rest, nobodys := policy.Reservations{}, policy.Reservations{}, policy.Reservations{}
	for _, n := range u.order {
		p := u.policies[n]
		if len(p.Names()) == 0 {
			continue
		}
		for use := range u.attached.Hosts(n) {
			granted.Add(use.Pattern, use.Namespace, p.Names()) // what is not permitted is left out below
			nobodys.Add(use.Pattern, use.Namespace, p.Names())
		}
		for _, h := range p.Hostnames {
			to := granted
			if !u.options.OneTenant && !mayUse(u.tenancy.grants, p.Name.Namespace, h) {
				to = rest
			}
			to.Add(h, p.Name.Namespace, p.Names())
			if !p.Shadow || u.options.OneTenant || u.verdicts[tenantHost{p.Name.Namespace, h}] == inForce {
				nobodys.Add(h, p.Name.Namespace, p.Names())
			}
		}
	}
	u.reserved = reserved{all: granted.And(rest).Covering(nil)}
	if u.reserved.permitted = u.reserved.all; u.tenancy.grants != nil || len(rest) > 0 {
		u.reserved.permitted = granted.Covering(u.tenancy.grants)
	}
	if u.reserved.nobodys = u.reserved.permitted; u.enforced != nil {
		u.reserved.nobodys = nobodys.Covering(u.tenancy.grants)
	}
}

// uses are the hostname patterns on which a policy reserves its headers, in
// order.
func (s *Snapshot) uses(n int, p *Policy) []attach.HostUse {
	if p == nil || len(p.Names()) == 0 {
		return nil
	}
	out := slices.Collect(s.attached.Hosts(n))
	for _, h := range p.Hostnames {
		out = append(out, attach.HostUse{Pattern: h, Namespace: p.Name.Namespace})
	}
	slices.SortFunc(out, func(a, b attach.HostUse) int {
		return cmp.Or(cmp.Compare(a.Pattern, b.Pattern), cmp.Compare(a.Namespace, b.Namespace))
	})
	return out
}
