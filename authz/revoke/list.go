package revoke

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
)

// How many revocations are in force: of the operator, of one namespace, and of all
// namespaces together, of which each has its part.
const (
	maxOfOperator   = 10_000
	maxOfNamespace  = 1_000
	maxOfNamespaces = 100_000
)

// ConfigMap is an object that holds revocations. It never changes.
type ConfigMap struct {
	Namespace, Name string
	// Everywhere says that its entries hold for the policies of all namespaces.
	Everywhere bool
	Data       map[string][]byte
	// Unread says why there is no Data; "" is the normal case.
	Unread string
}

// scope is the namespace whose policies the entries hold for; "" is all.
func (c *ConfigMap) scope() string {
	if c.Everywhere {
		return ""
	}
	return c.Namespace
}

func (c *ConfigMap) name() string { return c.Namespace + "/" + c.Name }

func (c *ConfigMap) same(o *ConfigMap) bool {
	return c.Everywhere == o.Everywhere && c.Unread == o.Unread && maps.EqualFunc(c.Data, o.Data, bytes.Equal)
}

// List are revocations as they were read. It never changes. A nil List has none.
type List struct {
	parts map[string]*part // by scope
	// also is a List that holds too; nil: none does.
	also *List
}

// part are the revocations of one scope.
type part struct {
	limit int
	maps  []*parsed // by name
	table table
	// entries are those in the table, left those that found no place in it.
	entries, left []*Entry
}

// parsed is a ConfigMap and what it says.
type parsed struct {
	ConfigMap
	entries map[string]*Entry
	// unreadable counts the entries that cannot be read, whatever holds of them.
	unreadable int
	problems   []authz.Problem
}

// Read reads ConfigMaps. An entry whose end or reason cannot be read has no end. before
// is what was read before: where another part of an entry cannot be read, what it said
// then holds on, to its end or until the entry is removed. Its problems are
// Invalid for what is not in force, else Warnings.
func Read(list []ConfigMap, before *List, now time.Time) (*List, []authz.Problem) {
	l := &List{parts: map[string]*part{}}
	by := map[string][]*ConfigMap{}
	for i := range list {
		by[list[i].scope()] = append(by[list[i].scope()], &list[i])
	}
	tenants := len(by)
	if by[""] != nil {
		tenants--
	}
	var problems []authz.Problem
	for _, scope := range slices.Sorted(maps.Keys(by)) {
		limit := maxOfOperator
		if scope != "" {
			limit = min(maxOfNamespace, maxOfNamespaces/tenants)
		}
		p := readPart(scope, by[scope], limit, before.part(scope), now)
		l.parts[scope] = p
		problems = append(problems, p.problems()...)
	}
	return l, problems
}

func (l *List) part(scope string) *part {
	if l == nil {
		return nil
	}
	return l.parts[scope]
}

// readPart reads the ConfigMaps of a scope. What did not change is taken over.
func readPart(scope string, list []*ConfigMap, limit int, before *part, now time.Time) *part {
	slices.SortFunc(list, func(a, b *ConfigMap) int { return strings.Compare(a.name(), b.name()) })
	p := &part{limit: limit}
	left := 2 * limit // what more costs nobody needs
	same := before != nil && before.limit == limit && len(before.maps) == len(list)
	for i, c := range list {
		old := before.find(c.name())
		m := old
		if old == nil || !old.same(c) {
			m = parse(scope, c, old, left, now)
		}
		left -= len(m.entries)
		same = same && before.maps[i] == m
		p.maps = append(p.maps, m)
	}
	if same {
		return before
	}
	p.fill(now)
	return p
}

func (p *part) find(name string) *parsed {
	if p == nil {
		return nil
	}
	for _, m := range p.maps {
		if m.name() == name {
			return m
		}
	}
	return nil
}

// parse reads a ConfigMap, of which at most so many entries.
func parse(scope string, c *ConfigMap, old *parsed, most int, now time.Time) *parsed {
	m := &parsed{ConfigMap: *c, entries: map[string]*Entry{}}
	told := authz.Problems{}
	say := func(severity authz.Severity, at, message string) {
		told.Add(authz.Problem{Severity: severity, Object: objectOf(c.name()), Field: at, Message: message})
	}
	if c.Unread != "" {
		kept := ""
		if old != nil {
			m.entries = old.entries
			kept = "; what was read of it before holds on"
		}
		m.unreadable++
		say(authz.Invalid, "data", "its revocations are not in force: "+c.Unread+kept)
		m.problems = told.All()
		return m
	}
	unread := 0
	for _, name := range slices.Sorted(maps.Keys(c.Data)) {
		if len(m.entries) >= most {
			unread++
			continue
		}
		e, err := Parse(scope, c.Data[name])
		if err != nil {
			m.unreadable++
			at, message := "data["+name+"]", err.Error()
			if w := (*wrong)(nil); errors.As(err, &w) {
				at, message = strings.TrimSuffix(at+"."+w.field, "."), w.message
			}
			before := old.entry(name)
			switch {
			case e != nil:
				message += "; until it is corrected it revokes what it names, without an end"
			case before != nil:
				m.entries[name] = before
				message += "; what it said before holds on here until " + rfc3339(before.Until) + ", and not in a replica that starts now"
			default:
				message += "; it revokes nothing until it is corrected"
			}
			say(authz.Invalid, at, message)
			if e == nil {
				continue
			}
		}
		e.ConfigMap, e.Name, e.Namespace = strings.TrimPrefix(c.name(), "/"), name, scope
		m.entries[name] = e
		if e.Ended(now) {
			say(authz.Warning, "data["+name+"].until", "it ended at "+rfc3339(e.Until)+" and revokes nothing; remove the entry")
		}
	}
	if unread > 0 {
		m.unreadable += unread
		say(authz.Invalid, "data", fmt.Sprintf("%d entries are not read and not in force: there are too many; remove those that ended", unread))
	}
	m.problems = told.All()
	return m
}

