// Package match finds which of many owners a request belongs to:
// host, then path, then method, headers and query parameters, in the
// precedence of Gateway API's HTTPRouteMatch.
//
// Build turns entries into an immutable Index; LookupAll is the question to
// ask about a request. Lookup asks it about one reading of the path only, and
// is for callers that have settled how the path is read.
//
// The order of precedence:
//
//  1. the exact hostname, else the longest wildcard, else "*". There is no
//     falling back from the chosen host to a wider one, as in Envoy's virtual
//     hosts.
//  2. an Exact path, then the longest PathPrefix, then RegularExpression.
//  3. a method before none, more headers before fewer, more query parameters
//     before fewer.
//  4. the lower Owner, then the earlier entry.
//
// An entry whose conditions fail gives way to the next one of the same host.
package match

import (
	"cmp"
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// Entry is one hostname and match of an owner.
type Entry struct {
	// Hostname is exact ("api.example.com"), a wildcard for one or more labels
	// ("*.example.com", which is not example.com itself), or "*" for every host.
	// Lower case, without port.
	Hostname string
	// Match is what a request must fulfil; no path is PathPrefix "/".
	Match gatewayv1.HTTPRouteMatch
	// Owner is the place of the policy or route in order of age: the lower one
	// wins ties.
	Owner int
	// Rule tells apart what entries of one owner lead to. Entries with equal
	// Owner and Rule are the same outcome, so a request that could mean either is
	// not ambiguous. A policy leads to one outcome only and leaves it 0.
	Rule int
}

// RegexOrder says which of several matching regular expressions of a host wins.
type RegexOrder int

const (
	// OldestFirst tries the regular expressions of the lowest Owner first, each
	// owner's in the order of its entries: the order of policies' own routes.
	OldestFirst RegexOrder = iota
	// LongestFirst tries the longest pattern first, then goes by method, headers,
	// query parameters and age as for other paths: the order of Gateway API routes.
	LongestFirst
	// LongestBeforePrefixes is LongestFirst, and asks regular expressions before
	// prefixes, as some proxies do for Gateway API routes.
	LongestBeforePrefixes
)

// Options of an Index. The zero value is the order of policies' own routes.
type Options struct {
	Regex RegexOrder
	// EnvoyGateway goes by its order for Gateway API routes: the final slash of a
	// prefix counts in its length, a method is one more header, and of as many
	// headers, or query parameters, more Exact ones go first. Else a final slash
	// does not count, and a match with a method goes before one without.
	EnvoyGateway bool
}

// Conflict says that two entries of different owners are equal, by number.
// The loser is not in the index.
type Conflict struct {
	Winner, Loser int
}

// Index is immutable and safe for concurrent use. The zero value knows no host.
type Index struct {
	exact    map[string]*host
	wildcard map[string]*host // by suffix with its dot: ".example.com"
	longest  int              // length of the longest such suffix, in bytes
	any      *host
}

// Build makes the index of entries. Of equal entries the one with the lower
// Owner, then the earlier one, is kept; one lost to another owner is reported
// as a Conflict, in order of the losers' age. If any entry is wrong there is no
// index, and the error is a Problems that lists them all.
func Build(entries []Entry, opts Options) (*Index, []Conflict, error) {
	compiler := compiler{}
	candidates := make([]candidate, len(entries))
	var problems Problems
	for i, e := range entries {
		c, p := compiler.prepare(e)
		c.entry = i
		candidates[i] = c
		for _, problem := range p {
			problem.Entry = i
			problems = append(problems, problem)
		}
	}
	if len(problems) > 0 {
		return nil, nil, problems
	}

	slices.SortFunc(candidates, func(a, b candidate) int { return older(&a, &b) })
	winners := make(map[string]*candidate, len(candidates))
	var conflicts []Conflict
	x := &Index{exact: map[string]*host{}, wildcard: map[string]*host{}}
	var key []byte
	for i := range candidates {
		c := &candidates[i]
		hostname := entries[c.entry].Hostname
		key = c.appendKey(key[:0], hostname, opts)
		winner, taken := winners[string(key)]
		switch {
		case !taken:
			winners[string(key)] = c
			x.host(hostname).add(c)
		case winner.owner != c.owner:
			conflicts = append(conflicts, Conflict{Winner: winner.entry, Loser: c.entry})
		}
	}
	x.sort(opts)
	return x, conflicts, nil
}

// host is the place of a hostname in the index, made on first use.
func (x *Index) host(name string) *host {
	if name == "*" {
		if x.any == nil {
			x.any = &host{}
		}
		return x.any
	}
	hosts := x.exact
	if name[0] == '*' {
		hosts, name = x.wildcard, name[1:]
		x.longest = max(x.longest, len(name))
	}
	if hosts[name] == nil {
		hosts[name] = &host{}
	}
	return hosts[name]
}

func (x *Index) sort(order Options) {
	for _, h := range x.exact {
		h.sort(order)
	}
	for _, h := range x.wildcard {
		h.sort(order)
	}
	if x.any != nil {
		x.any.sort(order)
	}
}

// older is the last word in every comparison, and never 0 for two entries.
func older(a, b *candidate) int {
	return cmp.Or(cmp.Compare(a.owner, b.owner), cmp.Compare(a.entry, b.entry))
}
