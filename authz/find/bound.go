package find

import (
	"fmt"

	"github.com/agentauth-dev/agentauth/authz/policy"
)

// A namespace's share of the index, of all its policies. What is beyond it is a
// policy that is invalid: it keeps one entry for each of its hostnames, which are
// no more than its own text.
const (
	MaxNamespaceEntries  = 1 << 16
	MaxNamespacePatterns = 1 << 12
)

// boundNamespaces replaces the policies that are over a bound of their
// namespace, the older policies first. It returns the replacements, and takes
// over those of the last compile.
func boundNamespaces(policies []*Policy, order []int, prev map[*Policy]*Policy) map[*Policy]*Policy {
	var over map[*Policy]*Policy
	shares := map[string]*share{}
	for _, n := range order {
		p := policies[n]
		if shares[p.Name.Namespace] == nil {
			shares[p.Name.Namespace] = &share{}
		}
		problem := shares[p.Name.Namespace].take(p)
		if problem == "" {
			continue
		}
		instead := prev[p]
		if instead == nil || instead.Over != problem {
			instead = p.without(problem)
		}
		if over == nil {
			over = map[*Policy]*Policy{}
		}
		policies[n], over[p] = instead, instead
	}
	return over
}

// share is what the policies of a namespace have taken of its bounds.
type share struct{ entries, patterns int }

// take adds a policy, or says why it is over a bound.
func (s *share) take(p *Policy) string {
	entries, patterns := s.entries+len(p.Entries), s.patterns+int(p.Patterns)
	const text = "expected at most %d %s in all policies of a namespace, got %d with this policy and the older ones: %s"
	switch {
	case entries > MaxNamespaceEntries:
		return fmt.Sprintf(text, MaxNamespaceEntries, "pairs of a hostname and a match", entries, "remove policies or matches, or use prefixes and wildcards")
	case patterns > MaxNamespacePatterns:
		return fmt.Sprintf(text, MaxNamespacePatterns, "regular expressions in matches", patterns, "remove policies or expressions, or use prefixes")
	}
	s.entries, s.patterns = entries, patterns
	return ""
}

// without is a policy of which nothing but its hostnames is in force: they
// answer 503.
func (p *Policy) without(problem string) *Policy {
	out := *p
	out.Stages, out.Invalid, out.Over = policy.Invalid(p.Name.String(), p.Stages.Version(), p.Names()), true, problem
	out.Entries, out.Patterns = nil, 0
	hostnames := map[string]bool{}
	for _, e := range p.Entries {
		if !hostnames[e.Hostname] {
			hostnames[e.Hostname] = true
			e.Match = Everything
			out.Entries = append(out.Entries, e)
		}
	}
	return &out
}
