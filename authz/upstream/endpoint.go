package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"runtime/debug"
	"time"

	"github.com/agentauth-dev/agentauth/authz/introspect"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// endpoint is a token endpoint, asked as one client for one thing.
type endpoint struct {
	config  Config
	owner   *func() string // as whom the Shared knows it
	counted *counts
}

func (e *endpoint) tenant() string {
	if e.config.Tenant == nil {
		return ""
	}
	return e.config.Tenant()
}

// ask sends a request and reads the answer. What panics over an answer does not end
// the process; the value of the panic is not told, since it may quote the answer.
func (e *endpoint) ask(ctx context.Context, tenant string, asked bool, form url.Values) (got issued, outcome Outcome, err error) {
	defer func() {
		if v := recover(); v != nil {
			got, outcome, err = issued{}, Malformed, fmt.Errorf("a defect of agentauth: the answer made it panic (%T)", v)
			if e.config.Panicked != nil {
				e.config.Panicked(v, debug.Stack())
			}
		}
	}()
	request, err := e.request(ctx, tenant, form)
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return got, Late, errors.New("the request was not signed in the time that checks have")
	case errors.Is(err, work.ErrOverloaded):
		return got, Crowded, errors.New("no turn to sign a request in the time that checks have")
	case err != nil:
		return got, Refused, err
	}
	res, err := e.config.Post(ctx, tenant, asked, request)
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return got, Late, errors.New("no answer in the time that checks have")
	case errors.Is(err, work.ErrOverloaded):
		return got, Crowded, errors.New("no turn for a request in the time that checks have")
	case err != nil:
		return got, Failed, err
	case res.Status != 200:
		outcome, err = e.config.refusal(res)
		return got, outcome, err
	case !res.IsJSON():
		return got, Malformed, errors.New("expected content type application/json, got another one or none")
	}
	if got, err = e.config.parse(res.Body); err != nil {
		return issued{}, Malformed, err
	}
	return got, Issued, nil
}

// request makes the request, when it is the tenant's turn if that takes long.
func (e *endpoint) request(ctx context.Context, tenant string, form url.Values) (r introspect.Request, err error) {
	if key := e.config.Client.Key; key == nil || !key.Slow() {
		return e.config.Client.Authenticate(form)
	}
	late := e.config.Shared.signing.Do(ctx, work.Task{Owner: work.Owner{Namespace: tenant}}, func() { r, err = e.config.Client.Authenticate(form) })
	if late != nil {
		return introspect.Request{}, late
	}
	return r, err
}

// call is one request. What it got may be read once done is closed.
type call struct {
	waiting int // checks; under the mu of the source
	// late says that a check waited in vain until its end; under the mu.
	late   bool
	cancel context.CancelFunc
	done   chan struct{}
	token  string
	err    error
}

// wait returns what a call got, if that comes in the time of the check.
func (e *endpoint) wait(ctx context.Context, c *call, givenUp func()) (token string, err error) {
	work.BudgetOf(ctx).Done() // the check waits, and keeps nobody from a turn
	since := time.Now()
	defer func() { e.config.Shared.Waited.Tell(ctx, "token", e.config.Endpoint, since, err) }()
	select {
	case <-c.done:
	case <-ctx.Done():
		select {
		case <-c.done: // both at once: what was answered counts
		default:
			givenUp()
			return "", unavailable("no answer in the time that is left for the check", retryAfter)
		}
	}
	return c.token, c.err
}

// enter lets one more check wait; if it returns nil, the place must be given back.
func (e *endpoint) enter(waiting int, tenant string) error {
	if waiting >= maxWaitersPerServer || !e.config.Shared.waiters.Exchange(work.Part{}, work.Part{Tenant: tenant, Amount: 1}) {
		e.counted.add(Crowded)
		return unavailable("as many checks wait for a token as may", retryAfter)
	}
	return nil
}

func unavailable(detail string, after time.Duration) error {
	return &Unavailable{RetryAfter: max(after, retryAfter), Detail: "the token endpoint: " + detail}
}
