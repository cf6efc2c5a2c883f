package find

import (
	"fmt"
	"maps"
	"slices"

	"github.com/agentauth-dev/agentauth/authz/match"
)

// disputedOwner owns the entries on hosts that two tenants dispute.
const disputedOwner = -1

// placed is a policy in the indexes. It never changes.
type placed struct {
	policy *Policy
	// index, and refused and own, are the candidates in each index of the Snapshot; own
	// is for that of the policy's namespace. The entry of a candidate is one of the
	// policy.
	index  []*match.Candidate
	served bool // the namespace has routes of Gateway API, so own is in use
	*contested
}

// contested is what few policies have.
type contested struct {
	refused, own []*match.Candidate
	// verdicts are those of each entry; nil if all are in force.
	verdicts []entryVerdict
	// lost and ownLost are the entries that are equal to one of an older policy,
	// and its number.
	lost, ownLost map[int]int
}

// uncontested is what a policy has that has all it asks for. Nobody changes it.
var uncontested = &contested{}

// entryVerdict is the verdict on the hostname of an entry. part: routes of
// Gateway API of the policy's namespace have some host of it.
type entryVerdict struct {
	verdict
	part bool
}

func (p *placed) verdict(entry int) entryVerdict {
	if p.verdicts == nil {
		return entryVerdict{}
	}
	return p.verdicts[entry]
}

// judge decides which hostnames are in force, unless nothing that it reads
// changed.
func (u *update) judge() {
	same := u.prev.attached == u.attached && u.prev.tenancy.grants == u.tenancy.grants || u.options.OneTenant
	for n := range u.numbers() {
		before, now, changed := u.changed(n)
		same = same && (!changed || u.options.OneTenant || before != nil && now != nil && before.Name == now.Name && slices.Equal(before.Hostnames, now.Hostnames))
	}
	if u.verdicts, u.disputes = u.prev.verdicts, u.prev.disputes; same {
		u.judged = true
		return
	}
	list := make([]*Policy, len(u.order))
	for i, n := range u.order {
		list[i] = u.policies[n]
	}
	u.verdicts = judge(u.tenancy.grants, list, u.attached.Attachments)
	u.judged = maps.Equal(u.verdicts, u.prev.verdicts)
	u.noteDisputes()
}

// change is what becomes of an index.
type change struct{ remove, add []*match.Candidate }

func (c *change) of(before, now []*match.Candidate) {
	c.remove, c.add = append(c.remove, before...), append(c.add, now...)
}

// place updates the indexes of the `routes` of policies. An invalid policy keeps
// its routes too: they answer 503.
func (u *update) place() {
	u.placed = make([]*placed, len(u.policies))
	var index, refused change
	own := map[string]*change{}
	u.changes = changes{came: map[string][]*match.Candidate{}, hostnames: map[string]bool{}}
	for n := range u.numbers() {
		before, now := u.replace(n)
		if before == now {
			continue
		}
		u.changes.note(before, now, u.attached)
		for _, p := range []*placed{before, now} {
			if p != nil && own[p.policy.Name.Namespace] == nil {
				own[p.policy.Name.Namespace] = &change{}
			}
		}
		if before != nil {
			index.of(before.index, nil)
			refused.of(before.refused, nil)
			own[before.policy.Name.Namespace].of(before.own, nil)
		}
		if now != nil {
			index.of(nil, now.index)
			refused.of(nil, now.refused)
			own[now.policy.Name.Namespace].of(nil, now.own)
		}
	}
	u.index = u.apply(u.prev.index, &index, func(c *contested) *map[int]int { return &c.lost })
	u.refused = u.apply(u.prev.refused, &refused, nil)
	if u.namespaceIndex = u.prev.namespaceIndex; len(own) > 0 {
		u.namespaceIndex = maps.Clone(u.namespaceIndex)
	}
	if u.namespaceIndex == nil {
		u.namespaceIndex = map[string]*match.Index{}
	}
	for namespace, c := range own {
		next := u.apply(u.prev.namespaceIndex[namespace], c, func(c *contested) *map[int]int { return &c.ownLost })
		if u.namespaceIndex[namespace] = next; next.Empty() {
			delete(u.namespaceIndex, namespace)
		}
	}
}

// apply makes the next index, and notes in each policy the entries it lost.
func (u *update) apply(index *match.Index, c *change, lost func(*contested) *map[int]int) *match.Index {
	if index == nil {
		index = match.New(match.Options{})
	}
	next, losses := index.Update(c.remove, c.add)
	if lost == nil {
		return next
	}
	for _, l := range losses {
		n := l.Loser.Owner()
		if n == disputedOwner {
			continue
		}
		if n < len(u.prev.placed) && u.placed[n] == u.prev.placed[n] {
			p, c := *u.placed[n], *u.placed[n].contested
			c.lost, c.ownLost = maps.Clone(c.lost), maps.Clone(c.ownLost)
			p.contested, u.placed[n] = &c, &p
		}
		if u.placed[n].contested == uncontested {
			u.placed[n].contested = &contested{}
		}
		of := lost(u.placed[n].contested)
		if *of == nil {
			*of = map[int]int{}
		}
		if delete(*of, l.Loser.Entry()); l.Winner != nil {
			(*of)[l.Loser.Entry()] = l.Winner.Owner()
		}
	}
	return next
}

