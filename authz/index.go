package authz

import "hash/maphash"

// index finds places in a list by a hash: the places, counted from 1, each at the
// first free slot from its hash on. Its length is a power of two, at least twice that
// of the list.
type index []int32

// hashSeed makes hashes that nobody outside can foresee, and so no run of slots either.
var hashSeed = maphash.MakeSeed()

func hashOf(name string) uint32 { return uint32(maphash.String(hashSeed, name)) }

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
