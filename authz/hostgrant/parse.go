package hostgrant

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/agentauth-dev/agentauth/authz"
)

// maxProblems bounds the problems of one ConfigMap that are reported.
const maxProblems = 20

// Parse reads the entries of a ConfigMap of hostname grants: the name of an entry
// is a namespace, its value hostnames that white space separates. An entry that
// cannot be read grants nothing, whatever else it holds; the others count.
func Parse(configMap string, entries map[string][]byte) ([]Grant, []authz.Problem) {
	var grants []Grant
	var problems []authz.Problem
	unread := 0
	for _, namespace := range slices.Sorted(maps.Keys(entries)) {
		list, err := parseEntry(namespace, string(entries[namespace]))
		if err == nil {
			grants = append(grants, list...)
			continue
		}
		if unread++; unread <= maxProblems {
			problems = append(problems, problem(configMap, fmt.Sprintf("entry %s grants nothing: %v; write a namespace and, as its value, hostnames separated by white space", cut(namespace, 63), err)))
		}
	}
	if more := unread - maxProblems; more > 0 {
		problems = append(problems, problem(configMap, fmt.Sprintf("%d more entries grant nothing; correct the first %d, then these are told", more, maxProblems)))
	}
	return grants, problems
}

func parseEntry(namespace, hostnames string) ([]Grant, error) {
	if err := (Grant{namespace, "*"}).Check(); err != nil {
		return nil, err
	}
	var out []Grant
	for _, hostname := range strings.Fields(hostnames) {
		g := Grant{namespace, hostname}
		if err := g.Check(); err != nil {
			return nil, err
		}
		out = append(out, g)
	}
	return out, nil
}

func problem(configMap, message string) authz.Problem {
	return authz.Problem{Severity: authz.Warning, Object: configMap, Message: message}
}
