package jwks

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// Remote is a set that is fetched and kept fresh. One goroutine does all the
// fetching. A lookup reads an atomic value; it waits only if its key is not
// held.
//
//   - Keys are refreshed every 5 min, which Cache-Control can shorten to 1 min,
//     and 1 min after a refresh that failed.
//   - A set without keys is fetched again after 10 s. If it never had any, the
//     times grow from there to 5 min. Lookups wait for the first attempt; later
//     ones are unavailable at once, and let the next attempt be after 10 s again.
//   - A lookup of an unknown kid, or for a signature that no held key verifies,
//     starts a refresh before its time, at most once in 10 s for all of them, and
//     waits for it. In between the answer is ErrUnknownKey at once, and the refresh
//     follows when the 10 s are over. Scheduled refreshes do not count.
//   - A lookup waits for 1 s at most, and only if there is a place for it.
//   - The last good keys serve for 24 h after they were fetched.
type Remote struct {
	config  Config
	held    atomic.Pointer[held]
	start   sync.Once
	wake    chan struct{} // a lookup wants a refresh
	ready   chan struct{}
	tried   sync.Once // closes ready
	closing context.Context
	close   context.CancelFunc

	// Only run uses these.
	known  string    // the URL of the key set, where the last fetch found it
	memory work.Part // what the held keys take

	mu       sync.Mutex // never held across I/O
	refresh  *refresh   // asked for or under way; nil if there is none
	wanted   bool       // a lookup wants a refresh that begins after it
	lastMiss time.Time  // when a lookup last found no keys at all
	askable  time.Time  // when a lookup may start the next refresh
	next     time.Time  // when the next refresh starts in any case
	failures int        // attempts that failed, one after the other
	waiting  int        // lookups
	status   Status
}

// Status is the state of a Remote, for an operator.
type Status struct {
	Keys    int       // how many are held, whatever their age
	Usable  int       // how many of them are not too old to serve
	Success time.Time // when they were fetched; zero if never
	Attempt time.Time // when the last attempt ended; zero if there was none
	Next    time.Time // when the next one is due; zero if there was no attempt

	// Error is why the last attempt failed, "" if it succeeded. It holds nothing
	// that was fetched. It stays as it is while the cause does: an address in it is
	// that of the first attempt that failed so.
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

func newRefresh(asked bool) *refresh { return &refresh{asked, make(chan struct{})} }

// NewRemote returns a set that does nothing before Start or the first Lookup.
func NewRemote(c Config) *Remote {
	if c.Shared == nil {
		c.Shared = NewShared()
	}
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
	s := r.status
	if r.fresh() != nil {
		s.Usable = s.Keys
	}
	if !s.Attempt.IsZero() {
		s.Next = r.dueAt()
	}
	return s
}

func (r *Remote) tenant() string {
	if r.config.Tenant == nil {
		return ""
	}
	return r.config.Tenant()
}

// fresh returns the held keys unless they are too old; nil if there are none.
func (r *Remote) fresh() *held {
	now := r.held.Load()
	if now == nil || time.Since(now.at) >= KeepWithout {
		return nil
	}
	return now
}
