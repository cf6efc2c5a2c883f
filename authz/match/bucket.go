package match

import (
	"cmp"
	"slices"
)

// bucket holds the candidates of one hostname and path, or all regular
// expressions of a hostname. Equal candidates are in one bucket.
type bucket struct {
	live []*Candidate // in order of precedence
	// lost are the candidates that are equal to an older one, and which that is.
	lost map[*Candidate]*Candidate
	// head are the candidates for GET that serve HEAD too.
	head map[*Candidate]bool
}

const methodGet, methodHead = "GET", "HEAD"

// serves says whether a candidate is for requests with a method.
func (b *bucket) serves(c *Candidate, method string) bool {
	return c.method == "" || c.method == method || method == methodHead && b.head[c]
}

// setHead finds the candidates for GET that no otherwise equal one for HEAD is
// beside.
func (b *bucket) setHead(winners map[string]*Candidate, opts Options) {
	for _, c := range b.live {
		if c.method != methodGet {
			continue
		}
		head, with := *c, *c.conditions
		head.conditions, with.method = &with, methodHead
		if winners == nil || winners[string(head.appendKey(nil, opts))] == nil {
			if b.head == nil {
				b.head = map[*Candidate]bool{}
			}
			b.head[c] = true
		}
	}
}

// with is the bucket after a change of its candidates.
func (b bucket) with(e *edit, opts Options) bucket {
	all := make([]*Candidate, 0, len(b.live)+len(b.lost)+len(e.add))
	keep := func(c *Candidate) {
		if !e.remove[c] {
			all = append(all, c)
		}
	}
	for _, c := range b.live {
		keep(c)
	}
	for c := range b.lost {
		keep(c)
	}
	all = append(all, e.add...)
	if len(all) < 2 { // usual, and quick
		next := bucket{live: all}
		if opts.ofPolicies() {
			next.setHead(nil, opts)
		}
		return next
	}
	slices.SortFunc(all, older)
	next := bucket{live: all[:0]}
	winners := make(map[string]*Candidate, len(all))
	var key []byte
	for _, c := range all {
		key = c.appendKey(key[:0], opts)
		winner, taken := winners[string(key)]
		if !taken {
			winners[string(key)] = c
			next.live = append(next.live, c)
			continue
		}
		if next.lost == nil {
			next.lost = map[*Candidate]*Candidate{}
		}
		next.lost[c] = winner
	}
	if opts.ofPolicies() {
		next.setHead(winners, opts)
	}
	slices.SortFunc(next.live, opts.precedence(all[0].path.regex != nil))
	return next
}

// winner is the candidate of another owner that c is lost to; nil if there is
// none.
func (b bucket) winner(c *Candidate) *Candidate {
	if w := b.lost[c]; w != nil && w.owner != c.owner {
		return w
	}
	return nil
}

// precedence orders the candidates of a bucket.
func (o Options) precedence(regex bool) func(a, b *Candidate) int {
	if regex && o.Regex == OldestFirst {
		return older
	}
	rank := o.rank(regex)
	return func(a, b *Candidate) int { return cmp.Or(rank(a, b), older(a, b)) }
}

// rank is precedence without the age, which decides between equals.
func (o Options) rank(regex bool) func(a, b *Candidate) int {
	specific := bySpecificity
	if o.EnvoyGateway {
		specific = byCount
	}
	if !regex {
		return specific
	}
	return func(a, b *Candidate) int {
		return cmp.Or(cmp.Compare(len(b.path.value), len(a.path.value)), specific(a, b))
	}
}

// bySpecificity orders candidates whose paths are equal.
func bySpecificity(a, b *Candidate) int {
	return cmp.Or(
		compareTrue(a.method != "", b.method != ""),
		cmp.Compare(len(b.headers), len(a.headers)),
		cmp.Compare(len(b.query), len(a.query)),
	)
}

// byCount is the order of Envoy Gateway.
func byCount(a, b *Candidate) int {
	return cmp.Or(
		compareTrue(a.path.slash, b.path.slash),
		cmp.Compare(len(b.headers)+b.methods(), len(a.headers)+a.methods()),
		cmp.Compare(exact(b.headers)+b.methods(), exact(a.headers)+a.methods()),
		cmp.Compare(len(b.query), len(a.query)),
		cmp.Compare(exact(b.query), exact(a.query)),
	)
}

// compareTrue puts true first.
func compareTrue(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

func (c *Candidate) methods() int {
	if c.method != "" {
		return 1
	}
	return 0
}

// exact counts the conditions without a regular expression.
func exact(list []condition) int {
	n := 0
	for i := range list {
		if list[i].regex == nil {
			n++
		}
	}
	return n
}
