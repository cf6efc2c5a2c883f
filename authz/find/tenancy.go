package find

import (
	"fmt"
	"slices"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/attach"
	"github.com/agentauth-dev/agentauth/authz/hostgrant"
	"github.com/agentauth-dev/agentauth/authz/match"
)

// HostnameGrants say which namespace may use which hostnames. They are for
// tenants: people who do not trust each other, each with a namespace. No tenant can
// take a host from another: neither by an older policy (an old policy can be
// edited, a new one waits) nor by a more specific match, nor by a route of Gateway
// API.
//
// With any grant, a hostname without a grant is in force in no `routes`, and claims
// nothing: neither requests nor names of headers. Namespaces with grants for the
// same hosts share them, as policies of one namespace do.
//
// Without grants, a hostname that two namespaces use, or two that overlap, are in
// force for neither. A bare "*" always needs a grant, or one policy could take
// every host.
type HostnameGrants []hostgrant.Grant

// tenancy is what keeps the tenants of an Input apart.
type tenancy struct {
	// classes are the GatewayClasses that count, in order; all do if anyClass.
	classes  []string
	anyClass bool
	// grants are those in force; nil if there are none.
	grants *hostgrant.Table
}

func (t tenancy) same(o tenancy) bool {
	return t.anyClass == o.anyClass && t.grants == o.grants && slices.Equal(t.classes, o.classes)
}

func (t tenancy) attach() attach.Tenancy {
	out := attach.Tenancy{Grants: t.grants}
	if !t.anyClass {
		out.Counts = func(class string) bool { _, counts := slices.BinarySearch(t.classes, class); return counts }
	}
	return out
}

// separate reads the tenancy of an Input, and the problems of the objects that say
// it.
func (u *update) separate(in *Input) {
	if u.closed = in.Unreadable; u.closed {
		u.problems = append(u.problems, authz.Problem{Severity: authz.Warning, Message: unreadable})
	}
	u.tenancy.anyClass = u.options.OneTenant && len(u.options.GatewayClasses) == 0
	if u.tenancy.classes = slices.Sorted(slices.Values(u.options.GatewayClasses)); len(u.tenancy.classes) == 0 && !u.options.OneTenant {
		for _, c := range in.GatewayClasses {
			if c.Accepted {
				u.tenancy.classes = append(u.tenancy.classes, c.Name)
			}
		}
		slices.Sort(u.tenancy.classes)
		if in.NoGatewayClasses {
			u.closed = true
			u.problems = append(u.problems, authz.Problem{Severity: authz.Warning, Message: noGatewayClasses})
		}
	}
	if u.options.OneTenant || len(u.options.HostnameGrants)+len(in.HostnameGrants) == 0 {
		return
	}
	lists, table := [][]hostgrant.Grant{u.options.HostnameGrants}, hostgrant.NewTable
	for _, o := range in.HostnameGrants {
		configMap := "ConfigMap " + o.Namespace + "/" + o.Name
		grants, partial, wrong := hostgrant.Parse(configMap, o.Data)
		if o.Omitted != "" {
			grants, partial, wrong = nil, true, []authz.Problem{hostgrant.Unread(configMap, o.Omitted)}
		}
		lists, u.problems = append(lists, grants), append(u.problems, wrong...)
		if partial {
			table, u.closed = hostgrant.NewPartialTable, true
		}
	}
	if u.tenancy.grants = table(lists...); u.tenancy.grants.Equal(u.prev.tenancy.grants) {
		u.tenancy.grants = u.prev.tenancy.grants
	}
}

const noGatewayClasses = "no GatewayClass can be read, since their CRD is not installed: no Gateway counts, and no request is let through unmatched; " +
	"install gatewayclasses.gateway.networking.k8s.io, or name the classes whose Gateways count (--gateway-classes)"

const unreadable = "some routes, Gateways or ListenerSets cannot be read and are left out, so nobody knows which hosts they have: no request is let through unmatched; " +
	"the log names them: correct or delete them, or install the version of Gateway API that this version of agentauth reads"

// tenantHost is a hostname in the `routes` of policies of a namespace.
type tenantHost struct{ namespace, hostname string }

type verdict uint8

const (
	inForce verdict = iota
	// disputed: two namespaces use it. It answers 503.
	disputed
	// ungranted: it claims nothing.
	ungranted
	// beaten: Gateway API routes of another namespace have it.
	beaten
)

func (v verdict) String() string {
	switch v {
	case ungranted:
		return "this namespace has no grant for it; the operator grants hostnames by --hostnames NAMESPACE=PATTERN or a ConfigMap of hostname grants"
	case beaten:
		return "routes of Gateway API of another namespace have it, which come before routes of policies"
	case inForce, disputed:
	}
	return "another namespace claims it, or a hostname that overlaps, so it is in force for neither and its requests are answered 503; the operator says who may use it (--hostnames, or a ConfigMap of hostname grants)"
}

// mayUse says whether `routes` of a namespace may use a hostname, as far as grants
// say.
func mayUse(grants *hostgrant.Table, namespace, hostname string) bool {
	if grants == nil {
		return hostname != "*"
	}
	return grants.Granted(namespace, hostname)
}

// judge decides which hostnames are in force. A hostname without a verdict is.
func judge(grants *hostgrant.Table, policies []*Policy, attached *attach.Attachments) map[tenantHost]verdict {
	out := map[tenantHost]verdict{}
	users := map[string][]string{} // hostname -> namespaces
	for _, p := range policies {
		for _, h := range p.Hostnames {
			switch {
			case !mayUse(grants, p.Name.Namespace, h):
				out[tenantHost{p.Name.Namespace, h}] = ungranted
			case attached.Owned(h) && !attached.Owns(p.Name.Namespace, h):
				out[tenantHost{p.Name.Namespace, h}] = beaten
			case !slices.Contains(users[h], p.Name.Namespace):
				users[h] = append(users[h], p.Name.Namespace)
			}
		}
	}
	if grants != nil {
		return out
	}
	for h, mine := range users {
		for wider := range match.Covering(h) {
			for _, a := range mine {
				for _, b := range users[wider] {
					if mine, theirs := attached.Owns(a, h), attached.Owns(b, wider); a != b && !mine && !theirs {
						out[tenantHost{a, h}], out[tenantHost{b, wider}] = disputed, disputed
					}
				}
			}
		}
	}
	return out
}

// lose records that the policy may not use a hostname, once per hostname. A
// policy with Gateway API routes of its own namespace there (part) keeps it for
// those routes, unless the hostname is ungranted.
func (c *Conflicts) lose(p *Policy, entry int, v verdict, part bool) {
	if !part || v == ungranted {
		c.Lost++
	}
	if v == ungranted {
		c.Ungranted++
	}
	hostname := p.Entries[entry].Hostname
	if message := fmt.Sprintf("hostname %s: %s", hostname, v); !slices.Contains(c.Messages, message) {
		c.Messages = append(c.Messages, message)
	}
}
