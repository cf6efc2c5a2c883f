package find

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/match"
)

// Hides are the warnings of a policy that takes a host from the policy of a
// wildcard: requests on the host that no match fits are refused then, and the
// wildcard is not asked.
func (s *Snapshot) Hides(n int) []authz.Problem { return s.of(n).hides[n] }

// maxHides is how many hosts of a policy are warned of.
const maxHides = 5

// hide finds which policies take hosts from wildcards. It takes over the warnings of
// the policies that no change concerns.
func (u *update) hide() {
	u.hides = make([][]authz.Problem, len(u.policies))
	var concerned []int
	needed := map[string]bool{}
	var few []string // as after most changes
	if len(u.changes.hostnames) <= 8 {
		few = slices.Collect(maps.Keys(u.changes.hostnames))
	}
	for n, p := range u.policies {
		switch {
		case p == nil || p.Invalid:
		case u.concerned(n, few):
			concerned = append(concerned, n)
			for _, h := range p.Hostnames {
				for pattern := range match.Covering(h) {
					needed[pattern] = true
				}
			}
		default:
			u.hides[n] = u.prev.hides[n]
		}
	}
	if len(concerned) == 0 {
		return
	}
	w := &wildcards{on: u.holding(needed, func(*Policy) bool { return true }), hidden: map[string]*holder{}}
	for _, n := range concerned {
		u.hides[n] = u.hidesOf(u.policies[n], u.placed[n].has, w)
	}
}

// Beside is what Hides would say of the only policy of another snapshot, which is not
// in force here, and whether it lets requests through, beside the policies of its
// namespace. It tells nothing of other namespaces.
func (s *Snapshot) Beside(other *Snapshot) []authz.Problem {
	n := other.Order()[0]
	other = other.of(n)
	p := other.policies[n]
	switch {
	case p.Invalid:
		return nil
	case s == nil:
		return s.aloneBeside(p, other.programmed[n])
	}
	needed := map[string]bool{}
	for _, h := range p.Hostnames {
		for pattern := range match.Covering(h) {
			needed[pattern] = true
		}
	}
	on := s.holding(needed, func(o *Policy) bool { return o.Name.Namespace == p.Name.Namespace && o.Name != p.Name })
	for h, own := range other.holding(needed, func(*Policy) bool { return true }) {
		on[h] = append(on[h], own...)
	}
	return append(s.hidesOf(p, other.placed[n].has, &wildcards{on: on, hidden: map[string]*holder{}}), s.aloneBeside(p, other.programmed[n])...)
}

// concerned says whether a policy or another one on its hosts or on wildcards that
// cover them changed. few are all hostnames on which something did, if they are few.
func (u *update) concerned(n int, few []string) bool {
	if n >= len(u.prev.placed) || u.prev.placed[n] == nil || u.prev.placed[n].policy != u.placed[n].policy {
		return true
	}
	if len(u.changes.hostnames) == len(few) {
		return slices.ContainsFunc(u.policies[n].Hostnames, func(h string) bool {
			return slices.ContainsFunc(few, func(changed string) bool { return match.Within(h, changed) })
		})
	}
	for _, h := range u.policies[n].Hostnames {
		for pattern := range match.Covering(h) {
			if u.changes.hostnames[pattern] {
				return true
			}
		}
	}
	return false
}

// has says whether an entry is in force for its policy.
func (p *placed) has(entry int) bool {
	_, lost := p.lost[entry]
	return !lost && p.verdict(entry).verdict == inForce
}

// holder is an entry in force, and its policy.
type holder struct {
	policy *Policy
	entry  *Entry
}

// holding are the entries in force of some hostnames, of the policies that count,
// those of the older first.
func (s *Snapshot) holding(hostnames map[string]bool, counts func(*Policy) bool) map[string][]holder {
	out := map[string][]holder{}
	for _, n := range s.order {
		p := s.policies[n]
		if !counts(p) || !slices.ContainsFunc(p.Hostnames, func(h string) bool { return hostnames[h] }) {
			continue
		}
		for i := range p.Entries {
			if e := &p.Entries[i]; hostnames[e.Hostname] && s.placed[n].has(i) {
				out[e.Hostname] = append(out[e.Hostname], holder{p, e})
			}
		}
	}
	return out
}

