package find

import (
	"slices"
	"strings"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/match"
)

// maxClaimants is how many policies of a disputed hostname are named.
const maxClaimants = 4

// noteDisputes says for the operator which policies claim the hostnames that are in
// force for nobody, by hostname. Tenants are never told.
func (u *update) noteDisputes() {
	claims := map[string][]string{} // the policies, by disputed hostname
	for _, n := range u.order {
		p := u.policies[n]
		for _, h := range p.Hostnames {
			if v := u.verdicts[tenantHost{p.Name.Namespace, h}]; v == disputed || v == beaten {
				claims[h] = claimant(claims[h], p.Name.String())
			}
		}
	}
	all := map[string][]string{}
	for h, own := range claims {
		for wider := range match.Covering(h) {
			for _, name := range claims[wider] {
				all[h] = claimant(all[h], name)
			}
			if len(claims[wider]) > 0 {
				for _, name := range own {
					all[wider] = claimant(all[wider], name)
				}
			}
		}
	}
	u.disputes = make(map[string]string, len(all))
	for h, names := range all {
		if len(names) > maxClaimants {
			names[maxClaimants] = "and more"
		}
		u.disputes[h] = "hostname " + h + " is claimed by " + strings.Join(names, ", ")
	}
}

// claimant adds a name to a list of the first names, which holds one more than is
// told: so the list is the same in whatever order names come.
func claimant(list []string, name string) []string {
	at, there := slices.BinarySearch(list, name)
	if there || at > maxClaimants {
		return list
	}
	list = slices.Insert(list, at, name)
	return list[:min(len(list), maxClaimants+1)]
}

// withClaimants adds to an answer, for the log of a server, who disputes the host.
// No caller is sent a Detail.
func (s *Snapshot) withClaimants(d authz.Decision, host string) authz.Decision {
	if d.Reason != authz.HostDisputed {
		return d
	}
	if claimed, ok := match.Closest(s.disputes, host); ok {
		d.Detail = claimed
		if routes := s.attached.Namespaces(host); len(routes) > 0 {
			d.Detail += "; routes of Gateway API of namespace " + authz.FirstOf(routes, maxClaimants) + " have it"
		}
		d.Detail += "; say who may use it by --hostnames or a ConfigMap of hostname grants"
	}
	return d
}
