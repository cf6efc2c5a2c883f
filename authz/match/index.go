package match

import (
	"maps"
	"slices"
)

// Index is immutable and safe for concurrent use. The zero value knows no host.
type Index struct {
	opts     Options
	exact    map[string]*host
	wildcard map[string]*host // by suffix with its dot: ".example.com"
	suffixes []int            // suffixes[n]: how many of these have n bytes
	any      *host
}

// New makes an index without entries.
func New(opts Options) *Index { return &Index{opts: opts} }

// Empty says whether no entry is in force.
func (x *Index) Empty() bool { return len(x.exact) == 0 && len(x.wildcard) == 0 && x.any == nil }

// Loss says that an entry is equal to an older one of another owner, and not in
// force; or, without Winner, that it is no longer.
type Loss struct{ Loser, Winner *Candidate }

// Update makes the index without some candidates and with others. What it costs
// is the number of hostnames and what changes: it takes over all hosts, and all
// paths of a host, that do not change. Those to remove must be in the index.
// The losses are those that begin or end, in order of the losers' age.
func (x *Index) Update(remove, add []*Candidate) (*Index, []Loss) {
	if len(remove)+len(add) == 0 {
		return x, nil
	}
	u := &update{next: &Index{opts: x.opts, exact: maps.Clone(x.exact), wildcard: maps.Clone(x.wildcard), suffixes: slices.Clone(x.suffixes), any: x.any},
		edits: make(map[place]*edit, len(add)), own: map[*host]*touched{}}
	for _, c := range remove {
		e := u.edit(c)
		if e.remove == nil {
			e.remove = map[*Candidate]bool{}
		}
		e.remove[c] = true
	}
	for _, c := range add {
		e := u.edit(c)
		e.add = append(e.add, c)
	}
	for _, e := range u.order {
		u.apply(e)
	}
	for h, paths := range u.own {
		h.respell(paths, x.opts)
	}
	slices.SortFunc(u.losses, func(a, b Loss) int { return older(a.Loser, b.Loser) })
	return u.next, u.losses
}

// place is where a bucket is: of a hostname that of a prefix 'p', of "/", of an
// Exact path 'e', or of all regular expressions 'r'.
type place struct {
	hostname string
	kind     byte
	path     string
}

func placeOf(c *Candidate) place {
	switch {
	case c.path.regex != nil:
		return place{hostname: c.hostname, kind: 'r'}
	case c.path.exact:
		return place{c.hostname, 'e', c.path.value}
	case c.path.value == "":
		return place{hostname: c.hostname, kind: '/'}
	}
	return place{c.hostname, 'p', c.path.value}
}

// edit is the change of a bucket.
type edit struct {
	at     place
	remove map[*Candidate]bool
	add    []*Candidate
}

// update is the making of an index. It changes only the hosts that it owns.
type update struct {
	next   *Index
	own    map[*host]*touched
	edits  map[place]*edit
	order  []*edit
	losses []Loss
}

func (u *update) edit(c *Candidate) *edit {
	at := placeOf(c)
	e := u.edits[at]
	if e == nil {
		e = &edit{at: at}
		u.edits[at] = e
		u.order = append(u.order, e)
	}
	return e
}

func (u *update) apply(e *edit) {
	at := e.at
	h := u.host(at.hostname)
	before := h.bucket(at)
	after := before.with(e, u.next.opts)
	h.set(at, after)
	u.own[h].note(at)
	for c := range after.lost {
		if w := after.winner(c); w != before.winner(c) {
			u.losses = append(u.losses, Loss{c, w})
		}
	}
	for c := range before.lost {
		if after.lost[c] == nil && before.winner(c) != nil && !e.remove[c] {
			u.losses = append(u.losses, Loss{Loser: c})
		}
	}
	if h.empty() {
		u.set(at.hostname, nil)
	}
}

// host returns a host that may be changed.
func (u *update) host(name string) *host {
	h := u.next.get(name)
	if u.own[h] != nil {
		return h
	}
	if h == nil {
		h = &host{early: u.next.opts.Regex != LongestFirst, rare: usual}
	} else {
		h = h.clone()
	}
	u.own[h] = &touched{}
	u.set(name, h)
	return h
}

func (u *update) set(name string, h *host) {
	x := u.next
	switch name[0] {
	case '*':
		if name == "*" {
			x.any = h
			return
		}
		n := len(x.wildcard)
		x.wildcard = setHost(x.wildcard, name[1:], h)
		x.suffixes = count(x.suffixes, len(name)-1, len(x.wildcard)-n)
	default:
		x.exact = setHost(x.exact, name, h)
	}
}

func setHost(m map[string]*host, name string, h *host) map[string]*host {
	if h == nil {
		delete(m, name)
		return m
	}
	if m == nil {
		m = map[string]*host{}
	}
	m[name] = h
	return m
}

// get is the host of a hostname, nil if there is none.
func (x *Index) get(name string) *host {
	switch {
	case name == "*":
		return x.any
	case name[0] == '*':
		return x.wildcard[name[1:]]
	}
	return x.exact[name]
}