// hidesOf warns of the hosts that a policy takes from wildcards.
func (s *Snapshot) hidesOf(p *Policy, has func(entry int) bool, w *wildcards) (out []authz.Problem) {
	told := map[string]bool{}
	for i, e := range p.Entries {
		if told[e.Hostname] || !has(i) {
			continue
		}
		told[e.Hostname] = true
		hidden := w.hiddenBy(e.Hostname)
		if hidden == nil {
			continue
		}
		if len(out) == maxHides {
			return append(out, authz.Problem{Severity: authz.Warning, Lint: authz.HidesWildcard, Field: "spec.routes", Message: "and more hosts"})
		}
		out = append(out, authz.Problem{Severity: authz.Warning, Lint: authz.HidesWildcard, Field: fmt.Sprintf("spec.routes[%d].hostnames", e.Route),
			Message: fmt.Sprintf("it takes host %s from %s, for %s: once a host has a policy, no wildcard is asked, so requests on it that no match fits are refused (NoPolicy). "+
				"Let a policy of the host match PathPrefix /, or leave the host to the wildcard", e.Hostname, s.nameFor(p, hidden), hidden.entry.Hostname)})
	}
	return out
}

// nameFor is the policy of a holder as a policy may be told of it.
func (s *Snapshot) nameFor(p *Policy, other *holder) string {
	switch {
	case other.policy.Name == p.Name:
		return "this policy itself"
	case !s.options.OneTenant && other.policy.Name.Namespace != p.Name.Namespace:
		return "a policy of another namespace" // no tenant learns the names of another's objects
	}
	return "policy " + other.policy.Name.String()
}

// wildcards are the entries in force of some hostnames, and what each hostname was
// found to hide.
type wildcards struct {
	on     map[string][]holder
	hidden map[string]*holder
}

// How many entries of a wildcard are compared with how many of a hostname. Beyond
// that a policy has the benefit of the doubt.
const (
	maxWide = 16
	maxOwn  = 1024
)

// hiddenBy returns an entry of the next wider wildcard that has some, which covers
// requests on a hostname that no entry of the hostname does; nil if there is none.
func (w *wildcards) hiddenBy(hostname string) *holder {
	if h, asked := w.hidden[hostname]; asked {
		return h
	}
	w.hidden[hostname] = nil
	own := w.on[hostname]
	if len(own) > maxOwn {
		return nil
	}
	for pattern := range match.Covering(hostname) {
		wide := w.on[pattern]
		if pattern == hostname || len(wide) == 0 {
			continue
		}
		for i := range wide[:min(len(wide), maxWide)] {
			if !slices.ContainsFunc(own, func(h holder) bool { return coversMatch(h.entry.Match, wide[i].entry.Match) }) {
				w.hidden[hostname] = &wide[i]
				return &wide[i]
			}
		}
		break
	}
	return nil
}

// coversMatch says whether every request that fits narrow fits wide, as far as can
// be seen without a look at regular expressions.
func coversMatch(wide, narrow *gatewayv1.HTTPRouteMatch) bool {
	if wide.Method != nil && (narrow.Method == nil || *narrow.Method != *wide.Method) {
		return false
	}
	for _, h := range wide.Headers {
		if !slices.ContainsFunc(narrow.Headers, func(o gatewayv1.HTTPHeaderMatch) bool {
			return strings.EqualFold(string(o.Name), string(h.Name)) && o.Value == h.Value && regex(o.Type) == regex(h.Type)
		}) {
			return false
		}
	}
	for _, q := range wide.QueryParams {
		if !slices.ContainsFunc(narrow.QueryParams, func(o gatewayv1.HTTPQueryParamMatch) bool {
			return o.Name == q.Name && o.Value == q.Value && regex(o.Type) == regex(q.Type)
		}) {
			return false
		}
	}
	return coversPath(wide.Path, narrow.Path)
}

func regex[T ~string](kind *T) bool { return kind != nil && *kind == "RegularExpression" }

func coversPath(wide, narrow *gatewayv1.HTTPPathMatch) bool {
	kind, value := pathOf(wide)
	of, path := pathOf(narrow)
	if kind != gatewayv1.PathMatchPathPrefix {
		return kind == of && value == path
	}
	prefix := strings.TrimSuffix(value, "/")
	path = strings.TrimSuffix(path, "/")
	return prefix == "" || of != gatewayv1.PathMatchRegularExpression && (path == prefix || strings.HasPrefix(path, prefix+"/"))
}

// pathOf is a path match with its defaults.
func pathOf(m *gatewayv1.HTTPPathMatch) (kind gatewayv1.PathMatchType, value string) {
	kind, value = gatewayv1.PathMatchPathPrefix, "/"
	if m != nil && m.Type != nil {
		kind = *m.Type
	}
	if m != nil && m.Value != nil {
		value = *m.Value
	}
	return kind, value
}
