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

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
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

// Key is one usable verification key. It must not be changed.
type Key struct {
	// ID is the `kid`, "" if there is none.
	ID string

	// Algorithms are the JWS algorithms that the key may verify: its own `alg`,
	// or else all that fit its type and curve. They are as [Algorithm] names them.
	Algorithms []string

	// Public is *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey.
	Public crypto.PublicKey

	// Thumbprint is the SHA-256 thumbprint in base64url (RFC 7638): equal keys
	// have equal thumbprints.
	Thumbprint string
}

// jwk are the members that are read. The others are ignored (RFC 7517 section
// 4), x5c and x5u too: a certificate adds nothing to what the set says. go-jose
// is not used to decode: it refuses keys for their x5c, refuses RSA keys of more
// than 4096 bits, and accepts line breaks and stray bits in base64url.
type jwk struct {
	Kty    text  `json:"kty"`
	Kid    text  `json:"kid"`
	Use    text  `json:"use"`
	KeyOps texts `json:"key_ops"`
	Alg    text  `json:"alg"`

	Crv text `json:"crv"`
	X   text `json:"x"`
	Y   text `json:"y"`
	N   text `json:"n"`
	E   text `json:"e"`

	// Private and symmetric members. Only their presence matters.
	K   present `json:"k"`
	D   present `json:"d"`
	P   present `json:"p"`
	Q   present `json:"q"`
	DP  present `json:"dp"`
	DQ  present `json:"dq"`
	QI  present `json:"qi"`
	Oth present `json:"oth"`
}

// parseKey returns a key, or why the key is not used. The error is a fixed
// text: it never repeats what was read.
func parseKey(value jsontext.Value) (Key, error) {
	var k jwk
	if err := json.Unmarshal(value, &k); err != nil {
		return Key{}, errors.New("not a JWK: an object whose members have the types of RFC 7517 was expected")
	}
	if err := k.checkUse(); err != nil {
		return Key{}, err
	}
	public, algorithms, err := k.material()
	if err != nil {
		return Key{}, err
	}
	if k.Alg != "" {
		alg := Algorithm(string(k.Alg))
		if !slices.Contains(algorithms, alg) {
			return Key{}, errors.New("alg names no signature algorithm that fits the key's type and size")
		}
		algorithms = []string{alg}
	}
	thumbprint, err := (&jose.JSONWebKey{Key: public}).Thumbprint(crypto.SHA256)
	if err != nil {
		return Key{}, errors.New("the key has no thumbprint")
	}
	return Key{string(k.Kid), algorithms, public, base64.RawURLEncoding.EncodeToString(thumbprint)}, nil
}

// What `use` may be (RFC 7517 section 4.2). SPIFFE bundles hold keys for tokens
// and keys for certificates side by side (SPIFFE Trust Domain and Bundle 4.2).
const (
	signatureUse   = "sig"
	spiffeTokenUse = "jwt-svid"
	certificateUse = "x509-svid"
)

// errCertificateKey is no mistake of the set: nobody has to act.
var errCertificateKey = errors.New("use is x509-svid, a key for certificates")

// checkUse refuses keys that are not public, and keys that are not for
// signatures by their own words. Everybody can sign with a published private key.
func (k *jwk) checkUse() error {
	switch {
	case k.Kty == "oct" || bool(k.K):
		return errors.New("a symmetric key: shared secrets belong into hmac, not into a key set")
	case bool(k.D || k.P || k.Q || k.DP || k.DQ || k.QI || k.Oth):
		return errors.New("the private key is in the set: replace it, it is known to everyone who can read the set")
	case k.Use == certificateUse:
		return errCertificateKey
	case k.Use != "" && k.Use != signatureUse && k.Use != spiffeTokenUse:
		return errors.New("use is neither sig nor jwt-svid")
	case len(k.KeyOps) > 0 && !slices.Contains(k.KeyOps, "verify"):
		return errors.New("key_ops is without verify")
	}
	return nil
}

// material returns the public key and all algorithms that fit its type and curve.
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
	modulus, okN := decode(string(k.N))
	exponent, okE := decode(string(k.E))
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
	case n.BitLen() > 4096 && e.Cmp(big.NewInt(65537)) > 0: // its signatures would take twice as long
		return nil, errors.New("an RSA key of more than 4096 bits whose exponent is over 65537")
	}
	return &rsa.PublicKey{N: n, E: int(e.Int64())}, nil
}

func (k *jwk) ec() (crypto.PublicKey, []string, error) {
	c, known := curves[string(k.Crv)]
	if !known {
		return nil, nil, errors.New("crv is none of P-256, P-384 and P-521")
	}
	x, okX := decode(string(k.X))
	y, okY := decode(string(k.Y))
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
	x, ok := decode(string(k.X))
	if !ok || len(x) != ed25519.PublicKeySize {
		return nil, errors.New("x is missing, not base64url or not 32 bytes long")
	}
	return ed25519.PublicKey(x), nil
}

// decode decodes base64url as RFC 7515 section 2 defines it: no padding, no
// line breaks (encoding/base64 skips them), no stray bits.
func decode(s string) ([]byte, bool) {
	if s == "" || strings.ContainsAny(s, "\r\n") {
		return nil, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return b, err == nil
}
