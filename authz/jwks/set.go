// Package jwks holds the key sets that verify tokens (RFC 7517).
//
// [Parse] reads a key set strictly. A [Set] finds keys for a token: [Static]
// holds keys that a policy contains or refers to; [Remote] fetches the keys of a
// URL or an issuer, refreshes them, and follows their rotation.
//
// Only a good key set replaces a good key set. If the provider is down, or
// answers with anything else, the last good keys serve for 24 h.
package jwks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// maxCandidates is how many keys a token may be tried with. Of more keys that fit,
// the first of the set are.
const maxCandidates = 16

// Set finds the keys that can verify a token.
type Set interface {
	// Lookup returns the keys with this `kid` that may verify alg; if there is none,
	// those without kid that may (a kid is a hint, RFC 7515 section 4.1.4); if kid is
	// "", all keys that may. They are at least 1 and at most 16, in the set's order.
	// Lookup may wait for a key that is not held, for a second at most. The error is
	// ErrUnknownKey or an *UnavailableError.
	Lookup(ctx context.Context, kid, alg string) ([]Key, error)

	// Renewed is Lookup for a token that none of the keys tried verifies: a provider
	// may have new keys without kid, or under the same one (RFC 7517 section 4.5).
	// It returns keys that are not among those tried. It waits as Lookup does, and
	// what it makes a provider do has the same bound.
	Renewed(ctx context.Context, kid, alg string, tried []Key) ([]Key, error)
}

// ErrUnknownKey says that keys are held and none of them may verify the token: the
// credential is bad.
var ErrUnknownKey = errors.New("no key with this id and algorithm")

// UnavailableError says that the token cannot be verified now: no keys are
// held, or ctx ended while Lookup waited.
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

func (static) Renewed(context.Context, string, string, []Key) ([]Key, error) {
	return nil, ErrUnknownKey
}

// index finds keys by kid and algorithm.
type index struct {
	named map[name][]Key   // those without a kid as well
	fits  map[string][]Key // by algorithm
	// fingerprint is that of all keys; told: they have one.
	fingerprint Fingerprint
	told        bool
}

type name struct{ kid, alg string }

func newIndex(keys []Key) *index {
	x := &index{named: map[name][]Key{}, fits: map[string][]Key{}}
	x.fingerprint, x.told = fingerprint(keys)
	for _, key := range keys {
		for _, alg := range key.Algorithms {
			if here := x.fits[alg]; len(here) < maxCandidates {
				x.fits[alg] = append(here, key)
			}
			if here := x.named[name{key.ID, alg}]; len(here) < maxCandidates {
				x.named[name{key.ID, alg}] = append(here, key)
			}
		}
	}
	return x
}

func (x *index) find(kid, alg string) []Key {
	alg = Algorithm(alg)
	if kid == "" {
		return x.fits[alg]
	}
	if keys := x.named[name{kid, alg}]; len(keys) > 0 {
		return keys
	}
	return x.named[name{"", alg}]
}

// findBeside is find without keys that were tried.
func (x *index) findBeside(tried []Key, kid, alg string) []Key {
	var out []Key
	for _, key := range x.find(kid, alg) {
		if !slices.ContainsFunc(tried, func(t Key) bool { return t.Thumbprint == key.Thumbprint }) {
			out = append(out, key)
		}
	}
	return out
}
