package attach

import (
	"fmt"

	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/authz/match"
)

// A namespace's share of the tables, of all its routes. The matches of a route
// beyond it are not read: any of its rules may serve any request for its
// hostnames then, unless the proxy says which one did.
const (
	maxNamespaceEntries  = 1 << 16
	maxNamespacePatterns = 1 << 12
)

// warnBound is for the policies of routes that are over a bound.
const warnBound = "expected at most %d %s in all routes of a namespace, got %d in namespace %s, so the matches of its younger routes are not read: " +
	"where the proxy does not say which route it took and the policies of these routes and of others on their hostnames differ, the answer is 503 (AmbiguousMatch); " +
	"remove routes, matches or listeners, or let the proxy say it (Envoy Gateway: includeRouteMetadata)"

// share is what the routes of a namespace want of a bound, and what they get.
type share struct{ wanted, got int }

// take gives a route its part, unless there is not that much left.
func (s *share) take(n, bound int) bool {
	if s.wanted += n; s.got+n > bound {
		return false
	}
	s.got += n
	return true
}

// shares are those of a namespace.
type shares struct{ entries, patterns share }

// boundRoutes finds the routes that are over a bound of their namespace, the
// older routes first.
func (a *Attachments) boundRoutes() {
	a.shares = map[string]*shares{}
	for _, r := range a.routes {
		s := a.shares[r.key.namespace]
		if s == nil {
			s = &shares{}
			a.shares[r.key.namespace] = s
		}
		entries := s.entries.take(r.entries(), maxNamespaceEntries)
		patterns := s.patterns.take(r.patterns(), maxNamespacePatterns)
		r.over = !entries || !patterns
	}
}

// overBound says which bound the routes of a namespace are over.
func (a *Attachments) overBound(namespace string) string {
	if s := a.shares[namespace]; s.entries.wanted > maxNamespaceEntries {
		return fmt.Sprintf(warnBound, maxNamespaceEntries, "pairs of a match and a hostname on a listener", s.entries.wanted, namespace)
	}
	return fmt.Sprintf(warnBound, maxNamespacePatterns, "regular expressions in matches", a.shares[namespace].patterns.wanted, namespace)
}

// entries are the pairs of a hostname on a listener and a match of the route.
func (r *route) entries() int {
	hostnames, matches := 0, 0
	for _, at := range r.attached {
		hostnames += len(at.hostnames)
	}
	for _, rule := range r.rules {
		matches += len(rule.matches)
	}
	return hostnames * matches
}

// patterns counts the regular expressions of the route.
func (r *route) patterns() (n int) {
	for _, rule := range r.rules {
		for _, m := range rule.matches {
			if isRegex(m) {
				n++
			}
			for _, h := range m.Headers {
				if ptr.Deref(h.Type, gatewayv1.HeaderMatchExact) != gatewayv1.HeaderMatchExact {
					n++
				}
			}
			for _, q := range m.QueryParams {
				if ptr.Deref(q.Type, gatewayv1.QueryParamMatchExact) != gatewayv1.QueryParamMatchExact {
					n++
				}
			}
		}
	}
	return n
}

// unindexed are the rules whose matches are not in a table, by hostname. They may
// serve any request for it.
type unindexed map[string][]origin

func (u unindexed) add(hostname string, from origin) {
	if list := u[hostname]; len(list) == 0 || list[len(list)-1] != from { // the matches of a rule come together
		u[hostname] = append(list, from)
	}
}

// serve adds the rules.
func (u unindexed) serve(s *Served, host string) {
	if len(u) == 0 {
		return
	}
	for pattern := range match.Covering(host) {
		for _, from := range u[pattern] {
			s.add(from, host)
		}
	}
}
