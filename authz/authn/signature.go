package authn

import (
	"context"
	"errors"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/jwks"
	"github.com/agentauth-dev/agentauth/authz/limit"
)

// verify checks the signature with the policy's keys. Keys are found before
// go-oidc is asked, since it wraps a key set's errors beyond recognition.
func (j *JWT) verify(ctx context.Context, t *Token) error {
	keys, err := j.candidates(ctx, t)
	if err != nil {
		return err
	}
	if t.Algorithm != "ES384" && t.Algorithm != "ES512" {
		return j.verifyWith(ctx, t, keys)
	}
	// These take a hundred times longer than ES256.
	result := make(chan error, 1)
	err = j.Slow.Do(ctx, j.Tenant, func() { result <- j.verifyWith(ctx, t, keys) })
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

// verifyWith is the second gate: go-oidc has the signature verified and
// compares iss. Times, audience and type are checked by us, because go-oidc
// allows no skew on exp, a fixed one on nbf, a single audience and any type.
func (j *JWT) verifyWith(ctx context.Context, t *Token, keys []any) error {
	set := &keySet{alg: jose.SignatureAlgorithm(t.Algorithm), keys: keys, issuer: t.Issuer}
	_, err := oidc.NewVerifier(j.Issuer, set, &oidc.Config{
		SupportedSigningAlgs: []string{t.Algorithm},
		SkipClientIDCheck:    true,
		SkipExpiryCheck:      true,
		SkipIssuerCheck:      j.AnyIssuer,
	}).Verify(ctx, t.Raw)
	if err != nil {
		return reject(authz.SignatureInvalid, "no key of the issuer verifies the signature")
	}
	return nil
}

// keySet hands the keys that fit to go-oidc, for one token.
type keySet struct {
	alg    jose.SignatureAlgorithm
	keys   []any
	issuer string
}

// VerifySignature verifies, and returns the one claim that go-oidc is to look
// at, as our own parse read it: the rest would pass through encoding/json,
// which folds the case of names, and its types are not the policy's.
func (s *keySet) VerifySignature(_ context.Context, raw string) ([]byte, error) {
	jws, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{s.alg})
	if err != nil {
		return nil, err
	}
	for _, key := range s.keys {
		if _, err := jws.Verify(key); err == nil {
			return json.Marshal(map[string]string{"iss": s.issuer})
		}
	}
	return nil, errors.New("no key fits")
}
