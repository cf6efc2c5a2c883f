package authn

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rsa"
	_ "crypto/sha256" // the hashes of the table below
	_ "crypto/sha512"
	"encoding/base64"
	"math/big"
	"strings"

	"github.com/agentauth-dev/agentauth/authz/jwks"
)

// signature is the signature of a token, and what it is of. The primitives are
// Go's own. go-jose is not used: it takes a salt of any length for PS256, where
// RFC 7518 3.5 has one length, and refuses tokens for header parameters that are
// ignored here (a certificate in x5c that does not parse).
type signature struct {
	signed []byte // header and payload as they came
	value  []byte
	by     signing
}

// signing is how an algorithm signs (RFC 7518 3, RFC 8037).
type signing struct {
	kind string
	hash crypto.Hash
}

var signings = map[string]signing{
	"HS256": {"HMAC", crypto.SHA256}, "HS384": {"HMAC", crypto.SHA384}, "HS512": {"HMAC", crypto.SHA512},
	"RS256": {"PKCS1", crypto.SHA256}, "RS384": {"PKCS1", crypto.SHA384}, "RS512": {"PKCS1", crypto.SHA512},
	"PS256": {"PSS", crypto.SHA256}, "PS384": {"PSS", crypto.SHA384}, "PS512": {"PSS", crypto.SHA512},
	"ES256": {"P-256", crypto.SHA256}, "ES384": {"P-384", crypto.SHA384}, "ES512": {"P-521", crypto.SHA512},
	"EdDSA": {"Ed25519", 0},
}

func readSignature(t *Token) (s *signature, ok bool) {
	dot := strings.LastIndexByte(t.Raw, '.')
	by, known := signings[jwks.Algorithm(t.Algorithm)]
	if dot < 0 || !known {
		return nil, false
	}
	value, err := base64.RawURLEncoding.Strict().DecodeString(t.Raw[dot+1:])
	return &signature{[]byte(t.Raw[:dot]), value, by}, err == nil
}

// verifies says whether the signature is one of the key. A key of another kind
// than the algorithm's verifies nothing.
func (s *signature) verifies(key any) bool {
	switch k := key.(type) {
	case []byte:
		return s.by.kind == "HMAC" && s.verifiesHMAC(k)
	case *rsa.PublicKey:
		return s.verifiesRSA(k)
	case *ecdsa.PublicKey:
		return s.by.kind == k.Params().Name && s.verifiesECDSA(k)
	case ed25519.PublicKey:
		return s.by.kind == "Ed25519" && len(k) == ed25519.PublicKeySize && ed25519.Verify(k, s.signed, s.value)
	}
	return false
}

func (s *signature) digest() []byte {
	h := s.by.hash.New()
	h.Write(s.signed)
	return h.Sum(nil)
}

func (s *signature) verifiesHMAC(secret []byte) bool {
	h := hmac.New(s.by.hash.New, secret)
	h.Write(s.signed)
	return hmac.Equal(h.Sum(nil), s.value)
}

func (s *signature) verifiesRSA(key *rsa.PublicKey) bool {
	switch s.by.kind {
	case "PKCS1":
		return rsa.VerifyPKCS1v15(key, s.by.hash, s.digest(), s.value) == nil
	case "PSS": // a salt as long as the hash: RFC 7518 3.5
		return rsa.VerifyPSS(key, s.by.hash, s.digest(), s.value, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
	}
	return false
}

// verifiesECDSA takes r and s at full length (RFC 7518 3.4).
func (s *signature) verifiesECDSA(key *ecdsa.PublicKey) bool {
	size := (key.Params().BitSize + 7) / 8
	if len(s.value) != 2*size {
		return false
	}
	return ecdsa.Verify(key, s.digest(), new(big.Int).SetBytes(s.value[:size]), new(big.Int).SetBytes(s.value[size:]))
}
