package password

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
)

// processKey never leaves the process. Under it a digest of a password cannot
// be guessed offline, and where a name falls in a map cannot be predicted.
var processKey = func() (key [32]byte) {
	rand.Read(key[:])
	return key
}()

type digest [sha256.Size]byte

// keyed is HMAC-SHA-256 over the parts. Lengths go in as well: ("ab", "c") and
// ("a", "bc") differ. The purpose keeps digests of one use out of another.
func keyed(purpose string, parts ...[]byte) (d digest) {
	mac := hmac.New(sha256.New, processKey[:])
	var size [8]byte
	mac.Write([]byte(purpose))
	for _, part := range parts {
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		mac.Write(size[:])
		mac.Write(part)
	}
	mac.Sum(d[:0])
	return d
}
