package introspect

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
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

// Key signs assertions of a client. It is of P-256 or Ed25519: a signature is needed
// for each request, and one of RSA costs a hundred times as much.
type Key struct {
	signer crypto.Signer
	alg    jose.SignatureAlgorithm
	id     string
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
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		if key, err = x509.ParseECPrivateKey(block.Bytes); err != nil {
			return nil, errors.New("expected a private key of P-256 or Ed25519 in PEM (PKCS #8 or SEC 1), got one that cannot be read, or of another kind")
		}
	}
	switch k := key.(type) {
	case *ecdsa.PrivateKey:
		if k.Curve == elliptic.P256() {
			return &Key{k, jose.ES256, id, audience}, nil
		}
	case ed25519.PrivateKey:
		return &Key{k, jose.EdDSA, id, audience}, nil
	}
	return nil, errors.New("expected a private key of P-256 or Ed25519, got one of another kind")
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
