package engine

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"maps"
	"slices"
	"sync"
)

// fingerprint stands for an object as it was: equal fingerprints are equal
// contents. It is what outlives a compile, so it is keyed: who reads the memory
// cannot try passwords against it. The zero fingerprint is no object.
type fingerprint [sha256.Size]byte

var fingerprintKey = sync.OnceValue(func() []byte {
	key := make([]byte, sha256.Size)
	if _, err := rand.Read(key); err != nil {
		panic(err) // crypto/rand never fails where Go runs
	}
	return key
})

func fingerprintOf(kind string, o *Object) (f fingerprint) {
	h := hmac.New(sha256.New, fingerprintKey())
	for _, s := range []string{kind, o.Namespace, o.Name, o.Type} {
		writeSized(h, s)
	}
	writeMap(h, o.Labels)
	writeMap(h, o.Annotations)
	writeMap(h, o.Data)
	h.Sum(f[:0])
	return f
}

func writeMap[V string | []byte](h hash.Hash, m map[string]V) {
	writeSized(h, string(binary.AppendUvarint(nil, uint64(len(m)))))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		writeSized(h, k)
		writeSized(h, m[k])
	}
}

// writeSized writes a text with its length, so that no two run together.
func writeSized[T string | []byte](h hash.Hash, s T) {
	h.Write(binary.AppendUvarint(nil, uint64(len(s))))
	h.Write([]byte(s))
}
