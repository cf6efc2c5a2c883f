package authz

import (
	"hash/maphash"
	"strings"
)

// fields are the header fields of a request by their names, in the order in which
// the names first came. Finding and adding one costs the same however many came,
// whatever their names are.
type fields struct {
	list []field
	// names finds places in list. aliases finds places in odd, where the fields are
	// whose names are not their own alias.
	names, aliases index
	odd            []oddName
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
// none.
type value struct {
	text string
	next int32
}

const none = -1

// oddName is the name of the field at a place that is not its own alias. The first
// one of each alias is in the index; next is the place of the next one, or none.
type oddName struct {
	field, next, last int32
	hash              uint32
}

// index finds places in a list by a hash: the places, counted from 1, each at the
// first free slot from its hash on. Its length is a power of two, at least twice that
// of the list.
type index []int32

// seed makes hashes that nobody outside can foresee, and so no run of slots either.
var seed = maphash.MakeSeed()

func hashOf(name string) uint32 { return uint32(maphash.String(seed, name)) }

// aliasHash is the hash of a name's alias.
func aliasHash(name string) uint32 {
	var space [64]byte
	return uint32(maphash.Bytes(seed, appendAlias(space[:0], name)))
}

// sized is an index for so many places, empty as x is.
func (x index) sized(places int) index {
	size := 64
	for size < 2*places {
		size *= 2
	}
	if cap(x) < size {
		return make(index, size)
	}
	return x[:size]
}

// find returns the field of a name in lower case; nil if none came.
func (f *fields) find(name string) *field {
	if len(f.list) == 0 {
		return nil
	}
	one, _ := f.slot(name, hashOf(name))
	return one
}

// slot returns the field of a name, or else the slot for its place.
func (f *fields) slot(name string, hash uint32) (*field, *int32) {
	mask := uint32(len(f.names) - 1)
	for at := hash & mask; ; at = (at + 1) & mask {
		place := &f.names[at]
		if *place == 0 {
			return nil, place
		}
		if one := &f.list[*place-1]; one.hash == hash && one.name == name {
			return one, nil
		}
	}
}

// oddSlot returns the slot of the first odd name that has the alias of a name, or the
// slot for its place.
func (f *fields) oddSlot(name string, hash uint32) *int32 {
	mask := uint32(len(f.aliases) - 1)
	for at := hash & mask; ; at = (at + 1) & mask {
		place := &f.aliases[at]
		if *place == 0 {
			return place
		}
		if odd := &f.odd[*place-1]; odd.hash == hash && equalAlias(f.list[odd.field].name, name) {
			return place
		}
	}
}

// plain returns the field whose name is the alias of a name, and another one.
func (f *fields) plain(name string) *field {
	if isAlias(name) {
		return nil
	}
	var space [64]byte
	return f.find(string(appendAlias(space[:0], name)))
}

// firstOdd is the place of the first odd name that has the alias of a name, or none.
func (f *fields) firstOdd(name string) int32 {
	if len(f.odd) == 0 {
		return none
	}
	return *f.oddSlot(name, aliasHash(name)) - 1
}

func (f *fields) oddName(at int32) string { return f.list[f.odd[at].field].name }

// expect makes room for so many fields.
func (f *fields) expect(n int) {
	if cap(f.list) < n {
		f.list = make([]field, 0, n)
	}
	f.names = f.names.sized(n)
}

// add adds a field of a name in lower case, of n that are expected; odd says that the
// name is not its own alias.
func (f *fields) add(name, text string, odd bool, n int) {
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
	if odd {
		f.addOdd(name, n)
		one.role = roleOfOdd(name)
	} else {
		one.role = roleOf(name)
	}
	f.roles |= 1 << one.role
}

// again adds a field of a name that came before.
func (f *fields) again(one *field, text string) {
	if one.count == 1 {
		f.values = append(f.values, value{one.value, none})
		one.first = int32(len(f.values) - 1)
		one.last = one.first
	}
	f.values = append(f.values, value{text, none})
	f.values[one.last].next = int32(len(f.values) - 1)
	one.last = int32(len(f.values) - 1)
	one.count++
}

func (f *fields) addOdd(name string, n int) {
	if len(f.odd) == 0 {
		f.aliases = f.aliases.sized(n)
	}
	hash := aliasHash(name)
	slot := f.oddSlot(name, hash)
	place := int32(len(f.odd))
	f.odd = append(f.odd, oddName{int32(len(f.list) - 1), none, place, hash})
	if *slot == 0 {
		*slot = place + 1
		return
	}
	first := &f.odd[*slot-1]
	f.odd[first.last].next = place
	first.last = place
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
		for at := one.first; at != none; at = f.values[at].next {
			if at != one.first {
				b.WriteString(separator)
			}
			b.WriteString(f.values[at].text)
		}
		one.value = b.String()[start:]
	}
}

// each calls do with the values of a name one by one, as far as they came so, until
// it is false.
func (f *fields) each(one *field, do func(value string) bool) bool {
	if one.count == 1 || one.name == "cookie" {
		return do(one.value)
	}
	for at := one.first; at != none; at = f.values[at].next {
		if !do(f.values[at].text) {
			return false
		}
	}
	return true
}

// Most that a request keeps for the next one.
const (
	keptFields = 128
	keptParams = 64
)

// reset empties f.
func (f *fields) reset() {
	*f = fields{
		list: emptied(f.list, keptFields), odd: emptied(f.odd, keptFields), values: emptied(f.values, keptFields),
		names: emptied(f.names, 4*keptFields), aliases: emptied(f.aliases, 4*keptFields),
	}
}

// emptied is a list without its entries, and none at all where it is longer than most.
func emptied[L ~[]E, E any](list L, most int) L {
	if cap(list) > most {
		return nil
	}
	clear(list)
	return list[:0]
}
