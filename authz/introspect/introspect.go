// Package introspect asks authorization servers about tokens (RFC 7662).
//
// A [Server] is one endpoint, asked as one client. However many checks wait for an
// answer about one token, one request is sent, and it ends when nobody waits any
// more. That a token is not active is remembered for a moment. What is active is not
// kept here: package verified does that, for each method by its own rules.
//
// The API server of the cluster is asked in the same way: see package reviews. A
// [Client] is how agentauth authenticates, at token endpoints too.
//
// Whatever is no sound answer is an *authn.Unavailable, and says nothing of the
// token: a server that is down, slow or broken, and one that refuses agentauth as its
// client. Errors hold nothing that the server sent, no token and no secret.
package introspect

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/authn"
	"github.com/agentauth-dev/agentauth/authz/jwks"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// maxCall is how long a request may take with its wait for a turn: as long as the
// longest check.
const maxCall = 5 * time.Second

// retryAfter is when asking again makes sense after a failure.
const retryAfter = time.Second

// Config says where and as whom a Server asks.
type Config struct {
	Endpoint string
	Client   Client
	// Issuer signs answers (RFC 9701), if the server does that for the client. Keys are
	// the issuer's; nil: no signed answer can be read.
	Issuer string
	Keys   jwks.Set
	// Post sends a request when it is the tenant's turn. Its errors hold nothing
	// that was received; they wrap context.DeadlineExceeded, context.Canceled or
	// work.ErrOverloaded if that is the reason.
	Post func(ctx context.Context, tenant string, r Request) (Response, error)
	// Ask asks in place of Post, for what is no introspection endpoint; nil: Post.
	Ask Ask
	// Name is what is asked, for errors; "": the introspection endpoint.
	Name string
	// ActiveFor is how long the Server itself remembers that the answer was active.
	ActiveFor time.Duration
	// Panicked, if not nil, is told of a panic over an answer, with its stack. The
	// value may quote the answer.
	Panicked func(value any, stack []byte)
	// Tenant returns whose turn a request takes; nil: nobody's in particular.
	Tenant func() string
	// Shared is one for all servers of a process; nil: one of this server's own.
	Shared *Shared
}

// Ask answers a question when it is the tenant's turn. Its errors hold nothing that
// was received.
type Ask func(ctx context.Context, tenant string, q authn.Question) (*authn.Answer, Outcome, error)

// Server is an authorization server. It works while checks wait for it, and needs
// no end.
type Server struct {
	config  Config
	counted *counts
	closed  sync.Once

	mu     sync.Mutex // never held across I/O
	calls  map[[32]byte]*call
	status Status
}

// Status is how the server is doing, for an operator.
type Status struct {
	// Failures are requests without a sound answer. Error is why the last of them
	// failed; it holds nothing that was received.
	Failures uint64
	Error    string
}

var _ authn.Introspector = (*Server)(nil)

// New makes a Server.
func New(c Config) *Server {
	if c.Shared == nil {
		c.Shared = NewShared()
	}
	s := &Server{config: c, calls: map[[32]byte]*call{}}
	s.counted = c.Shared.enter(c.Endpoint, &s.config.Tenant)
	return s
}

// Close forgets what the Shared holds of the server. Checks that began before it go
// on.
func (s *Server) Close() {
	s.closed.Do(func() { s.config.Shared.leave(s.config.Endpoint, &s.config.Tenant) })
}

// Status returns the current status.
func (s *Server) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

// Introspect implements [authn.Introspector].
func (s *Server) Introspect(ctx context.Context, q authn.Question) (*authn.Answer, error) {
	tenant := s.tenant()
	if answer := s.remembered(q, tenant); answer != nil {
		return answer, nil
	}
	c, err := s.join(q, tenant)
	if err != nil {
		return nil, err
	}
	defer s.leave(q.Digest, c, tenant)
	since := time.Now()
	answer, err := s.wait(ctx, c)
	s.config.Shared.Waited.Tell(ctx, s.what(), s.config.Endpoint, since, err)
	return answer, err
}

// wait waits for the answer of a call, as long as the check has time.
func (s *Server) wait(ctx context.Context, c *call) (*authn.Answer, error) {
	select {
	case <-c.done:
	case <-ctx.Done():
		select {
		case <-c.done: // both at once: what was answered counts
		default:
			s.givenUp(c, ctx.Err())
			return nil, s.unavailable(Late, "no answer in the time that is left for the check")
		}
	}
	return c.answer, c.err
}

// what is what is asked for, in one word.
func (s *Server) what() string {
	if s.config.Ask != nil {
		return s.config.Endpoint
	}
	return "introspection"
}

// remembered is an answer that was given lately; nil if there is none.
func (s *Server) remembered(q authn.Question, tenant string) *authn.Answer {
	asked, now := question{s, q.Digest}, time.Now()
	if s.config.ActiveFor > 0 && s.config.Shared.active.has(tenant, asked, now.Add(-s.config.ActiveFor)) {
		return &authn.Answer{Active: true}
	}
	if s.config.Shared.inactive.has(tenant, asked, now.Add(-q.Fresh)) {
		return &authn.Answer{}
	}
	return nil
}

// join returns the call about a token, which it begins if there is none. A server has so
// many calls; who joins one takes a place of the tenant's only.
func (s *Server) join(q authn.Question, tenant string) (*call, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.calls[q.Digest]
	if c == nil && len(s.calls) >= maxCallsPerServer || !s.config.Shared.waiters.Exchange(work.Part{}, work.Part{Tenant: tenant, Amount: 1}) {
		s.counted.add(Crowded)
		return nil, s.unavailable(Crowded, "as many checks wait for an answer as may")
	}
	if c == nil {
		c = s.begin(q, tenant)
		s.calls[q.Digest] = c
	}
	c.waiting++
	return c, nil
}

// leave ends the call if nobody waits for it any more.
func (s *Server) leave(digest [32]byte, c *call, tenant string) {
	s.config.Shared.waiters.Exchange(work.Part{Tenant: tenant, Amount: 1}, work.Part{})
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.waiting--; c.waiting == 0 {
		c.cancel()
		s.forget(digest, c)
	}
}

// givenUp notes that a check does not wait until there is an answer.
func (s *Server) givenUp(c *call, why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.late = c.late || errors.Is(why, context.DeadlineExceeded)
}

// forget takes a call out, unless another one is about the token by now. It is called
// with mu held.
func (s *Server) forget(digest [32]byte, c *call) {
	if s.calls[digest] == c {
		delete(s.calls, digest)
	}
}

func (s *Server) tenant() string {
	if s.config.Tenant == nil {
		return ""
	}
	return s.config.Tenant()
}

func (s *Server) unavailable(o Outcome, detail string) error {
	reason := authz.Unavailable
	if o == Crowded {
		reason = authz.Overloaded
	}
	return &authn.Unavailable{Reason: reason, RetryAfter: retryAfter, Detail: cmp.Or(s.config.Name, "the introspection endpoint") + ": " + detail}
}
