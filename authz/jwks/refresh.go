package jwks

import (
	"context"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

const (
	refreshEvery    = 5 * time.Minute
	refreshJitter   = 30 * time.Second
	refreshSoonest  = time.Minute      // the least that Cache-Control can ask for; also after a failure
	retryWithout    = 10 * time.Second // while no keys are held
	askAgain        = 10 * time.Second // between refreshes for unknown keys
	keepWithout     = 24 * time.Hour   // how long the last good keys serve
	refreshDeadline = 5 * time.Second  // discovery and keys together
)

// run refreshes until Close: at once, then by the timer or for a lookup.
func (r *Remote) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		var due *refresh
		select {
		case <-r.closing.Done():
			return
		case <-timer.C:
			due = r.dueRefresh(true)
		case <-r.wake:
			due = r.dueRefresh(false) // nil if the timer's refresh was the lookup's too
		}
		if due != nil {
			timer.Reset(r.do(due))
		}
	}
}

// dueRefresh returns the refresh that lookups wait for. By the timer there is
// one in any case.
func (r *Remote) dueRefresh(byTimer bool) *refresh {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing.Err() != nil {
		return nil
	}
	if r.refresh == nil && byTimer {
		r.refresh = &refresh{done: make(chan struct{})}
	}
	return r.refresh
}

// do fetches the keys once and returns the time until the next refresh.
func (r *Remote) do(due *refresh) time.Duration {
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
	r.finish(due, status, wait, err)
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

// finish publishes the outcome before the waiting lookups go on.
func (r *Remote) finish(due *refresh, status Status, wait time.Duration, err error) {
	r.mu.Lock()
	if err != nil { // the rest of the status describes the keys that are still held
		status = r.status
		status.Error = err.Error()
	}
	status.Attempt = time.Now()
	r.status, r.next, r.refresh = status, status.Attempt.Add(wait), nil
	r.mu.Unlock()
	close(due.done)
	r.markReady()
}

// untilRefresh is the time until good keys are fetched again. It is a little
// random, so that replicas which started together drift apart.
func untilRefresh(cacheControl string) time.Duration {
	wait := refreshEvery
	if age, ok := maxAge(cacheControl); ok {
		wait = min(wait, age)
	}
	return max(wait-rand.N(refreshJitter), refreshSoonest) // #nosec G404 -- jitter
}

// maxAge is how long an answer may be stored (RFC 9111 section 5.2.2).
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
