package jwks

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/work"
)

const (
	refreshEvery   = 5 * time.Minute
	refreshJitter  = 30 * time.Second
	refreshSoonest = time.Minute      // the least that Cache-Control can ask for; also after a failure
	retryWithout   = 10 * time.Second // while no keys are held
	retrySeldom    = 5 * time.Minute  // where no keys were ever held, after some failures
	askAgain       = 10 * time.Second // between refreshes for unknown keys
	missedLately   = 10 * time.Minute // how long a lookup keeps a set from being tried seldom
)

// KeepWithout is how long the last good keys serve.
const KeepWithout = 24 * time.Hour

// run refreshes until Close: at once, then when it is time or for a lookup.
func (r *Remote) run() {
	defer func() { r.config.Shared.memory.Exchange(r.memory, work.Part{}) }()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-r.closing.Done():
			return
		case <-timer.C:
		case <-r.wake:
		}
		due, turn := r.begin()
		if due != nil {
			r.do(due, turn)
		}
		timer.Reset(time.Until(r.nextDue()))
	}
}

// begin returns the refresh that is due; nil if none is.
func (r *Remote) begin() (*refresh, Turn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if r.closing.Err() != nil || r.refresh == nil && now.Before(r.dueAt()) {
		return nil, Turn{}
	}
	if r.refresh == nil {
		r.refresh = newRefresh(r.wanted)
	}
	r.wanted = false
	never := r.held.Load() == nil
	return r.refresh, Turn{Tenant: r.tenant(), Asked: now.Before(r.next), Last: never && r.failures > 0}
}

func (r *Remote) nextDue() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dueAt()
}

// dueAt is when the next refresh is due. It is called with mu held.
func (r *Remote) dueAt() time.Time {
	if r.wanted && r.askable.Before(r.next) {
		return r.askable
	}
	return r.next
}

// do fetches the keys once, and publishes the outcome before the waiting lookups
// go on.
func (r *Remote) do(due *refresh, turn Turn) {
	got, err := r.fetch(turn)
	r.mu.Lock()
	now := time.Now()
	if err == nil {
		r.accept(got, now)
	} else {
		r.failures++
		if why := err.Error(); cause(why) != cause(r.status.Error) {
			r.status.Error = why
		} // the rest of status describes the keys that are still held
		r.next = now.Add(r.untilRetry(now))
	}
	r.status.Attempt, r.refresh = now, nil
	if turn.Asked || r.fresh() == nil {
		r.askable = now.Add(askAgain)
	}
	r.mu.Unlock()
	close(due.done)
	r.markReady()
}

func (r *Remote) accept(got fetched, now time.Time) {
	if r.fresh() == nil {
		r.wanted = false // what lookups wanted was any keys
	}
	r.held.Store(&held{got.index, now})
	r.failures, r.next = 0, now.Add(untilRefresh(got.cacheControl))
	r.status = Status{Keys: got.keys, Success: now, Warnings: got.warnings}
}

// fetched is what one fetch brought.
type fetched struct {
	*index
	keys         int
	warnings     []authz.Problem
	cacheControl string
}

// fetch gets and reads the key set. What panics over an answer of a provider ends
// neither the process nor the set: it is a failed fetch. The value of the panic is
// not told, since it may quote the answer.
func (r *Remote) fetch(turn Turn) (got fetched, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("a defect of agentauth: the answer made it panic (%T)", v)
			if r.config.Panicked != nil {
				r.config.Panicked(v, debug.Stack())
			}
		}
	}()
	known := r.known
	r.known = ""
	answer, url, err := r.config.load(r.closing, turn, known)
	if err != nil {
		return got, err
	}
	if got, err = r.read(turn, answer); err != nil {
		return got, err
	}
	r.known = url
	return got, nil
}

// read reads a key set in its turn: answers are large, and come at times that
// providers choose.
func (r *Remote) read(turn Turn, answer Answer) (got fetched, err error) {
	task := work.Task{Owner: work.Owner{Namespace: turn.Tenant}, Last: turn.Last}
	var keys []Key
	var bad error
	err = r.config.Shared.reading.Do(r.closing, task, func() {
		keys, got.warnings, bad = Parse(answer.Body)
		got.index = newIndex(keys)
	})
	switch {
	case err != nil:
		return fetched{}, fmt.Errorf("the answer was not read: %w", err)
	case bad != nil:
		return fetched{}, bad
	}
	memory := work.Part{Tenant: turn.Tenant, Amount: len(answer.Body) + len(keys)*bytesOfKey}
	if !r.config.Shared.memory.Exchange(r.memory, memory) {
		return fetched{}, fmt.Errorf("the keys need %d bytes, and the key sets of their namespace have all that one may have of %d: use fewer or smaller sets", memory.Amount, maxHeld)
	}
	r.memory = memory
	got.keys, got.cacheControl = len(keys), answer.CacheControl
	return got, nil
}

// cause is an error without addresses: a provider with several of them fails at
// one now and at another then.
func cause(why string) string { return addresses.ReplaceAllString(why, "") }

var addresses = regexp.MustCompile(`\d+\.\d+\.\d+\.\d+|[0-9a-fA-F]*:[0-9a-fA-F]*:[0-9a-fA-F:.]*`)

// untilRetry is the time until the next attempt after one that failed. It is
// called with mu held.
func (r *Remote) untilRetry(now time.Time) time.Duration {
	switch {
	case r.fresh() != nil:
		return refreshSoonest
	case r.failures == 1, r.held.Load() != nil && now.Sub(r.lastMiss) < missedLately:
		return retryWithout
	}
	wait := min(retryWithout<<min(r.failures-1, 5), retrySeldom)
	return wait*4/5 + rand.N(wait*2/5) // #nosec G404 -- jitter
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
