// Package jwks holds the keys that tokens are verified with (RFC 7517): read
// strictly, fetched, refreshed and rotated without a request ever waiting for
// more than it has to.
//
// A [Set] is what a verifier asks. [Static] is one for keys that a policy
// holds; [Remote] is one for a JWKS URL or an issuer, found by discovery.
//
// A good set of keys is replaced by another good set only. Neither an answer
// that is no key set nor a provider that is down changes what verifies, for 24 h.
package jwks

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// maxCandidates is how many keys a token may be tried with.
const maxCandidates = 16

// Set is what a verifier asks.
type Set interface {
	// Lookup returns the keys with this `kid` that may verify alg; without a
	// kid, all that may; at most 16, in the set's order, and never none. It
	// waits for a key that is not held, no longer than ctx. The error is
	// ErrUnknownKey or an *UnavailableError.
	Lookup(ctx context.Context, kid, alg string) ([]Key, error)
}

// ErrUnknownKey says that keys are held and none of them has this kid and fits
// this algorithm: the credential is bad.
var ErrUnknownKey = errors.New("no key with this id and algorithm")

// UnavailableError says that there is nothing to decide with: no keys are held,
// or the request ended while they were asked for.
type UnavailableError struct {
	// RetryAfter is when asking again makes sense, at least 1 s.
	RetryAfter time.Duration

	// Err holds nothing that was fetched.
	Err error
}

func (e *UnavailableError) Error() string { return fmt.Sprintf("keys are unavailable: %v", e.Err) }

// Unwrap gives Err.
func (e *UnavailableError) Unwrap() error { return e.Err }

// Static is a set that never changes. It does not copy keys.
func Static(keys []Key) Set { return static{newIndex(keys)} }

type static struct{ *index }

func (s static) Lookup(_ context.Context, kid, alg string) ([]Key, error) {
	if keys := s.find(kid, alg); len(keys) > 0 {
		return keys, nil
	}
	return nil, ErrUnknownKey
}

// index answers every question without looking for anything.
type index struct {
	named map[name][]Key
	fits  map[string][]Key // by algorithm
}

type name struct{ kid, alg string }

func newIndex(keys []Key) *index {
	x := &index{map[name][]Key{}, map[string][]Key{}}
	for _, key := range keys {
		for _, alg := range key.Algorithms {
			if here := x.fits[alg]; len(here) < maxCandidates {
				x.fits[alg] = append(here, key)
			}
			if here := x.named[name{key.ID, alg}]; key.ID != "" && len(here) < maxCandidates {
				x.named[name{key.ID, alg}] = append(here, key)
			}
		}
	}
	return x
}

func (x *index) find(kid, alg string) []Key {
	if kid == "" {
		return x.fits[alg]
	}
	return x.named[name{kid, alg}]
}
