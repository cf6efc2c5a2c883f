package engine

import (
	"fmt"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/match"
	"github.com/agentauth-dev/agentauth/authz/policy"
)

// A namespace's share of the index, of all its policies. What is beyond it is a
// policy that is invalid: it keeps one entry for each of its hostnames, which are
// no more than its own text.
const (
	maxNamespaceEntries  = 1 << 16
	maxNamespacePatterns = 1 << 12
)

// boundNamespaces replaces the policies that are over a bound of their
// namespace, the older policies first. It returns the replacements, and takes
// over those of the last compile.
func boundNamespaces(policies []*compiled, order []int, prev map[*compiled]*compiled) map[*compiled]*compiled {
	var over map[*compiled]*compiled
	shares := map[string]*share{}
	for _, n := range order {
		p := policies[n]
		if shares[p.namespace] == nil {
			shares[p.namespace] = &share{}
		}
		problem := shares[p.namespace].take(p)
		if problem == "" {
			continue
		}
		instead := prev[p]
		if instead == nil || instead.over != problem {
			instead = p.without(problem)
		}
		if over == nil {
			over = map[*compiled]*compiled{}
		}
		policies[n], over[p] = instead, instead
	}
	return over
}

// share is what the policies of a namespace have taken of its bounds.
type share struct{ entries, patterns int }

// take adds a policy, or says why it is over a bound.
func (s *share) take(p *compiled) string {
	entries, patterns := s.entries+len(p.entries), s.patterns+p.patterns
	const text = "expected at most %d %s in all policies of a namespace, got %d with this policy and the older ones: %s"
	switch {
	case entries > maxNamespaceEntries:
		return fmt.Sprintf(text, maxNamespaceEntries, "pairs of a hostname and a match", entries, "remove policies or matches, or use prefixes and wildcards")
	case patterns > maxNamespacePatterns:
		return fmt.Sprintf(text, maxNamespacePatterns, "regular expressions in matches", patterns, "remove policies or expressions, or use prefixes")
	}
	s.entries, s.patterns = entries, patterns
	return ""
}

// without is a policy of which nothing but its hostnames is in force: they
// answer 503.
func (p *compiled) without(problem string) *compiled {
	out := *p
	out.Policy, out.invalid, out.origin.pooled = policy.Invalid(p.name), true, nil
	out.over, out.origin.problems = problem, p.origin.problems.Clone()
	out.origin.problems.Add(authz.Problem{Severity: authz.Invalid, Field: "spec.routes", Message: problem})
	out.entries, out.origin.fields, out.patterns = nil, nil, 0
	hostnames := map[string]bool{}
	for i, e := range p.entries {
		if !hostnames[e.Hostname] {
			hostnames[e.Hostname] = true
			out.entries = append(out.entries, match.Entry{Hostname: e.Hostname})
			out.origin.fields = append(out.origin.fields, p.origin.fields[i])
		}
	}
	return &out
}
