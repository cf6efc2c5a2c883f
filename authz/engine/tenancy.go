package engine

import (
	"fmt"
	"slices"

	"github.com/agentauth-dev/agentauth/authz/attach"
	"github.com/agentauth-dev/agentauth/authz/match"
)

// HostnameGrants say which namespace may use which hostnames in the `routes` of
// policies (--hostnames). They are for tenants: people who do not trust each
// other, each with a namespace. No tenant can take a host from another: neither
// by an older policy (an old policy can be edited, a new one waits) nor by a more
// specific match.
//
// With any grant, a hostname without a grant is in force nowhere. Namespaces with
// grants for the same hosts share them, as policies of one namespace do.
//
// Without grants, a hostname that two namespaces use, or two that overlap, are in
// force for neither. A bare "*" always needs a grant, or one policy could take
// every host.
type HostnameGrants []HostnameGrant

// HostnameGrant lets policies of a namespace use the hostnames that a pattern
// covers.
type HostnameGrant struct {
	Namespace string
	// Hostname is as in routes: exact, "*." and a suffix, or "*".
	Hostname string
}

// Check returns the problem of a grant, if it has one.
func (g HostnameGrant) Check() error {
	if g.Namespace == "" {
		return fmt.Errorf("expected a namespace, got none")
	}
	if problems := match.Check(match.Entry{Hostname: g.Hostname}); problems != nil {
		return fmt.Errorf("hostname %q: %s", g.Hostname, problems[0].Message)
	}
	return nil
}

// tenantHost is a hostname in the `routes` of policies of a namespace.
type tenantHost struct{ namespace, hostname string }

type verdict uint8

const (
	inForce verdict = iota
	// disputed: two namespaces use it. It answers 503.
	disputed
	// ungranted: it answers 503 if no other policy decides.
	ungranted
	// beaten: Gateway API routes of another namespace have it.
	beaten
)

func (v verdict) String() string {
	switch v {
	case ungranted:
		return "the operator lets this namespace not use it (--hostnames)"
	case beaten:
		return "routes of Gateway API of another namespace have it, which come before routes of policies"
	case inForce, disputed:
	}
	return "another namespace claims it, or a hostname that overlaps, so it is in force for neither and its requests are answered 503; the operator says by --hostnames who may use it"
}

// judge decides which hostnames are in force. A hostname without a verdict is.
func (g HostnameGrants) judge(policies []*compiled, attached *attach.Attachments) map[tenantHost]verdict {
	out := map[tenantHost]verdict{}
	users := map[string][]string{} // hostname -> namespaces
	for _, p := range policies {
		for _, h := range p.hostnames {
			switch {
			case len(g) > 0 && !g.cover(p.namespace, h), len(g) == 0 && h == "*":
				out[tenantHost{p.namespace, h}] = ungranted
			case attached.Owned(h) && !attached.Owns(p.namespace, h):
				out[tenantHost{p.namespace, h}] = beaten
			case !slices.Contains(users[h], p.namespace):
				users[h] = append(users[h], p.namespace)
			}
		}
	}
	if len(g) > 0 {
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

func (g HostnameGrants) cover(namespace, hostname string) bool {
	for pattern := range match.Covering(hostname) {
		if slices.Contains(g, HostnameGrant{namespace, pattern}) {
			return true
		}
	}
	return false
}

// lose records that the policy may not use a hostname, once per hostname. A
// policy with Gateway API routes of its own namespace there (part) keeps it for
// those routes, unless the hostname is ungranted.
func (c *conflicts) lose(p *compiled, entry int, v verdict, part bool) {
	if !part || v == ungranted {
		c.lost++
	}
	if v == ungranted {
		c.ungranted++
	}
	hostname := p.entries[entry].Hostname
	if message := fmt.Sprintf("hostname %s: %s", hostname, v); !slices.Contains(c.messages, message) {
		c.messages = append(c.messages, message)
	}
}
