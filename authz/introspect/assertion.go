package introspect

import (
	"crypto/rand"
	"errors"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/agentauth-dev/agentauth/authz/signing"
)

// assertFor is how long an assertion may be used: by the one request that it is for.
const assertFor = time.Minute

// assertionType says that a client authenticates by a JWT (RFC 7523 2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// Key signs assertions of a client: one for each request. It is of P-256, Ed25519 or
// RSA.
type Key struct {
	*signing.Key
	id string
	// audience is who the assertions are for.
	audience string
}

// ParseKey reads a private key in PEM. id is its `kid`, "" for none. The error never
// repeats the key.
func ParseKey(data []byte, id, audience string) (*Key, error) {
	key, err := signing.Parse(data)
	if err == nil && key.Algorithm() == "ES384" {
		err = errors.New("expected a private key of P-256, Ed25519 or RSA, got one of another kind")
	}
	if err != nil {
		return nil, err
	}
	return &Key{key, id, audience}, nil
}

// sign makes an assertion for one request (RFC 7523 3).
func (k *Key) sign(client string, now time.Time) (string, error) {
	claims, err := json.Marshal(map[string]any{
		"iss": client, "sub": client, "aud": k.audience, "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(assertFor).Unix(),
	})
	if err != nil {
		return "", err
	}
	return k.Sign(claims, k.id)
}
