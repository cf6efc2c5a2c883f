package upstream

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/work"
)

const (
	// longestExchanged is how long an exchanged token is held at most.
	longestExchanged = time.Hour
	// refusedFor is how long it is remembered that a token is not exchanged.
	refusedFor = 5 * time.Second

	grantExchange = "urn:ietf:params:oauth:grant-type:token-exchange"
)

// Exchange gets a token for each caller, for the caller's own (RFC 8693). The token
// of a caller goes nowhere but to the endpoint. Concurrent checks of one caller make
// one request, which ends when nobody waits any more. After the server refused
// agentauth as its client nobody asks for a while.
type Exchange struct {
	endpoint

	mu      sync.Mutex // never held across I/O
	closed  bool
	calls   map[[32]byte]*call
	waiting int
	// failures are refusals of the client in a row, resting is until when nobody asks
	// after them, and failed why.
	failures int
	resting  time.Time
	failed   error
}

var _ Server = (*Exchange)(nil)

// ErrNothingToExchange is a *CallerRefused for a caller without a token.
var ErrNothingToExchange error = &CallerRefused{Detail: "the credential of the caller is no access token, so there is nothing to exchange"}

// Token implements [Source].
func (x *Exchange) Token(ctx context.Context, caller Caller) (string, error) {
	if caller.Token == "" {
		return "", ErrNothingToExchange
	}
	tenant := x.tenant()
	if h, ok := x.config.Shared.held.get(tenant, heldKey{x, caller.Digest}, time.Now()); ok {
		return h.token, h.refused()
	}
	c, err := x.join(caller, tenant)
	if err != nil {
		return "", err
	}
	defer x.leave(caller.Digest, c, tenant)
	return x.wait(ctx, c, func() { x.givenUp(c, ctx.Err()) })
}

// join returns the call about the token of a caller, which it begins if there is
// none.
func (x *Exchange) join(caller Caller, tenant string) (*call, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if now := time.Now(); now.Before(x.resting) {
		return nil, unavailable(x.failed.Error(), x.resting.Sub(now))
	}
	c := x.calls[caller.Digest]
	taken := x.waiting
	if c != nil {
		taken += c.waiting // a caller may have as many places as are free beside its own
	}
	if err := x.enter(taken, tenant); err != nil {
		return nil, err
	}
	x.waiting++
	if c == nil {
		c = x.begin(caller, tenant)
		x.calls[caller.Digest] = c
	}
	c.waiting++
	return c, nil
}

// leave ends the call if nobody waits for it any more.
func (x *Exchange) leave(digest [32]byte, c *call, tenant string) {
	x.config.Shared.waiters.Exchange(work.Part{Tenant: tenant, Amount: 1}, work.Part{})
	x.mu.Lock()
	defer x.mu.Unlock()
	x.waiting--
	if c.waiting--; c.waiting == 0 {
		c.cancel()
		x.forget(digest, c)
	}
}

// givenUp notes that a check does not wait until there is an answer.
func (x *Exchange) givenUp(c *call, why error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	c.late = c.late || errors.Is(why, context.DeadlineExceeded)
}

// forget takes a call out, unless another one is about the token by now. It is called
// with mu held.
func (x *Exchange) forget(digest [32]byte, c *call) {
	if x.calls[digest] == c {
		delete(x.calls, digest)
	}
}

// begin sends a request in the background.
func (x *Exchange) begin(caller Caller, tenant string) *call {
	ctx, cancel := context.WithTimeout(context.Background(), maxCall)
	c := &call{cancel: cancel, done: make(chan struct{})}
	token := strings.Clone(caller.Token) // which is a part of a whole request
	k := heldKey{x, caller.Digest}
	var callerEnds time.Time
	if caller.Identity != nil {
		callerEnds = caller.Identity.ExpiresAt
	}
	began := time.Now()
	go func() {
		defer cancel()
		got, outcome, err := x.exchange(ctx, tenant, token)
		h := heldToken{token: got.token, ends: ends(began, got.lasts, longestExchanged)}
		switch {
		case outcome == Denied:
			h = heldToken{why: err.Error(), ends: began.Add(refusedFor)}
		case !callerEnds.IsZero() && callerEnds.Before(h.ends):
			h.ends = callerEnds
		}
		x.end(ctx, tenant, k, c, h, outcome, err)
	}()
	return c
}

// exchange asks for a token (RFC 8693 2.1).
func (x *Exchange) exchange(ctx context.Context, tenant, token string) (issued, Outcome, error) {
	form := x.config.form(grantExchange)
	form.Set("subject_token", token)
	form.Set("subject_token_type", string(v1alpha1.IssuedAccessToken))
	if x.config.RequestedType != "" {
		form.Set("requested_token_type", x.config.RequestedType)
	}
	if x.config.Actor != nil {
		actor, err := x.config.Actor.Token(ctx, Caller{})
		if err != nil {
			return issued{}, Failed, errors.New("not asked, since there is no actor token: " + err.Error())
		}
		form.Set("actor_token", actor)
		form.Set("actor_token_type", string(v1alpha1.IssuedAccessToken))
	}
	return x.ask(ctx, tenant, true, form)
}

// end publishes the outcome before the checks go on that wait for it. That callers
// hang up is no failure of the server: anybody can.
func (x *Exchange) end(ctx context.Context, tenant string, k heldKey, c *call, h heldToken, outcome Outcome, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	defer close(c.done)
	if outcome == Late && !c.late && errors.Is(ctx.Err(), context.Canceled) {
		outcome = Abandoned
	}
	x.counted.add(outcome)
	if !x.closed && (outcome == Issued || outcome == Denied) {
		x.config.Shared.held.put(tenant, k, h, time.Now())
	}
	x.forget(k.digest, c)
	pause := retryAfter
	switch outcome {
	case Refused:
		x.failures++
		pause = jittered(rest(x.failures, Refused))
		x.failed, x.resting = err, time.Now().Add(pause)
	case Issued, Denied:
		x.failures = 0
	case Malformed, Late, Failed, Crowded, Abandoned: // nothing about the client
	}
	switch {
	case outcome == Denied:
		c.err = h.refused()
	case err != nil:
		if outcome != Abandoned {
			x.counted.failed(err.Error())
		}
		c.err = unavailable(err.Error(), pause)
	default:
		c.token = h.token
	}
}

// Close implements [Server]. It forgets the tokens.
func (x *Exchange) Close() {
	x.mu.Lock()
	before := x.closed
	x.closed = true
	x.mu.Unlock()
	if !before {
		x.config.Shared.leave(x.config.Endpoint, x.owner)
		x.config.Shared.held.drop(x)
	}
}
