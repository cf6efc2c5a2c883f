// Package apikey reads Secrets of API keys. A raw key is never kept: [Digest]
// makes digests of the entries of a Secret before a source stores them, [Parse]
// reads such a Secret, and a [Table] finds a key in some Secrets. The tables of a
// namespace share an [Index], so that a table costs nothing for each key.
package apikey

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/agentauth-dev/agentauth/authz"
)

const (
	digestPrefix  = "sha256:"
	invalidPrefix = "invalid:"

	minKey = 20
	maxKey = 512
)

// What can be wrong with an entry. The texts are a closed set: an entry that
// is no key, and no digest, leaves nothing of itself behind.
const (
	keyNotNamed    = "it is no digest (sha256: and 64 hex digits), so it is no key; write what agentauth hash api-key makes of the key, or name the entry in the annotation agentauth.dev/plain-keys if it is the key itself"
	keyLacksPrefix = "it is 64 hex digits without sha256: before them, and no key; write sha256: before the digest of a key, and of a key of 64 hex digits what agentauth hash api-key makes of it"
	keyEndsInLine  = "it ends in a line break, which would be part of the key; remove it (printf, not echo)"
	keyTooShort    = "expected a key of at least 20 bytes and it is shorter; make a longer one, as with openssl rand -hex 32"
	keyTooLong     = "expected a key of at most 512 bytes and it is longer"
	keyHasSpace    = "it has white space, which no key may have: callers and proxies trim it"
	keyHasComma    = "it has a comma, which no key may have: proxies join repeated headers with commas"
	keyNotASCII    = "expected printable ASCII and it has other bytes; hex digits of them are a key"
	keyBadDigest   = "it starts like a digest, and expected is sha256: and 64 hex digits, as agentauth hash api-key writes"
	keyReserved    = "it starts with invalid:, which no key may: that is how a refused entry is kept"
	keyIsToken     = "it has the form of a JWT, which only methods for JWTs may check; make a random key, as with openssl rand -hex 32"
	keyNoDigest    = "expected a digest, sha256: and 64 hex digits"
)

var keyProblems = []string{keyNotNamed, keyLacksPrefix, keyEndsInLine, keyTooShort, keyTooLong, keyHasSpace, keyHasComma, keyNotASCII, keyBadDigest, keyReserved, keyIsToken}

// refusals are the values of refused entries. Entries share them: there may be
// many.
var refusals = func() map[string][]byte {
	out := map[string][]byte{}
	for _, why := range keyProblems {
		out[why] = []byte(invalidPrefix + why)
	}
	return out
}()

// Digest is what every source does to the Secrets labelled
// agentauth.dev/use: api-key before it keeps them, so that no raw key stays in
// memory. In the map it returns, which is new,
//   - a digest (sha256: and 64 hex digits in any letter case) stays, in lower case,
//   - a key (20 to 512 bytes of printable ASCII without commas, not 64 hex digits)
//     is its digest, if the annotation agentauth.dev/plain-keys names the entry,
//   - anything else is invalid: and what is wrong with it, never its content.
//
// Doing it twice is doing it once. No value in the map may be changed.
func Digest(annotations map[string]string, data map[string][]byte) map[string][]byte {
	plain := plainKeysOf(annotations)
	out := make(map[string][]byte, len(data))
	for id, value := range data {
		out[id] = digestEntry(value, plain.has(id))
	}
	return out
}

func digestEntry(value []byte, plain bool) []byte {
	if sum, ok := parseDigest(value); ok {
		return formatDigest(sum)
	}
	if why, ok := refusedKey(value); ok {
		return refusals[why]
	}
	if why := checkEntry(value, plain); why != "" {
		return refusals[why]
	}
	return formatDigest(sha256.Sum256(value))
}

// checkEntry says why an entry that is no digest is no key; "" if it is one.
func checkEntry(value []byte, plain bool) string {
	switch {
	case isHexDigest(bytes.TrimSpace(value)):
		return keyLacksPrefix
	case plain, hasPrefixFold(value, digestPrefix):
		return checkKey(value)
	}
	return keyNotNamed
}

// Hash is what a Secret holds of a key: sha256:<hex>. The error says why it is no
// key.
func Hash(key []byte) (string, error) {
	if why := checkKey(key); why != "" {
		return "", errors.New(why)
	}
	return string(formatDigest(sha256.Sum256(key))), nil
}

// checkKey says why a raw value cannot be a key; "" if it can.
func checkKey(value []byte) string {
	switch {
	case bytes.HasSuffix(value, []byte("\n")), bytes.HasSuffix(value, []byte("\r")):
		return keyEndsInLine
	case hasPrefixFold(value, digestPrefix):
		return keyBadDigest
	case hasPrefixFold(value, invalidPrefix):
		return keyReserved
	case len(value) < minKey:
		return keyTooShort
	case len(value) > maxKey:
		return keyTooLong
	case bytes.ContainsAny(value, " \t\r\n\v\f"):
		return keyHasSpace
	case bytes.IndexByte(value, ',') >= 0:
		return keyHasComma
	case bytes.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' }):
		return keyNotASCII
	case authz.IsJWT(string(value)):
		return keyIsToken
	}
	return ""
}

func isHexDigest(value []byte) bool {
	_, ok := parseDigest(append([]byte(digestPrefix), value...))
	return ok
}

// ParseDigest reads an entry that went through [Digest]: the SHA-256 of a
// key, or what is wrong with the entry.
func ParseDigest(value []byte) (sum [sha256.Size]byte, problem string) {
	if sum, ok := parseDigest(value); ok {
		return sum, ""
	}
	if why, ok := refusedKey(value); ok {
		return sum, why
	}
	return sum, keyNoDigest
}

func parseDigest(value []byte) (sum [sha256.Size]byte, ok bool) {
	digits, ok := bytes.CutPrefix(value, []byte(digestPrefix))
	if !ok || len(digits) != hex.EncodedLen(sha256.Size) {
		return sum, false
	}
	if _, err := hex.Decode(sum[:], digits); err != nil {
		return [sha256.Size]byte{}, false
	}
	return sum, true
}

// IsDigest says whether a text is the digest of a key.
func IsDigest(text string) bool {
	_, ok := parseDigest([]byte(text))
	return ok
}

func formatDigest(sum [sha256.Size]byte) []byte {
	return hex.AppendEncode([]byte(digestPrefix), sum[:])
}

// refusedKey recognises an entry that was refused before. Only texts from here
// count: an owner may have written invalid: before a real key.
func refusedKey(value []byte) (why string, ok bool) {
	rest, ok := bytes.CutPrefix(value, []byte(invalidPrefix))
	if !ok {
		return "", false
	}
	for _, why := range keyProblems {
		if string(rest) == why {
			return why, true
		}
	}
	return "", false
}

func hasPrefixFold(value []byte, prefix string) bool {
	return len(value) >= len(prefix) && strings.EqualFold(string(value[:len(prefix)]), prefix)
}
