// Package match finds which of many owners a request belongs to:
// host, then path, then method, headers and query parameters, in the
// precedence of Gateway API's HTTPRouteMatch.
//
// Start with Build, which makes an immutable Index of entries, and LookupAll,
// which finds the entry of a request for every reading of its path. Index.Update
// makes the next index of the one before, for what changed. Lookup is for
// callers that ask about each reading themselves (EveryReading). Within, Overlap,
// Covering, Closest and CompareHostnames are the algebra of hostnames.
//
// The order of precedence:
//
//  1. the exact hostname, else the longest wildcard, else "*". A wider hostname
//     never stands in for the chosen one, as in Envoy's virtual hosts.
//  2. an Exact path, then RegularExpression, then the longest PathPrefix. (Gateway
//     API has RegularExpression last, and so have its routes: RegexOrder.)
//  3. a method before none, more headers before fewer, more query parameters
//     before fewer.
//  4. the older one (Age), then the lower Owner, then the earlier entry.
//
// An entry whose conditions fail gives way to the next one of the same host.
package match

import (
	"cmp"
	"fmt"
	"time"

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
	// Age decides ties: the older one wins them, then the lower Owner.
	Age Age
	// Owner is the number of the policy or route.
	Owner int
	// Rule distinguishes the outcomes of one owner. Entries with equal Owner and
	// Rule are one outcome: a request that may be either's is not ambiguous. A
	// policy is one outcome and leaves Rule 0.
	Rule int
}

// Age is when an object was made, and its name, which decides between objects
// that were made at once.
type Age struct {
	Created         time.Time
	Namespace, Name string
}

// RegexOrder says which of several matching regular expressions of a host wins,
// and whether they go before prefixes.
type RegexOrder int

const (
	// OldestFirst tries the regular expressions of the oldest owner first, each
	// owner's in the order of its entries, and before prefixes: the order of
	// policies' own routes. Who writes an expression beside "/" means to guard what
	// it matches.
	OldestFirst RegexOrder = iota
	// LongestFirst tries the longest pattern first, then goes by method, headers,
	// query parameters and age as for other paths, and after prefixes: the order of
	// Gateway API routes.
	LongestFirst
	// LongestBeforePrefixes is LongestFirst before prefixes, as some proxies do for
	// Gateway API routes.
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

// Build makes the index of entries. Of equal entries it keeps the older one. A
// Conflict names an entry that is lost to another owner; conflicts are in order
// of the losers' age. If any entry has a problem there is no index, and the error
// is a Problems that lists all of them.
func Build(entries []Entry, opts Options) (*Index, []Conflict, error) {
	candidates, err := Prepare(entries)
	if err != nil {
		return nil, nil, err
	}
	x, losses := New(opts).Update(nil, candidates)
	var conflicts []Conflict
	for _, l := range losses {
		conflicts = append(conflicts, Conflict{Winner: l.Winner.Entry(), Loser: l.Loser.Entry()})
	}
	return x, conflicts, nil
}

// Prepare makes entries ready for an Index. If any has a problem the error is a
// Problems that lists all of them.
func Prepare(entries []Entry) ([]*Candidate, error) {
	compiler := compiler{}
	candidates, out := make([]Candidate, len(entries)), make([]*Candidate, len(entries))
	var problems Problems
	for i, e := range entries {
		c, p := compiler.prepare(e)
		c.entry = int32(i) // #nosec G115 -- far fewer
		candidates[i], out[i] = c, &candidates[i]
		for _, problem := range p {
			problem.Object = fmt.Sprint("entry ", i)
			problems = append(problems, problem)
		}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return out, nil
}

// ofPolicies says whether it is the order of policies' own routes. There a match for
// GET serves HEAD too (RFC 9110 section 9.3.2), unless an otherwise equal match of
// the host names HEAD. A route of Gateway API is as exact as proxies take it.
func (o Options) ofPolicies() bool { return o.Regex == OldestFirst }

// older decides every tie: it is never 0 for two entries.
func older(a, b *Candidate) int {
	return cmp.Or(cmp.Compare(a.seconds, b.seconds), cmp.Compare(a.nanoseconds, b.nanoseconds), cmp.Compare(a.namespace, b.namespace),
		cmp.Compare(a.name, b.name), cmp.Compare(a.owner, b.owner), cmp.Compare(a.entry, b.entry))
}
