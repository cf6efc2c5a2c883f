package verified

import (
	"math/bits"
	"unsafe"

	"github.com/agentauth-dev/agentauth/authz/authn"
)

// What values take in memory, about: the heap has sizes of its own, and what is
// smaller takes the next one.
const (
	sizeOfEntry   = int(unsafe.Sizeof(entry{}) + unsafe.Sizeof(authn.Verified{}))
	sizeOfTenant  = int(unsafe.Sizeof(tenant{})) + 2*sizeOfText + 4*sizeOfPointer // with its places in the room
	sizeOfPointer = 8
	sizeOfText    = 16 // without its bytes
	sizeOfAny     = 16 // without what it holds
	sizeOfList    = 24 // without its entries
	sizeOfMap     = 48 // without its members
	sizeOfGroup   = 8 + 8*(sizeOfText+sizeOfAny)
	sizeOfTable   = 64
)

// sizeOf is how many bytes a verified credential takes.
func sizeOf(v *authn.Verified) int64 {
	id := &v.Identity
	n := sizeOfEntry + v.SizeBeside() + texts(id.Audiences) + texts(id.Scopes) + texts(id.Groups)
	for _, s := range []string{id.Subject, id.Issuer, id.CredentialID} {
		n += len(s)
	}
	if id.Actor != nil {
		n += 2*sizeOfText + sizeOfPointer + len(id.Actor.Issuer) + len(id.Actor.Subject)
	}
	if id.Claims != nil {
		n += valueSize(id.Claims)
	}
	return int64(n)
}

func texts(list []string) int {
	n := sizeOfText * cap(list)
	for _, s := range list {
		n += len(s)
	}
	return n
}

// valueSize is what a value of JSON takes behind the interface that holds it.
func valueSize(v any) int {
	switch v := v.(type) {
	case string:
		return sizeOfText + textSize(v)
	case map[string]any:
		n := sizeOfMap + tableSize(len(v))
		for name, member := range v {
			n += textSize(name) + valueSize(member)
		}
		return n
	case []any:
		n := sizeOfList + sizeOfAny*cap(v)
		for _, e := range v {
			n += valueSize(e)
		}
		return n
	case nil, bool:
		return 0
	}
	return sizeOfPointer // a number
}

// textSize is what the bytes of a text take: the heap rounds up.
func textSize(s string) int { return (len(s) + 15) &^ 15 }

// tableSize is what a map of n members takes: groups of eight, and tables of them
// that are at most seven eighths full.
func tableSize(n int) int {
	switch {
	case n == 0:
		return 0
	case n <= 8:
		return sizeOfGroup
	}
	groups := (n*8/7 + 7) / 8
	return sizeOfTable + sizeOfGroup<<bits.Len(uint(groups-1)) // #nosec G115 -- it is not negative
}