// replace places a policy anew if it must be.
func (u *update) replace(n int) (before, now *placed) {
	if n < len(u.prev.placed) {
		before = u.prev.placed[n]
	}
	if n >= len(u.policies) || u.policies[n] == nil {
		return before, nil
	}
	p := u.policies[n]
	if before != nil && before.policy == p && u.prev.created[n].Equal(u.created[n]) && u.staysInForce(before) {
		u.placed[n] = before
	} else {
		u.placed[n] = u.newPlaced(n)
	}
	return before, u.placed[n]
}

// staysInForce says whether the verdicts on a policy are as they were.
func (u *update) staysInForce(p *placed) bool {
	return u.judged && u.attached == u.prev.attached ||
		p.served == u.attached.HasRoutesIn(p.policy.Name.Namespace) && slices.Equal(p.verdicts, u.verdictsOf(p.policy))
}

func (u *update) verdictsOf(p *Policy) []entryVerdict {
	var out []entryVerdict
	for i, e := range p.Entries {
		v := u.verdicts[tenantHost{p.Name.Namespace, e.Hostname}]
		if v == inForce {
			continue
		}
		if out == nil {
			out = make([]entryVerdict, len(p.Entries))
		}
		out[i] = entryVerdict{v, u.attached.OwnsPart(p.Name.Namespace, e.Hostname)}
	}
	return out
}

func (u *update) newPlaced(n int) *placed {
	p := u.policies[n]
	out := &placed{policy: p, served: u.attached.HasRoutesIn(p.Name.Namespace), contested: uncontested}
	if verdicts := u.verdictsOf(p); verdicts != nil || out.served {
		out.contested = &contested{verdicts: verdicts}
	}
	entries, age, disputes := make([]match.Entry, len(p.Entries)), u.age(n), false
	for i, e := range p.Entries {
		entries[i] = match.Entry{Hostname: e.Hostname, Match: *e.Match, Owner: n, Age: age}
	}
	own := mustPrepare(entries)
	if out.contested == uncontested {
		out.index = own
		return out
	}
	for i := range entries {
		if out.verdict(i).verdict == disputed {
			entries[i].Owner, disputes = disputedOwner, true
		}
	}
	all := own
	if disputes {
		all = mustPrepare(entries)
	}
	for i := range entries {
		v := out.verdict(i).verdict
		if v == ungranted {
			continue
		}
		if out.served { // no dispute counts where these routes serve
			out.own = append(out.own, own[i])
		}
		if v == beaten {
			out.refused = append(out.refused, all[i])
		} else {
			out.index = append(out.index, all[i])
		}
	}
	return out
}

func mustPrepare(entries []match.Entry) []*match.Candidate {
	candidates, err := match.Prepare(entries)
	if err != nil {
		panic(err) // routes() checked every entry
	}
	return candidates
}

// Conflicts count the entries that a policy lost, of all its entries.
type Conflicts struct {
	Lost, Entries int
	Ungranted     int // of the lost ones
	Messages      []string
}

// Conflicts are those of a policy; nil if there are none.
func (s *Snapshot) Conflicts(n int) *Conflicts {
	s = s.of(n)
	placed := s.placed[n]
	if placed.verdicts == nil && len(placed.lost) == 0 && len(placed.ownLost) == 0 {
		return nil
	}
	p := placed.policy
	out := &Conflicts{Entries: len(p.Entries)}
	for i := range p.Entries {
		v := placed.verdict(i)
		if v.verdict == inForce {
			continue
		}
		out.lose(p, i, v.verdict, v.part)
		if winner, lost := placed.ownLost[i]; lost && v.part {
			s.loseTo(out, p, i, winner)
		}
	}
	for i := range p.Entries {
		if winner, lost := placed.lost[i]; lost {
			s.loseTo(out, p, i, winner)
		}
	}
	return out
}

// loseTo records that an entry is equal to one of an older policy.
func (s *Snapshot) loseTo(c *Conflicts, p *Policy, entry, number int) {
	winner := s.policies[number]
	named := ", " + winner.Stages.Name() + ","
	if !s.options.OneTenant && winner.Name.Namespace != p.Name.Namespace {
		named = " of another namespace" // no tenant learns the names of another's objects
	}
	c.Lost++
	c.Messages = append(c.Messages, fmt.Sprintf("%s: an older policy%s has an equal match", p.Entries[entry].Field(), named))
}
