// Package keyed makes digests under a key of this process. The digest of a
// Secret or a password may stay in memory: without the key nobody can try
// passwords against it, or predict where it falls in a map.
package keyed

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
)

// processKey never leaves the process.
var processKey = func() (key [sha256.Size]byte) {
	rand.Read(key[:]) // it never fails, or ends the program
	return key
}()

// Digest is the digest of some parts. The zero Digest is none.
type Digest [sha256.Size]byte

// Of is HMAC-SHA-256 over purpose and parts, each part with its length: ("ab",
// "c") and ("a", "bc") differ. The purpose is a word of the caller, without
// NUL; it keeps digests of one use out of another.
func Of(purpose string, parts ...[]byte) (d Digest) {
	mac := hmac.New(sha256.New, processKey[:])
	mac.Write([]byte(purpose))
	var size [8]byte
	for _, part := range parts {
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		mac.Write(size[:])
		mac.Write(part)
	}
	mac.Sum(d[:0])
	return d
}
