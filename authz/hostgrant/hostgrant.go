// Package hostgrant reads hostname grants: the operator's word on which namespace
// of a cluster may use which hostnames.
//
// A grant binds `routes` of policies and routes of Gateway API alike. Once grants
// are in force, a hostname that was granted to nobody is in force in no `routes`;
// a route of Gateway API still has it. A hostname that was granted belongs to the
// namespaces that were granted it: they share it, as policies of one namespace do.
package hostgrant

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/agentauth-dev/agentauth/authz/match"
)

// Grant lets a namespace use the hostnames that a pattern covers.
type Grant struct {
	Namespace string
	// Hostname is as in routes: exact, "*." and a suffix, or "*".
	Hostname string
}

// Check returns the problem of a grant, if it has one.
func (g Grant) Check() error {
	if len(validation.IsDNS1123Label(g.Namespace)) > 0 {
		return fmt.Errorf("namespace %q: expected the name of a namespace, at most 63 letters of lower case, digits and '-'", cut(g.Namespace, 63))
	}
	if problems := match.Check(match.Entry{Hostname: g.Hostname}); problems != nil {
		return fmt.Errorf("hostname %q: %s", cut(g.Hostname, 100), cut(problems[0].Message, 250))
	}
	return nil
}

// cut bounds what a message repeats.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// Table finds the namespaces that were granted a hostname. A nil Table says that no
// grants are in force; an empty one says that they are, and nobody has any. A Table
// never changes.
type Table struct {
	// granted are the namespaces of each pattern.
	granted map[string][]string
	// partial: some words of the operator could not be read, and nobody knows whom
	// they granted which hostnames.
	partial bool
}

// NewPartialTable makes a Table of the grants that could be read, where others could
// not: see [Table.Permits].
func NewPartialTable(grants ...[]Grant) *Table {
	t := NewTable(grants...)
	t.partial = true
	return t
}

// NewTable makes a Table of grants.
func NewTable(grants ...[]Grant) *Table {
	t := &Table{granted: map[string][]string{}}
	for _, list := range grants {
		for _, g := range list {
			if !slices.Contains(t.granted[g.Hostname], g.Namespace) {
				t.granted[g.Hostname] = append(t.granted[g.Hostname], g.Namespace)
			}
		}
	}
	return t
}

// Equal says whether two tables have the same grants.
func (t *Table) Equal(o *Table) bool {
	return t != nil && o != nil && t.partial == o.partial && maps.EqualFunc(t.granted, o.granted, func(a, b []string) bool {
		return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
	})
}

// Granted says whether a namespace was granted all hosts of a pattern.
func (t *Table) Granted(namespace, pattern string) bool {
	granted, _ := t.look(namespace, pattern)
	return granted
}

// Permits says whether routes of Gateway API of a namespace may have all hosts of a
// pattern: the hosts were granted to the namespace, or to nobody. In a partial Table
// any host may be granted to somebody.
func (t *Table) Permits(namespace, pattern string) bool {
	granted, others := t.look(namespace, pattern)
	return granted || !others && !t.Partial()
}

// Partial says whether some grants could not be read.
func (t *Table) Partial() bool { return t != nil && t.partial }

// look says whether a namespace, and whether any other one, was granted a pattern.
func (t *Table) look(namespace, pattern string) (granted, others bool) {
	if t == nil || len(t.granted) == 0 {
		return false, false
	}
	for wider := range match.Covering(pattern) {
		for _, ns := range t.granted[wider] {
			granted, others = granted || ns == namespace, others || ns != namespace
		}
	}
	return granted, others
}

// Namespaces are those that were granted all hosts of a pattern. One of them may come
// twice.
func (t *Table) Namespaces(pattern string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for wider := range match.Covering(pattern) {
			for _, ns := range t.granted[wider] {
				if !yield(ns) {
					return
				}
			}
		}
	}
}

// Patterns are the patterns of all grants, in no order.
func (t *Table) Patterns() iter.Seq[string] {
	if t == nil {
		return func(func(string) bool) {}
	}
	return maps.Keys(t.granted)
}
