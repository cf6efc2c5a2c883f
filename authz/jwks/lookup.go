package jwks

import (
	"context"
	"errors"
	"time"
)

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
