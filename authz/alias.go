package authz

import "hash/maphash"

// Alias folds a header name to what lenient servers may take it for: lower
// case, everything but letters and digits turned into '-'. Two names with one
// alias reach some upstreams as one variable (CGI, WSGI).
func Alias(name string) string {
	if isAlias(name) {
		return name
	}
	var space [64]byte
	return string(appendAlias(space[:0], name))
}

func isAlias(name string) bool {
	for i := range len(name) {
		if classes[name[i]]&aliasByte == 0 {
			return false
		}
	}
	return true
}

// appendAlias appends the alias of a name to b, which is empty.
func appendAlias(b []byte, name string) []byte {
	b = append(b, name...)
	for i := range b {
		b[i] = aliases[b[i]]
	}
	return b
}

// equalAlias says whether two names have one alias.
func equalAlias(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if aliases[a[i]] != aliases[b[i]] {
			return false
		}
	}
	return true
}

// aliases are the bytes that an [Alias] has for each byte.
var aliases = func() (of [256]byte) {
	for i := range of {
		if of[i] = lower(byte(i)); classes[of[i]]&aliasByte == 0 {
			of[i] = '-'
		}
	}
	return of
}()

// HasAliases says whether some header came under a name that some readers take for
// another one.
func (r *Request) HasAliases() bool { return len(r.fields.variants) > 0 }

// aliased says whether some header came under another name of the same alias.
func (r *Request) aliased(name string) bool {
	if r.fields.plain(name) != nil {
		return true
	}
	for at := r.fields.firstVariant(name); at != noPlace; at = r.fields.variants[at].next {
		if r.fields.variantName(at) != name {
			return true
		}
	}
	return false
}

// AppendAliases appends the names of the headers that came under another name than
// name and have its [Alias]; it is given in lower case. Most requests have none.
func (r *Request) AppendAliases(names []string, name string) []string {
	if f := r.fields.plain(name); f != nil {
		names = append(names, f.name)
	}
	for at := r.fields.firstVariant(name); at != noPlace; at = r.fields.variants[at].next {
		if other := r.fields.variantName(at); other != name {
			names = append(names, other)
		}
	}
	return names
}

// variant is the name of the field at a place that is not its own alias. The first
// one of each alias is in the index; next is the place of the next one, or noPlace.
type variant struct {
	field, next, last int32
	hash              uint32
}

// addVariant adds the last field of the list, whose name is not its own alias, of n fields
// that are expected.
func (f *fields) addVariant(name string, n int) {
	if len(f.variants) == 0 {
		f.aliases = f.aliases.sized(n)
	}
	hash := aliasHash(name)
	slot := f.variantSlot(name, hash)
	place := int32(len(f.variants))
	f.variants = append(f.variants, variant{int32(len(f.list) - 1), noPlace, place, hash})
	if *slot == 0 {
		*slot = place + 1
		return
	}
	first := &f.variants[*slot-1]
	f.variants[first.last].next = place
	first.last = place
}

// plain returns the field whose name is the alias of a name, and another one.
func (f *fields) plain(name string) *field {
	if isAlias(name) {
		return nil
	}
	var space [64]byte
	return f.find(string(appendAlias(space[:0], name)))
}

// firstVariant is the place of the first variant that has the alias of a name, or noPlace.
func (f *fields) firstVariant(name string) int32 {
	if len(f.variants) == 0 {
		return noPlace
	}
	return *f.variantSlot(name, aliasHash(name)) - 1
}

func (f *fields) variantName(at int32) string { return f.list[f.variants[at].field].name }

// variantSlot returns the slot of the first variant that has the alias of a name, or the
// slot for its place.
func (f *fields) variantSlot(name string, hash uint32) *int32 {
	mask := uint32(len(f.aliases) - 1)
	for at := hash & mask; ; at = (at + 1) & mask {
		place := &f.aliases[at]
		if *place == 0 {
			return place
		}
		if one := &f.variants[*place-1]; one.hash == hash && equalAlias(f.list[one.field].name, name) {
			return place
		}
	}
}

// aliasHash is the hash of a name's alias.
func aliasHash(name string) uint32 {
	var space [64]byte
	return uint32(maphash.Bytes(hashSeed, appendAlias(space[:0], name)))
}
