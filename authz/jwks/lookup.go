package jwks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/agentauth-dev/agentauth/authz/work"
)

// maxWait is how long a lookup waits for keys.
const maxWait = time.Second

var (
	errNotFetched = errors.New("no keys were fetched yet")
	errCrowded    = fmt.Errorf("%w, and as many requests wait for them as may: %d for one set, %d for all sets", errNotFetched, maxWaitersPerSet, maxWaiters)
)

// Lookup implements Set.
func (r *Remote) Lookup(ctx context.Context, kid, alg string) ([]Key, error) {
	r.Start()
	if now := r.fresh(); now != nil {
		if keys := now.find(kid, alg); len(keys) > 0 {
			return keys, nil
		}
	}
	return r.lookupMissing(ctx, func(now *held) []Key { return now.find(kid, alg) })
}

// Renewed implements Set. What is held may be newer than what was tried.
func (r *Remote) Renewed(ctx context.Context, kid, alg string, tried []Key) ([]Key, error) {
	r.Start()
	find := func(now *held) []Key { return now.findBeside(tried, kid, alg) }
	if now := r.fresh(); now != nil {
		if keys := find(now); len(keys) > 0 {
			return keys, nil
		}
	}
	return r.lookupMissing(ctx, find)
}

// lookupMissing looks for a key that is not held. It waits for the refresh under
// way, if any, and then for one of its own, if a lookup may ask for one.
func (r *Remote) lookupMissing(ctx context.Context, find func(*held) []Key) ([]Key, error) {
	due := r.want()
	if due == nil {
		return r.last(find)
	}
	place := work.Part{Tenant: r.tenant(), Amount: 1}
	if !r.enter(place) {
		r.giveUp(due)
		return nil, r.missing(errCrowded)
	}
	defer r.leave(place)
	patience := time.NewTimer(maxWait)
	defer patience.Stop()
	for ; due != nil; due = r.want() {
		since := time.Now()
		err := r.wait(ctx, due, patience.C)
		r.config.Shared.Waited.Tell(ctx, "keys", cmp.Or(r.config.Issuer, r.config.URL), since, err)
		if err != nil {
			r.giveUp(due)
			return nil, err
		}
		if now := r.fresh(); now != nil {
			if keys := find(now); len(keys) > 0 {
				return keys, nil
			}
		}
		if due.asked {
			break
		}
	}
	return r.last(find)
}

// last looks once more: a refresh may have ended since.
func (r *Remote) last(find func(*held) []Key) ([]Key, error) {
	now := r.fresh()
	if now == nil {
		return nil, r.unavailable(nil)
	}
	if keys := find(now); len(keys) > 0 {
		return keys, nil
	}
	return nil, ErrUnknownKey
}

// enter reports whether one more lookup may wait; if so, leave must follow.
func (r *Remote) enter(place work.Part) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting == maxWaitersPerSet || !r.config.Shared.waiters.Exchange(work.Part{}, place) {
		return false
	}
	r.waiting++
	return true
}

func (r *Remote) leave(place work.Part) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting--
	r.config.Shared.waiters.Exchange(place, work.Part{})
}

// wait returns nil if the refresh ended first. Who has no time left may not say
// that a key is unknown.
func (r *Remote) wait(ctx context.Context, due *refresh, patience <-chan time.Time) error {
	select {
	case <-due.done:
		return nil
	case <-ctx.Done():
		return r.unavailable(ctx.Err())
	case <-patience:
	case <-r.closing.Done():
	}
	if end, ok := ctx.Deadline(); ok && !time.Now().Before(end) {
		return r.unavailable(context.DeadlineExceeded)
	}
	return r.missing(nil)
}

// want returns the refresh that a lookup may wait for, and asks for one if none
// is under way. If that has to be later, or if the provider failed and no keys
// are held, want returns nil, and the set remembers that it has to be.
func (r *Remote) want() *refresh {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	switch tried := !r.status.Attempt.IsZero(); {
	case r.closing.Err() != nil:
		return nil
	case tried && r.fresh() == nil:
		r.lastMiss = now
		r.remember()
		return nil
	case r.refresh != nil:
		return r.refresh
	case now.Before(r.askable):
		r.remember()
		return nil
	}
	r.refresh = newRefresh(true)
	r.wakeUp()
	return r.refresh
}

// giveUp remembers that a lookup did not wait for the end of a refresh that began
// before it.
func (r *Remote) giveUp(due *refresh) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !due.asked && r.fresh() != nil {
		r.remember()
	}
}

func (r *Remote) remember() {
	if !r.wanted {
		r.wanted = true
		r.wakeUp()
	}
}

func (r *Remote) wakeUp() {
	select {
	case r.wake <- struct{}{}:
	default: // run is about to look anyway
	}
}

// missing is the error of a lookup whose key is not held. Why tells more than the
// last attempt did, where no keys are held; nil: nothing more.
func (r *Remote) missing(why error) error {
	if r.fresh() != nil {
		return ErrUnknownKey
	}
	return r.unavailable(why)
}

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
	wait := time.Until(r.dueAt()).Round(time.Second)
	return &UnavailableError{RetryAfter: min(max(wait, time.Second), retryWithout), Err: reason}
}
