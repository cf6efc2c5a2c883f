package policy

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"unicode/utf8"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/upstream"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// Token is what the upstream gets in place of the caller's credentials.
type Token struct {
	header, before string
	source         upstream.Source
	// claims are what the source is told beside the identity.
	claims []Value
}

// NewToken makes a Token in a header, by default authorization. The scheme before it
// is Bearer in that header, and none in others, unless one is given. claims are for a
// source that signs.
func NewToken(header, scheme string, source upstream.Source, claims ...Value) *Token {
	t := &Token{header: cmp.Or(authz.Lower(header), "authorization"), source: source, claims: claims}
	if scheme == "" && t.header == "authorization" {
		scheme = "Bearer"
	}
	if scheme != "" {
		t.before = scheme + " "
	}
	return t
}

// Sets are the headers that the policy sets, that of the token without a program.
func (c *Config) Sets() []Value {
	if c.Token == nil {
		return c.Headers
	}
	return append(slices.Clip(c.Headers), Value{Name: c.Token.header})
}

func (t *Token) claimsOf() []Value {
	if t == nil {
		return nil
	}
	return t.claims
}

// tokenStage gives the upstream its token. A nil one gives none.
type tokenStage struct {
	*Token
	// exchangeable says of each method whether its credential may be exchanged.
	exchangeable []bool
	denial       *denial
}

func newTokenStage(c Config, a *authenticate) *tokenStage {
	if c.Token == nil {
		return nil
	}
	s := &tokenStage{Token: c.Token, denial: notExchanged.of(c.Unauthorized)}
	for i := range a.methods {
		s.exchangeable = append(s.exchangeable, a.methods[i].Authenticator.Reads().Exchangeable)
	}
	return s
}

func (s *tokenStage) run(ctx context.Context, x *exchange) bool {
	if s == nil {
		return false
	}
	caller, failed := s.caller(ctx, x)
	if failed {
		return true
	}
	if work.IsRehearsal(ctx) && !upstream.AsksNobody(s.source) {
		return s.give(x, "", "sets a token in place of the caller's credentials, which nobody is asked for when a decision is only explained")
	}
	work.BudgetOf(ctx).Done() // the source may wait
	token, err := s.source.Token(ctx, caller)
	value := s.before + token
	var unavailable *upstream.Unavailable
	var refused *upstream.CallerRefused
	var unsayable *upstream.Unsayable
	switch {
	case errors.As(err, &unsayable):
		return x.cannotRespond(s.header, unsayable.Detail)
	case errors.As(err, &unavailable):
		x.trace.Add(authz.Step{Stage: authz.StageRespond, Name: s.header, Outcome: authz.StepUnavailable, Detail: unavailable.Detail})
		return x.decide(Unavailable(authz.UpstreamTokenUnavailable, unavailable.Detail, unavailable.RetryAfter))
	case errors.As(err, &refused):
		x.trace.Add(authz.Step{Stage: authz.StageRespond, Name: s.header, Outcome: authz.StepRefused, Detail: refused.Detail})
		d := authz.Decision{Outcome: authz.Deny, Reason: authz.UpstreamTokenRefused, Detail: refused.Detail, Method: x.identity.Method}
		s.denial.answer(&d)
		return x.decide(d)
	case err != nil, token == "", !authz.ValidFieldValue(value), !utf8.ValidString(value):
		return x.decide(Unavailable(authz.Internal, "a defect of agentauth: a source without a token for the upstream", 0))
	}
	return s.give(x, value, "sets a token in place of the caller's credentials")
}

func (s *tokenStage) give(x *exchange, value, detail string) bool {
	x.decision.Set = append(x.decision.Set, authz.Header{Name: s.header, Value: value})
	x.decision.Token = s.header
	x.trace.Add(authz.Step{Stage: authz.StageRespond, Name: s.header, Outcome: authz.StepDone, Detail: detail})
	return false
}

// caller is whose request it is, and what is said of it. failed says that an
// expression ended the decision. Only a credential that identity was established by is
// handed on, and only if it is a token that may be exchanged.
func (s *tokenStage) caller(ctx context.Context, x *exchange) (c upstream.Caller, failed bool) {
	c = upstream.Caller{Identity: x.identity, Time: x.request.Time}
	for _, claim := range s.claims {
		v, present, err := evalJSON(ctx, claim.Program, x.input())
		if err != nil {
			return c, x.failed(ctx, s.header, "claim "+claim.Name, err)
		}
		if present {
			if c.Claims == nil {
				c.Claims = make(map[string]any, len(s.claims))
			}
			c.Claims[claim.Name] = v
		}
	}
	for i := range x.credentials.results {
		r := &x.credentials.results[i]
		if r.identity != x.identity || r.place == nil || !s.exchangeable[i] {
			continue
		}
		if p := x.credentials.presented(r.place); p != nil {
			c.Token, c.Digest = p.Value, p.Digest()
		}
	}
	return c, false
}
