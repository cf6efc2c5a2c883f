package jwks

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
)

// Remote is a set that is fetched and kept fresh. One goroutine does all the
// fetching; lookups read an atomic value, and wait only for a key that is not
// there.
//
//   - Refreshed every 5 min, which Cache-Control can shorten to 1 min; 1 min
//     after a refresh that failed.
//   - Without keys, fetched every 10 s. Lookups wait for the first attempt; after
//     it they are unavailable at once.
//   - An unknown kid refreshes at most once in 10 s. The lookup waits for it, as
//     do others meanwhile; then, and in between, it is ErrUnknownKey.
//   - The last good keys serve for 24 h after they were fetched.
type Remote struct {
	config  Config
	held    atomic.Pointer[held]
	start   sync.Once
	kick    chan struct{} // a flight was asked for
	ready   chan struct{}
	tried   sync.Once // closes ready
	closing context.Context
	close   context.CancelFunc

	mu     sync.Mutex // never held across I/O
	flight *flight    // asked for or under way
	asked  time.Time  // when an unknown kid last asked for one
	next   time.Time  // when the next one starts by itself
	status Status
}

// Status tells an operator how a Remote is doing.
type Status struct {
	Keys    int       // held, whatever their age
	Success time.Time // when they were fetched; zero if never
	Attempt time.Time // when the last attempt ended; zero if there was none

	// Error is why the last attempt failed, "" if it did not. It holds nothing
	// that was fetched.
	Error string

	// Warnings are for the keys of the last good set that are not used.
	Warnings []authz.Problem
}

// held are good keys and when they came.
type held struct {
	*index
	at time.Time
}

// flight is one refresh, for all who wait for it.
type flight struct {
	asked bool // by a lookup, and so started after it
	done  chan struct{}
}

// NewRemote returns a set that does nothing before Start or the first Lookup.
func NewRemote(c Config) *Remote {
	closing, cancel := context.WithCancel(context.Background())
	return &Remote{
		config:  c,
		kick:    make(chan struct{}, 1),
		ready:   make(chan struct{}),
		closing: closing,
		close:   cancel,
	}
}

// Start begins to fetch, in the background.
func (r *Remote) Start() { r.start.Do(func() { go r.run() }) }

// Close ends the background work. Keys that are held still answer lookups, so
// that requests under way can end.
func (r *Remote) Close() {
	r.close()
	r.settle()
}

// Ready is closed once the first attempt has ended, well or not, or on Close.
func (r *Remote) Ready() <-chan struct{} { return r.ready }

func (r *Remote) settle() { r.tried.Do(func() { close(r.ready) }) }

// Status is how things stand.
func (r *Remote) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

// Lookup implements Set.
func (r *Remote) Lookup(ctx context.Context, kid, alg string) ([]Key, error) {
	r.Start()
	now := r.fresh()
	if now == nil {
		select {
		case <-r.ready:
		case <-ctx.Done():
			return nil, r.unavailable(ctx.Err())
		}
		if now = r.fresh(); now == nil {
			return nil, r.unavailable(nil)
		}
	}
	if keys := now.find(kid, alg); len(keys) > 0 {
		return keys, nil
	}
	return r.lookupRefreshed(ctx, kid, alg)
}

// lookupRefreshed waits for what is under way, and then for a refresh that
// started after it asked, if one is due.
func (r *Remote) lookupRefreshed(ctx context.Context, kid, alg string) ([]Key, error) {
	for {
		f := r.board()
		if f == nil {
			return nil, ErrUnknownKey
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, r.unavailable(ctx.Err())
		case <-r.closing.Done():
			return nil, ErrUnknownKey
		}
		now := r.fresh()
		if now == nil {
			return nil, r.unavailable(nil)
		}
		if keys := now.find(kid, alg); len(keys) > 0 {
			return keys, nil
		}
		if f.asked {
			return nil, ErrUnknownKey
		}
	}
}

// board joins the flight there is, or asks for one if that may be.
func (r *Remote) board() *flight {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.flight != nil {
		return r.flight
	}
	if r.closing.Err() != nil || !r.asked.IsZero() && time.Since(r.asked) < askAgain {
		return nil
	}
	r.asked = time.Now()
	r.flight = &flight{asked: true, done: make(chan struct{})}
	select {
	case r.kick <- struct{}{}:
	default: // one kick is enough: the loop looks for a flight
	}
	return r.flight
}

// fresh are the keys that may verify, nil if there are none.
func (r *Remote) fresh() *held {
	now := r.held.Load()
	if now == nil || time.Since(now.at) >= keepWithout {
		return nil
	}
	return now
}

var errNotFetched = errors.New("no keys were fetched yet")

// unavailable has the reason why the last attempt failed, if no other is given.
func (r *Remote) unavailable(reason error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if reason == nil {
		reason = errNotFetched
		if r.status.Error != "" {
			reason = errors.New(r.status.Error)
		}
	}
	wait := time.Until(r.next).Round(time.Second)
	return &UnavailableError{RetryAfter: min(max(wait, time.Second), retryWithout), Err: reason}
}
