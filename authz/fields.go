package authz

import "strings"

// fields are the header fields of a request by their names, in the order in which
// the names first came. Finding and adding one costs the same however many came,
// whatever their names are.
type fields struct {
	list []field
	// names finds places in list. aliases finds places in variants, the names
	// that are not their own alias.
	names, aliases index
	variants       []variant
	// values are those of the names that came more than once.
	values []value
	// roles are those of all fields.
	roles roles
}

// field is all that came under one name.
type field struct {
	name string // in lower case
	// value is that of the only field, or of all, joined.
	value string
	count int32
	// first and last are places in fields.values if count is over 1.
	first, last int32
	hash        uint32
	role        role
}

// value is that of one of the fields of a name; next is the place of the next one, or
// noPlace.
type value struct {
	text string
	next int32
}

const noPlace = -1

// expect makes room for so many fields.
func (f *fields) expect(n int) {
	if cap(f.list) < n {
		f.list = make([]field, 0, n)
	}
	f.names = f.names.sized(n)
}

// add adds a field of a name in lower case, of n that are expected; isVariant says that
// the name is not its own alias.
func (f *fields) add(name, text string, isVariant bool, n int) {
	hash := hashOf(name)
	one, slot := f.slot(name, hash)
	if one != nil {
		f.again(one, text)
		return
	}
	place := len(f.list)
	f.list = f.list[:place+1] // there is room, and it is empty
	*slot = int32(place + 1)
	one = &f.list[place]
	one.name, one.value, one.count, one.hash = name, text, 1, hash
	if isVariant {
		f.addVariant(name, n)
		one.role = roleOfVariant(name)
	} else {
		one.role = roleOf(name)
	}
	f.roles |= 1 << one.role
}

// again adds a field of a name that came before.
func (f *fields) again(one *field, text string) {
	if one.count == 1 {
		f.values = append(f.values, value{one.value, noPlace})
		one.first = int32(len(f.values) - 1)
		one.last = one.first
	}
	f.values = append(f.values, value{text, noPlace})
	f.values[one.last].next = int32(len(f.values) - 1)
	one.last = int32(len(f.values) - 1)
	one.count++
}

// join joins the values of each name that came more than once, all in one text.
func (f *fields) join() {
	if len(f.values) == 0 {
		return
	}
	size := 2 * len(f.values)
	for i := range f.values {
		size += len(f.values[i].text)
	}
	var b strings.Builder
	b.Grow(size)
	for i := range f.list {
		one := &f.list[i]
		if one.count == 1 {
			continue
		}
		separator, start := ",", b.Len()
		if one.name == "cookie" {
			separator = "; "
		}
		for at := one.first; at != noPlace; at = f.values[at].next {
			if at != one.first {
				b.WriteString(separator)
			}
			b.WriteString(f.values[at].text)
		}
		one.value = b.String()[start:]
	}
}

// all says whether is holds for the values of a name, one by one as far as they came so.
func (f *fields) all(one *field, is func(value string) bool) bool {
	if one.count == 1 {
		return is(one.value)
	}
	for at := one.first; at != noPlace; at = f.values[at].next {
		if !is(f.values[at].text) {
			return false
		}
	}
	return true
}

// How many fields and parameters a request has room for that it keeps for the next one.
const (
	keptFields = 128
	keptParams = 64
)

// reset empties f.
func (f *fields) reset() {
	f.list, f.variants, f.values = emptied(f.list, keptFields), emptied(f.variants, keptFields), emptied(f.values, keptFields)
	f.names, f.aliases = emptied(f.names, 4*keptFields), emptied(f.aliases, 4*keptFields)
	f.roles = 0
}

// emptied is a list without its entries, and none at all where it is longer than most.
func emptied[L ~[]E, E any](list L, most int) L {
	if cap(list) > most {
		return nil
	}
	if len(list) > 0 {
		clear(list)
	}
	return list[:0]
}
