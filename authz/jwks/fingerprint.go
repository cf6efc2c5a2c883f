package jwks

import (
	"crypto/sha256"
	"encoding/binary"
)

// Fingerprint is a digest of the keys that a set holds, in their order, with what
// each may verify: with equal fingerprints two sets find equal keys. Keys that are
// fetched again have the same one.
type Fingerprint [sha256.Size]byte

// FingerprintOf is the fingerprint of what a set holds now; false if it holds
// nothing that may serve, or cannot tell. It never fetches and never waits.
func FingerprintOf(s Set) (f Fingerprint, ok bool) {
	if h, tells := s.(interface{ Fingerprint() (Fingerprint, bool) }); tells {
		return h.Fingerprint()
	}
	return f, false
}

// Fingerprint gives [FingerprintOf] the fingerprint, but not of keys that are too
// old to serve.
func (r *Remote) Fingerprint() (f Fingerprint, ok bool) {
	if now := r.fresh(); now != nil {
		return now.Fingerprint()
	}
	return f, false
}

// Fingerprint gives [FingerprintOf] the fingerprint.
func (x *index) Fingerprint() (Fingerprint, bool) { return x.fingerprint, x.told }

// fingerprint is false for keys of which one has no thumbprint: nothing would tell
// it from another key.
func fingerprint(keys []Key) (f Fingerprint, ok bool) {
	var b []byte
	number := func(n int) { b = binary.BigEndian.AppendUint64(b, uint64(n)) } // #nosec G115 -- a length
	part := func(s string) { number(len(s)); b = append(b, s...) }
	for _, k := range keys {
		if k.Thumbprint == "" {
			return f, false
		}
		part(k.ID)
		part(k.Thumbprint)
		number(len(k.Algorithms))
		for _, alg := range k.Algorithms {
			part(alg)
		}
	}
	return sha256.Sum256(b), true
}
