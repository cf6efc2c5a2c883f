package password

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/agentauth-dev/agentauth/authz/keyed"
	"github.com/agentauth-dev/agentauth/authz/limit"
)

// Options of a Verifier; the zero value has the defaults.
type Options struct {
	// Remember is how long a verified password is not hashed again. Default
	// 60s; below 0: never remembered.
	Remember time.Duration
	// Entries is how many verified passwords are remembered at most; the oldest
	// makes room. Default, and below 1: 10,000.
	Entries int
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// Verifier checks passwords for any number of goroutines and tables. The zero
// Verifier, and one without a Limiter, verify nobody.
type Verifier struct {
	limiter *limit.Limiter
	good    *verified
	match   func(hash, []byte) bool
}

// New makes a Verifier that hashes within limiter, which others may share.
func New(limiter *limit.Limiter, o Options) *Verifier {
	if o.Remember == 0 {
		o.Remember = 60 * time.Second
	}
	if o.Entries < 1 {
		o.Entries = 10_000
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Verifier{
		limiter: limiter,
		good:    &verified{ttl: o.Remember, max: o.Entries, now: o.Now, until: map[keyed.Digest]time.Time{}},
		match:   hash.match,
	}
}

// Verify returns nil only if pass is the password of user in users. Other
// results are ErrUnknownUser, ErrMismatch, ErrOverloaded and ctx.Err(); only
// the first two say something about the credential, match them with errors.Is.
//
// An unknown user, and a password that is refused for its form, cost as much
// as a wrong password. A hash waits for its turn among tenants; a remembered
// password, and a Plain table, do not wait. When ctx ends during a hash Verify
// returns at once; the hash goes on in its slot, and a password that it matches
// is remembered. pass is not kept after Verify returned.
func (v *Verifier) Verify(ctx context.Context, tenant string, users *Users, user string, pass []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if v.limiter == nil {
		return ErrOverloaded
	}
	e, known := users.find(user)
	if e == nil {
		return ErrUnknownUser
	}
	refusal := checkForm(pass, e.hash.longest())
	if refusal != nil {
		pass = []byte("a password of usual length")
	}
	matched, err := v.check(ctx, tenant, e, pass, known && refusal == nil)
	switch {
	case err != nil:
		return err
	case !known:
		return ErrUnknownUser
	case refusal != nil:
		return fmt.Errorf("%w: %w", ErrMismatch, refusal)
	case !matched:
		return ErrMismatch
	}
	return nil
}

// check says whether pass is the password of e. A password that is not eligible
// costs as much, and the answer is no.
func (v *Verifier) check(ctx context.Context, tenant string, e *entry, pass []byte, eligible bool) (bool, error) {
	if h, ok := e.hash.(plain); ok {
		return v.match(h, pass) && eligible, nil
	}
	key := keyed.Of("verified", e.id[:], pass)
	if eligible && v.good.has(key) {
		return true, nil
	}
	pass = bytes.Clone(pass) // the hash may outlive this call
	matched := false
	err := v.limiter.Do(ctx, tenant, func() {
		defer clear(pass)
		// Many requests of one client wait here when its digest runs out: the
		// first hash answers for all of them.
		matched = eligible && v.good.has(key)
		if matched {
			return
		}
		matched = v.match(e.hash, pass) && eligible
		if matched {
			v.good.add(key)
		}
	})
	if err != nil {
		return false, err // and matched may still be written
	}
	return matched, nil
}

// verified holds digests of users with their passwords, after the password was
// verified, for the time ttl. It is bounded; the oldest digest makes room. A
// password that is used all the time is still hashed anew after ttl.
type verified struct {
	ttl time.Duration
	max int
	now func() time.Time

	mu    sync.Mutex
	until map[keyed.Digest]time.Time
	order []keyed.Digest // oldest first, each once
}

func (v *verified) has(d keyed.Digest) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	until, ok := v.until[d]
	return ok && v.now().Before(until)
}

func (v *verified) add(d keyed.Digest) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.now()
	for len(v.order) > 0 && !now.Before(v.until[v.order[0]]) {
		v.forgetOldest()
	}
	if _, ok := v.until[d]; ok {
		return
	}
	if len(v.order) >= v.max {
		v.forgetOldest()
	}
	v.until[d] = now.Add(v.ttl)
	v.order = append(v.order, d)
}

func (v *verified) forgetOldest() {
	delete(v.until, v.order[0])
	v.order = v.order[1:]
}
