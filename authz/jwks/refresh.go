package jwks

import (
	"context"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// run fetches until Close: at once, then when it is time or somebody asks.
func (r *Remote) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		var f *flight
		select {
		case <-r.closing.Done():
			return
		case <-timer.C:
			f = r.takeOff(true)
		case <-r.kick:
			f = r.takeOff(false) // nil if the timer's flight took it along
		}
		if f != nil {
			timer.Reset(r.fly(f))
		}
	}
}

func (r *Remote) takeOff(unasked bool) *flight {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing.Err() != nil {
		return nil
	}
	if r.flight == nil && unasked {
		r.flight = &flight{done: make(chan struct{})}
	}
	return r.flight
}

// fly fetches once and returns when to do so again.
func (r *Remote) fly(f *flight) time.Duration {
	ctx, cancel := context.WithTimeout(r.closing, refreshDeadline)
	defer cancel()
	status := Status{}
	answer, err := r.config.load(ctx)
	if err == nil {
		var keys []Key
		if keys, status.Warnings, err = Parse(answer.Body); err == nil {
			status.Keys, status.Success = len(keys), time.Now()
			r.held.Store(&held{newIndex(keys), status.Success})
		}
	}
	wait := r.wait(answer, err)
	r.land(f, status, wait, err)
	return wait
}

func (r *Remote) wait(answer Answer, err error) time.Duration {
	switch {
	case err == nil:
		return untilRefresh(answer.CacheControl)
	case r.fresh() != nil:
		return refreshSoonest
	}
	return retryWithout
}

// land publishes the outcome before anyone who waits goes on.
func (r *Remote) land(f *flight, status Status, wait time.Duration, err error) {
	r.mu.Lock()
	if err != nil { // of the keys that are still held, the rest stays true
		status = r.status
		status.Error = err.Error()
	}
	status.Attempt = time.Now()
	r.status, r.next, r.flight = status, status.Attempt.Add(wait), nil
	r.mu.Unlock()
	close(f.done)
	r.settle()
}

const (
	refreshEvery    = 5 * time.Minute
	refreshJitter   = 30 * time.Second
	refreshSoonest  = time.Minute      // what Cache-Control can shorten that to; also after a failure
	retryWithout    = 10 * time.Second // no keys are held
	askAgain        = 10 * time.Second // between refreshes for unknown keys
	keepWithout     = 24 * time.Hour   // how long the last good keys serve
	refreshDeadline = 5 * time.Second  // discovery and keys together
)

// untilRefresh is when good keys are fetched again: a little earlier than
// they might, so that replicas which started together drift apart.
func untilRefresh(cacheControl string) time.Duration {
	wait := refreshEvery
	if age, ok := maxAge(cacheControl); ok {
		wait = min(wait, age)
	}
	return max(wait-rand.N(refreshJitter), refreshSoonest) // #nosec G404 -- jitter
}

// maxAge reads what RFC 9111 section 5.2.2 has to say of storing an answer.
func maxAge(cacheControl string) (age time.Duration, ok bool) {
	for directive := range strings.SplitSeq(cacheControl, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch strings.ToLower(name) {
		case "no-store", "no-cache":
			return 0, true
		case "max-age":
			seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31)
			if err == nil && (!ok || time.Duration(seconds)*time.Second < age) {
				age, ok = time.Duration(seconds)*time.Second, true
			}
		}
	}
	return age, ok
}
