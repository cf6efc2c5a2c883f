package signing

import (
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"errors"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
)

// Public is a public key that verifies.
type Public struct{ jwk jose.JSONWebKey }

// ID is the `kid` of the key: its thumbprint (RFC 7638).
func (p Public) ID() string { return p.jwk.KeyID }

// Public is the public half of the key.
func (k *Key) Public() (Public, error) { return published(k.signer.Public(), k.alg) }

func published(key crypto.PublicKey, alg jose.SignatureAlgorithm) (p Public, err error) {
	p.jwk = jose.JSONWebKey{Key: key, Algorithm: string(alg), Use: "sig"}
	thumbprint, err := p.jwk.Thumbprint(crypto.SHA256)
	p.jwk.KeyID = base64.RawURLEncoding.EncodeToString(thumbprint)
	return p, err
}

// ParsePublic reads one key in PEM, public or private, for its public half.
func ParsePublic(data []byte) (p Public, err error) {
	const what = "a private key or a public key"
	der, err := block(data, what)
	if err != nil {
		return p, err
	}
	public, err := x509.ParsePKIXPublicKey(der)
	if key, ok := readPrivate(der).(crypto.Signer); ok {
		public, err = key.Public(), nil
	}
	if err != nil {
		return p, errors.New("expected " + what + " of P-256, P-384, Ed25519 or RSA in PEM, got one that cannot be read, or of another kind")
	}
	alg, err := algorithmOf(public, what)
	if err != nil {
		return p, err
	}
	return published(public, alg)
}

// Set is the JWK Set of keys, each of them once.
func Set(keys []Public) []byte {
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, k := range keys {
		if len(set.Key(k.ID())) == 0 {
			set.Keys = append(set.Keys, k.jwk)
		}
	}
	out, err := json.Marshal(set)
	if err != nil { // of keys that were read: a defect
		return nil
	}
	return out
}
