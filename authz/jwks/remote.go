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
// fetching. A lookup reads an atomic value; it waits only if its key is not
// held.
//
//   - Keys are refreshed every 5 min, which Cache-Control can shorten to 1 min,
//     and 1 min after a refresh that failed.
//   - While no keys are held, they are fetched every 10 s. Lookups wait for the
//     first attempt; later ones are unavailable at once.
//   - An unknown kid makes a refresh at most once in 10 s. All lookups of unknown
//     kids wait for that refresh. In between the answer is ErrUnknownKey.
//   - The last good keys serve for 24 h after they were fetched.
type Remote struct {
	config  Config
	held    atomic.Pointer[held]
	start   sync.Once
	wake    chan struct{} // a lookup asked for a refresh
	ready   chan struct{}
	tried   sync.Once // closes ready
	closing context.Context
	close   context.CancelFunc

	mu      sync.Mutex // never held across I/O
	refresh *refresh   // asked for or under way; nil if there is none
	asked   time.Time  // when an unknown kid last asked for a refresh
	next    time.Time  // when the timer starts the next refresh
	status  Status
}

// Status is the state of a Remote, for an operator.
type Status struct {
	Keys    int       // how many are held, whatever their age
	Success time.Time // when they were fetched; zero if never
	Attempt time.Time // when the last attempt ended; zero if there was none

	// Error is why the last attempt failed, "" if it succeeded. It holds nothing
	// that was fetched.
	Error string

	// Warnings are for the keys of the last good set that are not used.
	Warnings []authz.Problem
}

// held are good keys and when they were fetched.
type held struct {
	*index
	at time.Time
}

// refresh is one fetch of the keys. Several lookups can wait for it.
type refresh struct {
	asked bool // a lookup asked for it, so it starts after that lookup
	done  chan struct{}
}

// NewRemote returns a set that does nothing before Start or the first Lookup.
func NewRemote(c Config) *Remote {
	closing, cancel := context.WithCancel(context.Background())
	return &Remote{
		config:  c,
		wake:    make(chan struct{}, 1),
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
	r.markReady()
}

// Ready is closed when the first attempt has ended, well or not, and on Close.
func (r *Remote) Ready() <-chan struct{} { return r.ready }

func (r *Remote) markReady() { r.tried.Do(func() { close(r.ready) }) }

// Status returns the current status.
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

// lookupRefreshed looks for a key that is not held. It waits for the refresh
// under way, if any, and then for one of its own, if one is due.
func (r *Remote) lookupRefreshed(ctx context.Context, kid, alg string) ([]Key, error) {
	for {
		due := r.joinRefresh()
		if due == nil {
			return nil, ErrUnknownKey
		}
		select {
		case <-due.done:
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
		if due.asked {
			return nil, ErrUnknownKey
		}
	}
}

// joinRefresh returns the refresh that is asked for or under way. If there is
// none, joinRefresh asks for one, at most once in askAgain; else it returns nil.
func (r *Remote) joinRefresh() *refresh {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refresh != nil {
		return r.refresh
	}
	if r.closing.Err() != nil || !r.asked.IsZero() && time.Since(r.asked) < askAgain {
		return nil
	}
	r.asked = time.Now()
	r.refresh = &refresh{asked: true, done: make(chan struct{})}
	select {
	case r.wake <- struct{}{}:
	default: // run is about to look for r.refresh anyway
	}
	return r.refresh
}

// fresh returns the held keys unless they are too old; nil if there are none.
func (r *Remote) fresh() *held {
	now := r.held.Load()
	if now == nil || time.Since(now.at) >= keepWithout {
		return nil
	}
	return now
}

var errNotFetched = errors.New("no keys were fetched yet")

// unavailable is the error of a lookup. Without a reason it tells why the last
// attempt failed.
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
