package introspect

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/agentauth-dev/agentauth/authz/authn"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// call is one request about one token. Its answer may be read once done is closed.
type call struct {
	waiting int // checks; under the server's mu
	// late says that a check waited in vain until its end; under the server's mu.
	late   bool
	cancel context.CancelFunc
	done   chan struct{}
	answer *authn.Answer
	err    error
}

// begin sends a request in the background.
func (s *Server) begin(q authn.Question, tenant string) *call {
	ctx, cancel := context.WithTimeout(context.Background(), maxCall)
	c := &call{cancel: cancel, done: make(chan struct{})}
	q.Token = strings.Clone(q.Token) // which is a part of a whole request
	asked := time.Now()
	go func() {
		defer cancel()
		answer, outcome, err := s.ask(ctx, tenant, q)
		if err == nil {
			answer.Asked = asked
		}
		switch {
		case outcome == Inactive:
			s.config.Shared.inactive.put(tenant, question{s, q.Digest}, asked)
		case outcome == Active && s.config.ActiveFor > 0:
			s.config.Shared.active.put(tenant, question{s, q.Digest}, asked)
		}
		s.end(ctx, q.Digest, c, answer, outcome, err)
	}()
	return c
}

// end publishes the outcome before the checks go on that wait for it. That callers
// hang up is no failure of the server: anybody can.
func (s *Server) end(ctx context.Context, digest [32]byte, c *call, answer *authn.Answer, outcome Outcome, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if outcome == Late && !c.late && errors.Is(ctx.Err(), context.Canceled) {
		outcome = Abandoned
	}
	s.counted.add(outcome)
	s.forget(digest, c)
	if err != nil && outcome != Abandoned {
		s.status.Failures++
		s.status.Error = err.Error()
		err = s.unavailable(outcome, err.Error())
	}
	c.answer, c.err = answer, err
	close(c.done)
}

// ask sends the request and reads the answer. What panics over an answer does not end
// the process; the value of the panic is not told, since it may quote the answer.
func (s *Server) ask(ctx context.Context, tenant string, q authn.Question) (answer *authn.Answer, outcome Outcome, err error) {
	defer func() {
		if v := recover(); v != nil {
			answer, outcome, err = nil, Malformed, fmt.Errorf("a defect of agentauth: the answer made it panic (%T)", v)
			if s.config.Panicked != nil {
				s.config.Panicked(v, debug.Stack())
			}
		}
	}()
	if s.config.Ask != nil {
		return s.config.Ask(ctx, tenant, q)
	}
	return s.introspect(ctx, tenant, q.Token)
}

func (s *Server) introspect(ctx context.Context, tenant, token string) (answer *authn.Answer, outcome Outcome, err error) {
	request, err := s.request(ctx, tenant, token)
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return nil, Late, errors.New("the request was not signed in the time that checks have")
	case errors.Is(err, work.ErrOverloaded):
		return nil, Crowded, errors.New("no turn to sign a request in the time that checks have")
	case err != nil:
		return nil, Refused, err
	}
	res, err := s.config.Post(ctx, tenant, request)
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return nil, Late, errors.New("no answer in the time that checks have")
	case errors.Is(err, work.ErrOverloaded):
		return nil, Crowded, errors.New("no turn for a request in the time that checks have")
	case err != nil:
		return nil, Failed, err
	case res.Status != 200:
		return nil, refusal(res.Status), refused(res)
	case res.isSigned():
		return s.readSigned(ctx, tenant, res.Body)
	case !res.IsJSON():
		return nil, Malformed, errors.New("expected content type application/json, got another one or none")
	}
	answer, err = s.read(ctx, tenant, res.Body)
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return nil, Late, errors.New("the answer is large, and was not read in the time that checks have")
	case errors.Is(err, work.ErrOverloaded):
		return nil, Crowded, errors.New("the answer is large, and too many such wait to be read")
	case err != nil:
		return nil, Malformed, err
	case !answer.Active:
		return answer, Inactive, nil
	}
	return answer, Active, nil
}

// request makes the request, when it is the tenant's turn if that takes long.
func (s *Server) request(ctx context.Context, tenant, token string) (r Request, err error) {
	if s.config.Keys != nil {
		defer func() { r.Accept = "application/json, " + signedType + ";q=0.9" }()
	}
	if key := s.config.Client.Key; key == nil || !key.Slow() {
		return s.config.Client.request(token)
	}
	late := s.config.Shared.reading.Do(ctx, work.Task{Owner: work.Owner{Namespace: tenant}}, func() { r, err = s.config.Client.request(token) })
	if late != nil {
		return Request{}, late
	}
	return r, err
}

// read reads a large answer when it is the tenant's turn: one of 64 KiB can take
// milliseconds, and megabytes.
func (s *Server) read(ctx context.Context, tenant string, body []byte) (*authn.Answer, error) {
	if len(body) <= readAtOnce {
		return authn.ParseAnswer(body)
	}
	var answer *authn.Answer
	var bad error
	if err := s.config.Shared.reading.Do(ctx, work.Task{Owner: work.Owner{Namespace: tenant}}, func() { answer, bad = authn.ParseAnswer(body) }); err != nil {
		return nil, err
	}
	return answer, bad
}

// refusal is the outcome of a status that is not 200. A server that refuses its
// client says nothing of the token (RFC 7662 2.3).
func refusal(status int) Outcome {
	if status == 400 || status == 401 || status == 403 {
		return Refused
	}
	return Failed
}
