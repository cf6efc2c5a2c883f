package jwks

// ParseKey reads one JWK, as [Parse] reads those of a set: a public key for
// signatures, of a size that is bounded, without private members. No error repeats
// what was read.
func ParseKey(data []byte) (Key, error) { return parseKey(data) }