func objectOf(name string) string { return "ConfigMap " + strings.TrimPrefix(name, "/") }

func (m *parsed) entry(name string) *Entry {
	if m == nil {
		return nil
	}
	return m.entries[name]
}

// fill makes the table: of what has not ended first, then by name.
func (p *part) fill(now time.Time) {
	var all []*Entry
	for _, m := range p.maps {
		for _, e := range m.entries {
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b *Entry) int {
		if x, y := a.Ended(now), b.Ended(now); x != y {
			return cmp.Compare(btoi(x), btoi(y))
		}
		return cmp.Or(strings.Compare(a.ConfigMap, b.ConfigMap), strings.Compare(a.Name, b.Name))
	})
	for _, e := range all {
		if len(p.entries) < p.limit && p.table.add(e) {
			p.entries = append(p.entries, e)
		} else {
			p.left = append(p.left, e)
		}
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// problems are those of the ConfigMaps, and what found no place.
func (p *part) problems() (out []authz.Problem) {
	for _, m := range p.maps {
		out = append(out, m.problems...)
	}
	first := map[string]*Entry{}
	more := map[string]int{}
	for _, e := range p.left {
		if first[e.ConfigMap] == nil {
			first[e.ConfigMap] = e
		}
		more[e.ConfigMap]++
	}
	for _, name := range slices.Sorted(maps.Keys(first)) {
		out = append(out, authz.Problem{Severity: authz.Invalid, Object: objectOf(name), Field: "data[" + first[name].Name + "]", Message: fmt.Sprintf(
			"%d revocations are not in force, of which this is the first: for %s at most %d are, in at most %d combinations of fields, those that have not ended first, then by the names of ConfigMap and entry; remove entries that ended",
			more[name], first[name].Scope(), p.limit, maxShapes)})
	}
	return out
}

// With is a List of both; it is l itself where both have the same.
func (l *List) With(other *List) *List {
	if other == nil || l.same(other) {
		return l
	}
	both := &List{also: &List{parts: other.parts}}
	if l != nil {
		both.parts = l.parts
	}
	return both
}

func (l *List) same(o *List) bool {
	return l != nil && o != nil && maps.Equal(l.parts, o.parts)
}

// Keeping is list with the ConfigMaps of l that are not in it: for a source that cannot
// tell whether they are gone.
func (l *List) Keeping(list []ConfigMap) []ConfigMap {
	if l == nil {
		return list
	}
	there := map[string]bool{}
	for i := range list {
		there[list[i].scope()+" "+list[i].name()] = true
	}
	list = slices.Clip(list)
	for _, scope := range slices.Sorted(maps.Keys(l.parts)) {
		for _, m := range l.parts[scope].maps {
			if !there[scope+" "+m.name()] {
				list = append(list, m.ConfigMap)
			}
		}
	}
	return list
}

// Entries are all revocations that are in force or have ended, by scope and name.
func (l *List) Entries() (out []*Entry) {
	if l == nil {
		return nil
	}
	seen := map[*Entry]bool{}
	for _, one := range []*List{l, l.also} {
		if one == nil {
			continue
		}
		for _, scope := range slices.Sorted(maps.Keys(one.parts)) {
			for _, e := range one.parts[scope].entries {
				if !seen[e] {
					seen[e] = true
					out = append(out, e)
				}
			}
		}
	}
	return out
}

// Counts are how many revocations there are.
type Counts struct{ InForce, Ended, Unreadable, Left int }

// Counts counts the revocations at a time.
func (l *List) Counts(now time.Time) (n Counts) {
	if l == nil {
		return n
	}
	for _, e := range l.Entries() {
		if e.Ended(now) {
			n.Ended++
		} else {
			n.InForce++
		}
	}
	for _, p := range l.parts {
		n.Left += len(p.left)
		for _, m := range p.maps {
			n.Unreadable += m.unreadable
		}
	}
	return n
}

func rfc3339(t time.Time) string { return t.UTC().Format(time.RFC3339) }
