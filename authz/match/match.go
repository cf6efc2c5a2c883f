// Package match finds which of many owners a request belongs to:
// host, then path, then method, headers and query parameters, in the
// precedence of Gateway API's HTTPRouteMatch.
//
// Start with Build, which makes an immutable Index of entries, and LookupAll,
// which finds the entry of a request for every reading of its path. Lookup is for
// callers that ask about each reading themselves (EveryReading). Within, Overlap,
// Covering, Closest and CompareHostnames are the algebra of hostnames.
//
// The order of precedence:
//
//  1. the exact hostname, else the longest wildcard, else "*". A wider hostname
//     never stands in for the chosen one, as in Envoy's virtual hosts.
//  2. an Exact path, then the longest PathPrefix, then RegularExpression.
//  3. a method before none, more headers before fewer, more query parameters
//     before fewer.
//  4. the lower Owner, then the earlier entry.
//
// An entry whose conditions fail gives way to the next one of the same host.
package match

import (
	"cmp"
	"fmt"
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// Entry is one hostname and match of an owner.
type Entry struct {
	// Hostname is exact ("api.example.com"), a wildcard for one or more labels
	// ("*.example.com", which is not example.com itself), or "*" for every host.
	// Lower case, without port.
	Hostname string
	// Match has the conditions on a request; no path is PathPrefix "/".
	Match gatewayv1.HTTPRouteMatch
	// Owner is the index of the policy or route in order of age: the lower one
	// wins ties.
	Owner int
	// Rule distinguishes the outcomes of one owner. Entries with equal Owner and
	// Rule are one outcome: a request that may be either's is not ambiguous. A
	// policy is one outcome and leaves Rule 0.
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
	// EnvoyGateway is the order of Envoy Gateway for Gateway API routes: the final
	// slash of a prefix counts in its length, a method counts as one more header,
	// and of equally many headers, or query parameters, more Exact ones go first.
	// Otherwise a final slash does not count, and a match with a method goes before
	// one without.
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

// Build makes the index of entries. Of equal entries it keeps the one with the
// lower Owner, then the earlier one. A Conflict names an entry that is lost to
// another owner; conflicts are in order of the losers' age. If any entry has a
// problem there is no index, and the error is a Problems that lists all of them.
func Build(entries []Entry, opts Options) (*Index, []Conflict, error) {
	compiler := compiler{}
	candidates := make([]candidate, len(entries))
	var problems Problems
	for i, e := range entries {
		c, p := compiler.prepare(e)
		c.entry = i
		candidates[i] = c
		for _, problem := range p {
			problem.Object = fmt.Sprint("entry ", i)
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

// host returns the candidates of a hostname, and adds the hostname if it is new.
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

// older decides every tie: it is never 0 for two entries.
func older(a, b *candidate) int {
	return cmp.Or(cmp.Compare(a.owner, b.owner), cmp.Compare(a.entry, b.entry))
}
