package hostgrant

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/agentauth-dev/agentauth/authz"
)

// maxProblems bounds the problems of one ConfigMap that are reported, maxWords the
// words that one of them names.
const (
	maxProblems = 20
	maxWords    = 5
)

// closes ends each problem of what cannot be read.
const closes = "until then no request is let through unmatched, and on a host that nobody is known to be granted no route counts"

// Parse reads the entries of a ConfigMap of hostname grants: the name of an entry
// is a namespace, its value hostnames that white space separates. Each word that can
// be read grants its hostname. partial says that others could not be read.
func Parse(configMap string, entries map[string][]byte) (grants []Grant, partial bool, problems []authz.Problem) {
	unread := 0
	for _, namespace := range slices.Sorted(maps.Keys(entries)) {
		list, wrong := parseEntry(namespace, string(entries[namespace]))
		grants = append(grants, list...)
		if wrong == "" {
			continue
		}
		if unread++; unread <= maxProblems {
			problems = append(problems, problem(configMap, fmt.Sprintf("entry %s: %s; write a namespace and, as its value, hostnames separated by white space; %s", cut(namespace, 63), wrong, closes)))
		}
	}
	if more := unread - maxProblems; more > 0 {
		problems = append(problems, problem(configMap, fmt.Sprintf("%d more entries cannot be read; correct the first %d, then these are told; %s", more, maxProblems, closes)))
	}
	if unread > 0 {
		return grants, true, problems
	}
	return grants, false, empty(configMap, entries)
}

// Unread is the problem of a ConfigMap of which nothing can be read.
func Unread(configMap, why string) authz.Problem {
	return problem(configMap, "it cannot be read: "+cut(why, 250)+"; "+closes)
}

// parseEntry returns the grants of the words that can be read, and what is wrong
// with the others.
func parseEntry(namespace, hostnames string) (out []Grant, wrong string) {
	if err := (Grant{namespace, "*"}).Check(); err != nil {
		return nil, err.Error()
	}
	var unread []string
	more := 0
	for _, hostname := range strings.Fields(hostnames) {
		g := Grant{namespace, hostname}
		switch err := g.Check(); {
		case err == nil:
			out = append(out, g)
		case len(unread) < maxWords:
			unread = append(unread, err.Error())
		default:
			more++
		}
	}
	if wrong = strings.Join(unread, "; "); more > 0 {
		wrong += fmt.Sprintf("; and %d more words", more)
	}
	return out, wrong
}

// empty are the problems of a ConfigMap, all of which was read, that grants nothing
// where it seems to.
func empty(configMap string, entries map[string][]byte) []authz.Problem {
	const expected = "expected a namespace and, as its value, hostnames separated by white space"
	var without []string
	for _, namespace := range slices.Sorted(maps.Keys(entries)) {
		if strings.TrimSpace(string(entries[namespace])) == "" {
			without = append(without, namespace)
		}
	}
	switch {
	case len(entries) == 0:
		return []authz.Problem{problem(configMap, "it has no entries, so it grants nothing, and grants are in force all the same; "+expected)}
	case len(without) == 0:
		return nil
	}
	named, more := without[:min(len(without), maxWords)], ""
	if len(without) > maxWords {
		more = fmt.Sprintf(" and %d more", len(without)-maxWords)
	}
	return []authz.Problem{problem(configMap, "the entries of "+strings.Join(named, ", ")+more+" are empty and grant nothing; "+expected)}
}

func problem(configMap, message string) authz.Problem {
	return authz.Problem{Severity: authz.Warning, Object: configMap, Message: message}
}
