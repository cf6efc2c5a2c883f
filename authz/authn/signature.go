package authn

import (
	"context"
	"errors"

	"github.com/go-jose/go-jose/v4"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/jwks"
	"github.com/agentauth-dev/agentauth/authz/limit"
)

// verify checks the signature with the policy's keys. Nothing of what
// go-jose reads in the token is used: the claims are those of ParseToken.
func (j *JWT) verify(ctx context.Context, t *Token) error {
	keys, err := j.candidates(ctx, t)
	if err != nil {
		return err
	}
	if t.Algorithm != "ES384" && t.Algorithm != "ES512" {
		return verifyWith(t, keys)
	}
	// These take a hundred times longer than ES256.
	result := make(chan error, 1)
	err = j.Slow.Do(ctx, j.Tenant, func() { result <- verifyWith(t, keys) })
	switch {
	case err == nil:
		return <-result
	case errors.Is(err, limit.ErrOverloaded):
		return &Unavailable{Reason: authz.Overloaded, Detail: "too many slow signatures are waiting to be checked for this policy"}
	default:
		return &Unavailable{Reason: authz.Unavailable, Detail: "the signature could not be checked in time"}
	}
}

func (j *JWT) candidates(ctx context.Context, t *Token) ([]any, error) {
	if j.Secret != nil {
		return []any{j.Secret}, nil
	}
	found, err := j.Keys.Lookup(ctx, t.KeyID, t.Algorithm)
	var down *jwks.UnavailableError
	switch {
	case err == nil:
	case errors.Is(err, jwks.ErrUnknownKey):
		return nil, reject(authz.KeyUnknown, "the issuer has no key with the token's kid and algorithm")
	case errors.As(err, &down):
		return nil, &Unavailable{Reason: authz.Unavailable, RetryAfter: down.RetryAfter, Detail: down.Error()}
	default:
		return nil, &Unavailable{Reason: authz.Unavailable, Detail: "the issuer's keys could not be had in time"}
	}
	keys := make([]any, len(found))
	for i, k := range found {
		keys[i] = k.Public
	}
	return keys, nil
}

// verifyWith verifies the signature with the first key that fits. Only the
// token's algorithm is admitted, and the policy accepts that one.
func verifyWith(t *Token, keys []any) error {
	algorithms := []jose.SignatureAlgorithm{jose.SignatureAlgorithm(t.Algorithm)}
	jws, err := jose.ParseSignedCompact(t.Raw, algorithms)
	if err == nil {
		for _, key := range keys {
			if _, err := jws.Verify(key); err == nil {
				return nil
			}
		}
	}
	return reject(authz.SignatureInvalid, "no key of the issuer verifies the signature")
}
