package introspect

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
)

// assertFor is how long an assertion may be used: by the one request that it is for.
const assertFor = time.Minute

// assertionType says that a client authenticates by a JWT (RFC 7523 2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// Key signs assertions of a client: one for each request. It is of P-256, Ed25519 or
// RSA.
type Key struct {
	signer crypto.Signer
	alg    jose.SignatureAlgorithm
	// slow: a signature of RSA costs a hundred times as much as the others.
	slow bool
	id   string
	// audience is who the assertions are for.
	audience string
}

// ParseKey reads a private key in PEM. id is its `kid`, "" for none. The error never
// repeats the key.
func ParseKey(data []byte, id, audience string) (*Key, error) {
	block, rest := pem.Decode(data)
	if block != nil && block.Type == "EC PARAMETERS" { // openssl ecparam -genkey
		block, _ = pem.Decode(rest)
	}
	if block == nil {
		return nil, errors.New("expected a private key in PEM")
	}
	switch k := readKey(block.Bytes).(type) {
	case nil:
		return nil, errors.New("expected a private key of P-256, Ed25519 or RSA in PEM (PKCS #8, SEC 1 or PKCS #1), got one that cannot be read, or of another kind")
	case *ecdsa.PrivateKey:
		if k.Curve == elliptic.P256() {
			return &Key{signer: k, alg: jose.ES256, id: id, audience: audience}, nil
		}
	case ed25519.PrivateKey:
		return &Key{signer: k, alg: jose.EdDSA, id: id, audience: audience}, nil
	case *rsa.PrivateKey:
		if bits := k.N.BitLen(); bits < 2048 || bits > 4096 {
			return nil, errors.New("expected a private key of RSA of 2048 to 4096 bits, got another size")
		}
		return &Key{signer: k, alg: jose.RS256, slow: true, id: id, audience: audience}, nil
	}
	return nil, errors.New("expected a private key of P-256, Ed25519 or RSA, got one of another kind")
}

// readKey is nil for what is no private key.
func readKey(der []byte) any {
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		return key
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key
	}
	return nil
}

// SignBy chooses the algorithm, where a key has several: PS256 in place of RS256.
func (k *Key) SignBy(alg string) error {
	switch {
	case alg == string(k.alg):
	case k.alg == jose.RS256 && alg == string(jose.PS256):
		k.alg = jose.PS256
	default:
		return errors.New("expected RS256 or PS256 for a key of RSA, ES256 for one of P-256, EdDSA for one of Ed25519, got another algorithm")
	}
	return nil
}

// sign makes an assertion for one request (RFC 7523 3).
func (k *Key) sign(client string, now time.Time) (string, error) {
	options := (&jose.SignerOptions{}).WithType("JWT")
	if k.id != "" {
		options = options.WithHeader("kid", k.id)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: k.alg, Key: k.signer}, options)
	if err != nil {
		return "", err
	}
	claims, err := json.Marshal(map[string]any{
		"iss": client, "sub": client, "aud": k.audience, "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(assertFor).Unix(),
	})
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}
