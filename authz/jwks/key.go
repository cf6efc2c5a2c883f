package jwks

import (
	"crypto"
	"encoding/base64"
	"errors"
	"slices"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Key is one usable verification key. It must not be changed.
type Key struct {
	// ID is the `kid`, "" if there is none.
	ID string

	// Algorithms are the JWS algorithms the key may verify: what fits its type,
	// curve and size, narrowed by its own `alg`.
	Algorithms []string

	// Public is *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey.
	Public crypto.PublicKey

	// Thumbprint is the SHA-256 thumbprint in base64url (RFC 7638). It tells
	// whether a key is still the one that verified something earlier.
	Thumbprint string
}

// jwk are the members that matter here; RFC 7517 section 4 says to ignore
// others. x5c, x5u and the like are ignored too: a certificate vouches for
// nothing that the set does not already say.
type jwk struct {
	Kty    string   `json:"kty"`
	Kid    string   `json:"kid"`
	Use    string   `json:"use"`
	KeyOps []string `json:"key_ops"`
	Alg    string   `json:"alg"`

	Crv string `json:"crv"`
	X   string `json:"x"`
	Y   string `json:"y"`
	N   string `json:"n"`
	E   string `json:"e"`

	// Private and symmetric members: seen, never read.
	K   jsontext.Value `json:"k"`
	D   jsontext.Value `json:"d"`
	P   jsontext.Value `json:"p"`
	Q   jsontext.Value `json:"q"`
	DP  jsontext.Value `json:"dp"`
	DQ  jsontext.Value `json:"dq"`
	QI  jsontext.Value `json:"qi"`
	Oth jsontext.Value `json:"oth"`
}

// parseKey returns a key, or its id as far as it is known and the reason why it
// is not used. A reason is a fixed text: it never repeats what was read.
func parseKey(value jsontext.Value) (Key, error) {
	var k jwk
	if err := json.Unmarshal(value, &k); err != nil {
		return Key{ID: k.Kid}, errors.New("not a JWK: an object whose members have the types of RFC 7517 was expected")
	}
	if err := k.verifies(); err != nil {
		return Key{ID: k.Kid}, err
	}
	public, algorithms, err := k.material()
	if err != nil {
		return Key{ID: k.Kid}, err
	}
	if k.Alg != "" {
		if !slices.Contains(algorithms, k.Alg) {
			return Key{ID: k.Kid}, errors.New("alg names no signature algorithm that fits the key's type and size")
		}
		algorithms = []string{k.Alg}
	}
	thumbprint, err := (&jose.JSONWebKey{Key: public}).Thumbprint(crypto.SHA256)
	if err != nil {
		return Key{ID: k.Kid}, errors.New("the key has no thumbprint")
	}
	return Key{k.Kid, algorithms, public, base64.RawURLEncoding.EncodeToString(thumbprint)}, nil
}

// verifies tells whether the key says of itself that it is for signatures, and
// is public. A private key that was published signs for everyone.
func (k *jwk) verifies() error {
	switch {
	case k.Kty == "oct" || k.K != nil:
		return errors.New("a symmetric key: shared secrets belong into hmac, not into a key set")
	case slices.ContainsFunc([]jsontext.Value{k.D, k.P, k.Q, k.DP, k.DQ, k.QI, k.Oth}, func(v jsontext.Value) bool { return v != nil }):
		return errors.New("the private key is in the set: replace it, it is known to everyone who can read the set")
	case k.Use != "" && k.Use != "sig":
		return errors.New("use is not sig")
	case k.KeyOps != nil && !slices.Contains(k.KeyOps, "verify"):
		return errors.New("key_ops is without verify")
	}
	return nil
}
