package password

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/agentauth-dev/agentauth/authz/keyed"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// Options of a Verifier; the zero value has the defaults.
type Options struct {
	// Remember is how long a verified password is not hashed again. Default
	// 60s; below 0: never remembered.
	Remember time.Duration
	// Entries is how many verified passwords are remembered at most. The oldest
	// of the namespace that has most of them makes room. Default, and below 1:
	// 10,000.
	Entries int
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// Verifier checks passwords for any number of goroutines and tables. The zero
// Verifier, and one without a Scheduler, verify nobody.
type Verifier struct {
	scheduler *work.Scheduler
	good      *verified
	match     func(hash, []byte) bool
}

// New makes a Verifier that hashes when scheduler says, which others may share.
// Its budget of memory is at least MaxMemory.
func New(scheduler *work.Scheduler, o Options) *Verifier {
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
		scheduler: scheduler,
		good:      &verified{ttl: o.Remember, max: o.Entries, now: o.Now, namespaces: map[string]*remembered{}},
		match:     hash.match,
	}
}

// Verify returns nil only if pass is the password of user in users. Other
// results are ErrUnknownUser, ErrMismatch, ErrOverloaded and ctx.Err(); only
// the first two say something about the credential, match them with errors.Is.
//
// An unknown user, and a password that is refused for its form, cost as much
// as a wrong password. A hash waits for the owner's turn; a remembered
// password, and a Plain table, do not wait. When ctx ends during a hash Verify
// returns at once; the hash goes on in its slot, and a password that it matches
// is remembered. pass is not kept after Verify returned.
func (v *Verifier) Verify(ctx context.Context, owner work.Owner, users *Users, user string, pass []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if v.scheduler == nil {
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
	matched, err := v.check(ctx, owner, e, pass, known && refusal == nil)
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
func (v *Verifier) check(ctx context.Context, owner work.Owner, e *entry, pass []byte, eligible bool) (bool, error) {
	if h, ok := e.hash.(plain); ok {
		return v.match(h, pass) && eligible, nil
	}
	key := keyed.Of("verified", e.id[:], pass)
	remembered := func() bool { return eligible && v.good.has(owner.Namespace, key) }
	if remembered() {
		return true, nil
	}
	pass = bytes.Clone(pass) // the hash may outlive this call
	task, matched := e.hash.task(), false
	task.Owner = owner
	// Many requests of one client wait here when its digest runs out: the first
	// hash answers for all of them.
	task.Needless = func() bool {
		if matched = remembered(); matched {
			clear(pass)
		}
		return matched
	}
	err := v.scheduler.Do(ctx, task, func() {
		defer clear(pass)
		matched = v.match(e.hash, pass) && eligible
		if matched {
			v.good.add(owner.Namespace, key)
		}
	})
	if err != nil {
		return false, err // and matched may still be written
	}
	return matched, nil
}
