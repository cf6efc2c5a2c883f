package cases

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// signBytes signs what a JWS signs (RFC 7518 3), for headers and payloads that
// no library would write. PS256.salt20 is PS256 with a salt of 20 bytes.
func signBytes(name string, alg jose.SignatureAlgorithm, input string) (string, error) {
	salt := rsa.PSSSaltLengthEqualsHash
	if short, length, ok := strings.Cut(string(alg), ".salt"); ok {
		n, err := strconv.Atoi(length)
		if err != nil {
			return "", err
		}
		alg, salt = jose.SignatureAlgorithm(short), n
	}
	hash := map[jose.SignatureAlgorithm]crypto.Hash{
		"HS256": crypto.SHA256, "HS384": crypto.SHA384, "HS512": crypto.SHA512,
		"RS256": crypto.SHA256, "RS384": crypto.SHA384, "RS512": crypto.SHA512,
		"PS256": crypto.SHA256, "PS384": crypto.SHA384, "PS512": crypto.SHA512,
		"ES256": crypto.SHA256, "ES384": crypto.SHA384, "ES512": crypto.SHA512,
	}[alg]
	if s, ok := secret(name); ok {
		mac := hmac.New(hash.New, s)
		mac.Write([]byte(input))
		return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), nil
	}
	key, err := Key(name)
	if err != nil {
		return "", err
	}
	var sig []byte
	switch k := key.(type) {
	case ed25519.PrivateKey:
		sig = ed25519.Sign(k, []byte(input))
	case *rsa.PrivateKey:
		if alg[0] == 'P' {
			sig, err = rsa.SignPSS(rand.Reader, k, hash, digest(hash, input), &rsa.PSSOptions{SaltLength: salt})
		} else {
			sig, err = k.Sign(rand.Reader, digest(hash, input), hash)
		}
	case *ecdsa.PrivateKey:
		sig, err = signECDSA(k, digest(hash, input))
	default:
		err = fmt.Errorf("key %s cannot sign", name)
	}
	return base64.RawURLEncoding.EncodeToString(sig), err
}

func digest(h crypto.Hash, input string) []byte {
	w := h.New()
	w.Write([]byte(input))
	return w.Sum(nil)
}

// signECDSA writes r and s at the width of the curve (RFC 7518 3.4).
func signECDSA(k *ecdsa.PrivateKey, sum []byte) ([]byte, error) {
	r, s, err := ecdsa.Sign(rand.Reader, k, sum)
	if err != nil {
		return nil, err
	}
	size := (k.Curve.Params().BitSize + 7) / 8
	out := make([]byte, 2*size)
	r.FillBytes(out[:size])
	s.FillBytes(out[size:])
	return out, nil
}
