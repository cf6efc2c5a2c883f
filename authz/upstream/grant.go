package upstream

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/agentauth-dev/agentauth/authz/work"
)

// longestLife is how long a token of agentauth's own is held at most.
const longestLife = 24 * time.Hour

// Grant is a token that agentauth gets as a client (RFC 6749 4.4). It is fetched when
// a check first needs it. While it is used it is fetched again at about 80% of its
// life; if that fails, it is used until it ends. After a failure nobody asks for a
// while, which grows with each failure in a row.
type Grant struct {
	endpoint

	mu      sync.Mutex // never held across I/O
	closed  bool
	token   string
	ends    time.Time
	used    bool // since it was fetched
	call    *call
	renewal *time.Timer
	// failures are those in a row, resting is until when nobody asks after them, and
	// failed why.
	failures int
	resting  time.Time
	failed   error
}

var _ Server = (*Grant)(nil)

// Token implements [Source].
func (g *Grant) Token(ctx context.Context, _ Caller) (string, error) {
	tenant := g.tenant()
	token, c, err := g.join(tenant)
	if c == nil {
		return token, err
	}
	defer g.leave(c, tenant)
	return g.wait(ctx, c, func() {})
}

// join returns the token that is held, or the call that gets one.
func (g *Grant) join(tenant string) (string, *call, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if now.Before(g.ends) {
		g.used = true
		return g.token, nil, nil
	}
	if g.call == nil && now.Before(g.resting) {
		return "", nil, unavailable(g.failed.Error(), g.resting.Sub(now))
	}
	waiting := 0
	if g.call != nil {
		waiting = g.call.waiting
	}
	if err := g.enter(waiting, tenant); err != nil {
		return "", nil, err
	}
	if g.call == nil {
		g.begin(tenant, true)
	}
	g.call.waiting++
	return "", g.call, nil
}

func (g *Grant) leave(c *call, tenant string) {
	g.config.Shared.waiters.Exchange(work.Part{Tenant: tenant, Amount: 1}, work.Part{})
	g.mu.Lock()
	defer g.mu.Unlock()
	c.waiting--
}

// begin sends a request in the background. It goes on if nobody waits for it any
// more: the next check needs the token. It is called with mu held.
func (g *Grant) begin(tenant string, asked bool) {
	ctx, cancel := context.WithTimeout(context.Background(), maxCall)
	c := &call{cancel: cancel, done: make(chan struct{})}
	g.call = c
	began := time.Now()
	go func() {
		defer cancel()
		got, outcome, err := g.ask(ctx, tenant, asked, g.config.form("client_credentials"))
		g.counted.add(outcome)
		if err != nil {
			g.counted.failed(err.Error())
		}
		g.end(c, got, began, outcome, err)
	}()
}

// end publishes the outcome before the checks go on that wait for it.
func (g *Grant) end(c *call, got issued, began time.Time, outcome Outcome, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	defer close(c.done)
	g.call = nil
	now := time.Now()
	if err != nil {
		g.failures++
		pause := jittered(rest(g.failures, outcome))
		g.failed, g.resting = err, now.Add(pause)
		c.err = unavailable(err.Error(), pause)
		if now.Add(pause).Before(g.ends) {
			g.renewIn(pause)
		}
		return
	}
	g.failures, g.failed = 0, nil
	c.token = got.token
	g.token, g.ends, g.used = got.token, ends(began, got.lasts, longestLife), c.waiting > 0
	if life := g.ends.Sub(now); life > time.Second {
		g.renewIn(jittered(life * 4 / 5))
	}
}

// renewIn has the token fetched again if it is used until then. It is called with mu
// held.
func (g *Grant) renewIn(d time.Duration) {
	if g.renewal != nil {
		g.renewal.Stop()
	}
	if !g.closed {
		g.renewal = time.AfterFunc(d, g.renew)
	}
}

func (g *Grant) renew() {
	tenant := g.tenant()
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed && g.used && g.call == nil {
		g.begin(tenant, false)
	}
}

// Close implements [Server].
func (g *Grant) Close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return
	}
	g.closed = true
	if g.renewal != nil {
		g.renewal.Stop()
	}
	g.config.Shared.leave(g.config.Endpoint, g.owner)
}

// jittered is about d, at most d: what began at the same time does not go on so.
func jittered(d time.Duration) time.Duration {
	return d - rand.N(d/10+1) // #nosec G404 -- nobody gains by guessing it
}
