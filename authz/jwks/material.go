package jwks

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"math"
	"math/big"
	"slices"
	"strings"
)

const (
	minRSABits = 2048
	maxRSABits = 8192 // a larger one is a way to burn our CPU
)

var (
	rsaAlgorithms     = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
	ed25519Algorithms = []string{"EdDSA"}
	curves            = map[string]struct {
		curve      elliptic.Curve
		algorithms []string // one curve, one algorithm: RFC 7518 section 3.4
	}{
		"P-256": {elliptic.P256(), []string{"ES256"}},
		"P-384": {elliptic.P384(), []string{"ES384"}},
		"P-521": {elliptic.P521(), []string{"ES512"}},
	}
)

// material is the public key and every algorithm that its type and size fit.
func (k *jwk) material() (crypto.PublicKey, []string, error) {
	switch k.Kty {
	case "RSA":
		key, err := k.rsa()
		return key, slices.Clone(rsaAlgorithms), err
	case "EC":
		return k.ec()
	case "OKP":
		key, err := k.ed25519()
		return key, slices.Clone(ed25519Algorithms), err
	}
	return nil, nil, errors.New("kty is none of RSA, EC and OKP")
}

func (k *jwk) rsa() (*rsa.PublicKey, error) {
	modulus, okN := decode(k.N)
	exponent, okE := decode(k.E)
	if !okN || !okE {
		return nil, errors.New("n or e is missing or not base64url")
	}
	n, e := new(big.Int).SetBytes(modulus), new(big.Int).SetBytes(exponent)
	switch {
	case n.BitLen() < minRSABits:
		return nil, errors.New("an RSA key of less than 2048 bits")
	case n.BitLen() > maxRSABits:
		return nil, errors.New("an RSA key of more than 8192 bits")
	case n.Bit(0) == 0:
		return nil, errors.New("the RSA modulus is even")
	case e.Cmp(big.NewInt(3)) < 0 || e.Cmp(big.NewInt(math.MaxInt32)) > 0 || e.Bit(0) == 0:
		return nil, errors.New("the RSA exponent is even or not between 3 and 2147483647")
	}
	return &rsa.PublicKey{N: n, E: int(e.Int64())}, nil
}

func (k *jwk) ec() (crypto.PublicKey, []string, error) {
	c, known := curves[k.Crv]
	if !known {
		return nil, nil, errors.New("crv is none of P-256, P-384 and P-521")
	}
	x, okX := decode(k.X)
	y, okY := decode(k.Y)
	size := (c.curve.Params().BitSize + 7) / 8
	if !okX || !okY || len(x) != size || len(y) != size { // RFC 7518 section 6.2.1.2: full length
		return nil, nil, errors.New("x or y is missing, not base64url or not as long as the curve says")
	}
	key, err := ecdsa.ParseUncompressedPublicKey(c.curve, slices.Concat([]byte{4}, x, y))
	if err != nil {
		return nil, nil, errors.New("x and y are no point of the curve")
	}
	return key, slices.Clone(c.algorithms), nil
}

func (k *jwk) ed25519() (ed25519.PublicKey, error) {
	if k.Crv != "Ed25519" {
		return nil, errors.New("crv is not Ed25519, the only one of EdDSA that is supported")
	}
	x, ok := decode(k.X)
	if !ok || len(x) != ed25519.PublicKeySize {
		return nil, errors.New("x is missing, not base64url or not 32 bytes long")
	}
	return ed25519.PublicKey(x), nil
}

// decode reads base64url as RFC 7515 section 2 has it: no padding, no line
// breaks (which encoding/base64 skips), no stray bits.
func decode(s string) ([]byte, bool) {
	if s == "" || strings.ContainsAny(s, "\r\n") {
		return nil, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return b, err == nil
}
