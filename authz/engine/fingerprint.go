package engine

import (
	"encoding/binary"
	"maps"
	"slices"

	"github.com/agentauth-dev/agentauth/authz/keyed"
)

// fingerprint stands for an object as it was: equal fingerprints are equal
// contents. It is what outlives a compile, so it is keyed: who reads the memory
// cannot try passwords against it. The zero fingerprint is no object.
type fingerprint = keyed.Digest

func fingerprintOf(kind string, o *Object) fingerprint {
	parts := [][]byte{[]byte(o.Namespace), []byte(o.Name), []byte(o.Type), []byte(o.Omitted)}
	parts = appendMap(parts, o.Labels)
	parts = appendMap(parts, o.Annotations)
	return keyed.Of(kind, appendMap(parts, o.Data)...)
}

func appendMap[V string | []byte](parts [][]byte, m map[string]V) [][]byte {
	parts = append(parts, binary.AppendUvarint(nil, uint64(len(m))))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, []byte(k), []byte(m[k]))
	}
	return parts
}
