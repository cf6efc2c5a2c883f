package policy

import (
	"slices"
	"strings"

	"github.com/agentauth-dev/agentauth/authz"
)

// Name is the name of a header, and its alias: see [authz.Alias].
type Name struct{ Alias, Name string }

// Names are names of headers, in order of their aliases. They never change.
type Names []Name

// NamesOf are the names of headers that are set. Of two that have one alias the last
// one counts.
func NamesOf(headers []Value) Names {
	if len(headers) == 0 {
		return nil
	}
	out := make(Names, 0, len(headers))
	for _, h := range headers {
		out = append(out, Name{authz.Alias(h.Name), h.Name})
	}
	return sorted(out)
}

// sorted puts names in order, and leaves the last name of each alias.
func sorted(names Names) Names {
	slices.SortStableFunc(names, func(a, b Name) int { return strings.Compare(a.Alias, b.Alias) })
	slices.Reverse(names)
	names = slices.CompactFunc(names, func(a, b Name) bool { return a.Alias == b.Alias })
	slices.Reverse(names)
	return slices.Clip(names)
}
