package authn

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"errors"
	"fmt"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/jwks"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// freeKeys is how many keys a token is tried with, by all methods of a policy,
// before further ones wait for their owner's turn.
const freeKeys = 2

// attempt is a key that a token was tried with.
type attempt struct {
	key any
	ok  bool
}

// verify checks the signature with the policy's keys, and returns the `kid` of the one
// that verifies it: a token need not name its key. The claims are those of
// ParseToken, of the same bytes. Only the token's algorithm is admitted, and the
// policy accepts that one.
func (j *JWT) verify(ctx context.Context, t *Token) (kid string, err error) {
	signature, readable := readSignature(t)
	if j.Secret != nil {
		if !readable {
			return "", errSignature
		}
		if ok, err := j.try(ctx, t, signature, j.Secret); ok || err != nil {
			return t.KeyID, err
		}
		return "", errSignature
	}
	keys, err := j.Keys.Lookup(ctx, t.KeyID, t.Algorithm)
	if err != nil {
		return "", noKeys(err)
	}
	if !readable { // no key verifies it, newer ones neither
		return "", errSignature
	}
	if kid, ok, err := j.tryAll(ctx, t, signature, keys); ok || err != nil {
		return kid, err
	}
	// The issuer may have other keys by now, under the same kid too.
	switch keys, err = j.Keys.Renewed(ctx, t.KeyID, t.Algorithm, keys); {
	case errors.Is(err, jwks.ErrUnknownKey):
		return "", errSignature
	case err != nil:
		return "", noKeys(err)
	}
	if kid, ok, err := j.tryAll(ctx, t, signature, keys); ok || err != nil {
		return kid, err
	}
	return "", errSignature
}

// tryAll says whether one of the keys verifies the signature, and what its kid is, or
// else that of the token.
func (j *JWT) tryAll(ctx context.Context, t *Token, signature *signature, keys []jwks.Key) (kid string, ok bool, err error) {
	for _, key := range keys {
		if ok, err = j.try(ctx, t, signature, key.Public); ok || err != nil {
			return cmp.Or(key.ID, t.KeyID), ok, err
		}
	}
	return "", false, nil
}

var errSignature = reject(authz.SignatureInvalid, "no key of the issuer verifies the signature")

// noKeys is the error of a token that there is no key for.
func noKeys(err error) error {
	var down *jwks.UnavailableError
	switch {
	case errors.Is(err, jwks.ErrUnknownKey):
		return reject(authz.KeyUnknown, "the issuer has no key with the token's kid and algorithm")
	case errors.As(err, &down):
		return &Unavailable{Reason: authz.Unavailable, RetryAfter: down.RetryAfter, Detail: down.Error()}
	}
	return &Unavailable{Reason: authz.Unavailable, Detail: "the issuer's keys could not be had in time"}
}

// try verifies the signature with one key. Methods that share a key set do not
// try a key twice.
func (j *JWT) try(ctx context.Context, t *Token, signature *signature, key any) (ok bool, err error) {
	for _, a := range t.attempts {
		if same(a.key, key) {
			return a.ok, nil
		}
	}
	if kind, slow := slowKey(key); slow || len(t.attempts) >= freeKeys {
		ok, err = inTurn(ctx, j.Scheduler, work.Task{Owner: j.Owner, Kind: kind}, signature, key)
	} else if err = ctx.Err(); err == nil {
		ok = signature.verifies(key)
	}
	if err != nil {
		return false, unchecked(err)
	}
	t.attempts = append(t.attempts, attempt{key, ok})
	return ok, nil
}

// unchecked is the error of a signature whose turn did not come.
func unchecked(err error) error {
	if errors.Is(err, work.ErrOverloaded) {
		return &Unavailable{Reason: authz.Overloaded, Detail: "too many slow signatures are waiting to be checked, or this one takes longer than the time that is left"}
	}
	return &Unavailable{Reason: authz.Unavailable, Detail: "the signature could not be checked in time"}
}

// inTurn verifies when it is the turn of the task's owner.
func inTurn(ctx context.Context, scheduler *work.Scheduler, task work.Task, signature *signature, key any) (bool, error) {
	result := make(chan bool, 1)
	err := scheduler.Do(ctx, task, func() {
		result <- signature.verifies(key)
	})
	if err != nil {
		return false, err
	}
	return <-result, nil
}

// slowKey says whether a signature of the key costs more than one of ES256, and
// what kind of work it is.
func slowKey(key any) (kind string, slow bool) {
	switch k := key.(type) {
	case *rsa.PublicKey:
		kilobits := (k.N.BitLen() + 1023) / 1024
		return fmt.Sprintf("RSA-%dk", kilobits), kilobits > 2
	case *ecdsa.PublicKey:
		size := k.Params().BitSize
		return fmt.Sprintf("ECDSA-%d", size), size > 256
	}
	return "signature", false
}

func same(a, b any) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}
