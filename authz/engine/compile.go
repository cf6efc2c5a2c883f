package engine

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/match"
)

// Compile turns an Input into what decides, and reports on every policy. It
// does no I/O. What did not change since the snapshot in force is taken over
// from it; nothing that serves is mutated.
func (e *Engine) Compile(in Input) (*Snapshot, []Report) {
	prev := e.current.Load()
	if prev == nil {
		prev = &Snapshot{}
	}
	c := &compiler{engine: e, prev: &prev.memo, objects: newObjects(&prev.memo, in)}
	c.next.init(c.objects)
	s := &Snapshot{byName: make(map[types.NamespacedName]*policy, len(in.Policies))}

	sources := slices.Clone(in.Policies)
	slices.SortStableFunc(sources, byAge)
	for _, source := range sources {
		p := c.policy(source)
		s.policies = append(s.policies, p)
		s.byName[p.origin.name] = p
	}
	lost := buildIndex(s)
	s.claimed = newClaims(s.policies)
	s.memo, s.used = c.next, c.used()

	reports := make([]Report, 0, len(s.policies))
	for i, p := range s.policies {
		reports = append(reports, p.report(lost[i]))
	}
	return s, reports
}

// byAge orders policies as ties are decided: the older first, then by
// namespace and name.
func byAge(a, b *v1alpha1.AgentAuthPolicy) int {
	return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time),
		cmp.Compare(namespaceOf(a), namespaceOf(b)), cmp.Compare(a.Name, b.Name))
}

func namespaceOf(p *v1alpha1.AgentAuthPolicy) string { return cmp.Or(p.Namespace, "default") }

// conflicts are what a policy lost to older ones.
type conflicts struct {
	lost, entries int
	messages      []string
}

// buildIndex enters the routes of every policy, of invalid ones too: a policy
// claims its routes by existing.
func buildIndex(s *Snapshot) map[int]*conflicts {
	var entries []match.Entry
	var fields []string
	for owner, p := range s.policies {
		for i, e := range p.entries {
			e.Owner = owner
			entries, fields = append(entries, e), append(fields, p.origin.fields[i])
		}
	}
	var losers []match.Conflict
	var err error
	if s.index, losers, err = match.Build(entries, match.Options{}); err != nil {
		panic(err) // routes() checked every entry
	}
	out := map[int]*conflicts{}
	for _, l := range losers {
		owner := entries[l.Loser].Owner
		if out[owner] == nil {
			out[owner] = &conflicts{entries: len(s.policies[owner].entries)}
		}
		out[owner].lost++
		out[owner].messages = append(out[owner].messages, fmt.Sprintf(
			"%s: an older policy, %s, has an equal match", fields[l.Loser], s.policies[entries[l.Winner].Owner].name))
	}
	return out
}

// routes makes the entries of a policy. What cannot be matched makes it
// invalid, and is claimed as widely as its host.
func (b *building) routes(routes []v1alpha1.Route) {
	for i, route := range routes {
		for h, host := range route.Hostnames {
			for m, mm := range route.Matches {
				at := fmt.Sprintf("spec.routes[%d].matches[%d]", i, m)
				e := match.Entry{Hostname: string(host), Match: mm}
				if problems := match.Check(e); problems != nil {
					if e = b.unmatchable(e, problems, at, fmt.Sprintf("spec.routes[%d].hostnames[%d]", i, h)); e.Hostname == "" {
						continue
					}
				}
				b.entries = append(b.entries, e)
				b.origin.fields = append(b.origin.fields, fmt.Sprintf("%s on host %s", at, host))
			}
		}
	}
}

func (b *building) unmatchable(e match.Entry, problems match.Problems, at, host string) match.Entry {
	for _, p := range problems {
		path := at + strings.TrimPrefix(p.Field, "match")
		if p.Field == "hostname" {
			path, e.Hostname = host, ""
		}
		told := slices.ContainsFunc(b.origin.problems, func(o Problem) bool { return o.Field == path })
		if b.invalid = true; !told { // Validate may have said it already
			b.reject(path, p.Detail)
		}
	}
	e.Match = gatewayv1.HTTPRouteMatch{}
	return e
}
