package authn

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"

	"github.com/agentauth-dev/agentauth/authz"
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

// verify checks the signature with the policy's keys. Nothing of what
// go-jose reads in the token is used: the claims are those of ParseToken. Only
// the token's algorithm is admitted, and the policy accepts that one.
func (j *JWT) verify(ctx context.Context, t *Token) error {
	keys, err := j.candidates(ctx, t)
	if err != nil {
		return err
	}
	jws, err := jose.ParseSignedCompact(t.Raw, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(t.Algorithm)})
	if err == nil {
		for _, key := range keys {
			switch ok, err := j.try(ctx, t, jws, key); {
			case err != nil:
				return err
			case ok:
				return nil
			}
		}
	}
	return reject(authz.SignatureInvalid, "no key of the issuer verifies the signature")
}

// try verifies the signature with one key. Methods that share a key set do not
// try a key twice.
func (j *JWT) try(ctx context.Context, t *Token, jws *jose.JSONWebSignature, key any) (ok bool, err error) {
	for _, a := range t.attempts {
		if same(a.key, key) {
			return a.ok, nil
		}
	}
	if kind, slow := slowKey(key); slow || len(t.attempts) >= freeKeys {
		ok, err = j.inTurn(ctx, kind, jws, key)
	} else if err = ctx.Err(); err == nil {
		_, failed := jws.Verify(key)
		ok = failed == nil
	}
	switch {
	case err == nil:
		t.attempts = append(t.attempts, attempt{key, ok})
		return ok, nil
	case errors.Is(err, work.ErrOverloaded):
		return false, &Unavailable{Reason: authz.Overloaded, Detail: "too many slow signatures are waiting to be checked, or this one takes longer than the time that is left"}
	default:
		return false, &Unavailable{Reason: authz.Unavailable, Detail: "the signature could not be checked in time"}
	}
}

// inTurn verifies when it is the owner's turn.
func (j *JWT) inTurn(ctx context.Context, kind string, jws *jose.JSONWebSignature, key any) (bool, error) {
	result := make(chan bool, 1)
	err := j.Scheduler.Do(ctx, work.Task{Owner: j.Owner, Kind: kind}, func() {
		_, failed := jws.Verify(key)
		result <- failed == nil
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
