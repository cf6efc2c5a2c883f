// Package signing reads the keys that agentauth signs JWTs by, and publishes their
// public halves. It is the one place that reads private keys of policies.
//
// Errors say what is wrong with a key and nothing of what it holds.
package signing

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// Key is a private key.
type Key struct {
	signer crypto.Signer
	alg    jose.SignatureAlgorithm
}

// Parse reads one private key in PEM.
func Parse(data []byte) (*Key, error) {
	der, err := block(data, "a private key")
	if err != nil {
		return nil, err
	}
	key, ok := readPrivate(der).(crypto.Signer)
	if !ok {
		return nil, errors.New("expected a private key of P-256, P-384, Ed25519 or RSA in PEM (PKCS #8, SEC 1 or PKCS #1), got one that cannot be read, or of another kind")
	}
	alg, err := algorithmOf(key.Public(), "a private key")
	if err != nil {
		return nil, err
	}
	return &Key{key, alg}, nil
}

// block is the content of the one block of PEM, which is what.
func block(data []byte, what string) ([]byte, error) {
	found, rest := pem.Decode(data)
	if found != nil && found.Type == "EC PARAMETERS" { // openssl ecparam -genkey
		found, rest = pem.Decode(rest)
	}
	switch {
	case found == nil:
		return nil, errors.New("expected " + what + " in PEM")
	case found.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(found.Headers["Proc-Type"], "ENCRYPTED"):
		return nil, errors.New("expected " + what + " without a password, got one that is encrypted: write it as openssl pkey -in FILE -out PLAIN does")
	case strings.TrimSpace(string(rest)) != "":
		return nil, errors.New("expected " + what + " and nothing behind it, got more: keep one key in an entry")
	}
	return found.Bytes, nil
}

// readPrivate is nil for what is no private key.
func readPrivate(der []byte) any {
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

// algorithmOf is the usual algorithm of a key, which is what.
func algorithmOf(public crypto.PublicKey, what string) (jose.SignatureAlgorithm, error) {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return jose.ES256, nil
		case elliptic.P384():
			return jose.ES384, nil
		}
	case ed25519.PublicKey:
		return jose.EdDSA, nil
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < 2048 || bits > 4096 {
			return "", errors.New("expected " + what + " of RSA of 2048 to 4096 bits, got another size")
		}
		return jose.RS256, nil
	}
	return "", errors.New("expected " + what + " of P-256, P-384, Ed25519 or RSA, got one of another kind")
}

// Algorithm is what the key signs by.
func (k *Key) Algorithm() string { return string(k.alg) }

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

// Slow says that a signature takes a hundred microseconds or more: it is made in
// somebody's turn.
func (k *Key) Slow() bool { return k.alg != jose.ES256 && k.alg != jose.EdDSA }

// Sign makes a JWT of claims. id is its `kid`, "" for none.
func (k *Key) Sign(claims []byte, id string) (string, error) {
	options := (&jose.SignerOptions{}).WithType("JWT")
	if id != "" {
		options = options.WithHeader("kid", id)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: k.alg, Key: k.signer}, options)
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}
