package authn

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/agentauth-dev/agentauth/authz/jwks"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// SignedAnswers reads the answers that an authorization server signs (RFC 9701): a JWT
// for the client that asked, which holds the answer in token_introspection.
type SignedAnswers struct {
	// Issuer is what `iss` must be, Client what `aud` must have.
	Issuer, Client string
	Keys           jwks.Set
	// Owner is whose turn slow signatures wait for.
	Owner     work.Owner
	Scheduler *work.Scheduler
}

// signedFor is how old a signed answer may be, beside the skew of clocks: it was made
// for the request that waits for it.
const signedFor = time.Minute

// answerAlgorithms are those of signed answers: none with a shared secret, which the
// Secret of a client does not say to be one for signatures.
var answerAlgorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// Read verifies an answer that came at a time. The error says what is wrong with it, and
// nothing of what it holds; it is an *Unavailable where the keys cannot be had.
func (s *SignedAnswers) Read(ctx context.Context, body []byte, now time.Time) (*Answer, error) {
	by := JWT{Owner: s.Owner, Scheduler: s.Scheduler, Issuer: s.Issuer, Keys: s.Keys, Algorithms: answerAlgorithms, TokenTypes: []string{"token-introspection+jwt"}}
	v, err := by.Verify(ctx, &Presented{Value: string(body)})
	var rejected *Rejected
	switch {
	case errors.Is(err, ErrNotMine):
		return nil, errors.New("the signed answer is no JWT, or its iss is not the issuer of the method")
	case errors.As(err, &rejected):
		return nil, errors.New("the signed answer is refused: " + rejected.Detail)
	case err != nil:
		return nil, err
	}
	claims := v.Identity.Claims
	made, ok := numericDate(claims["iat"])
	switch {
	case !slices.Contains(v.Identity.Audiences, s.Client):
		return nil, errors.New("the signed answer is for another client: its aud has not the client-id of agentauth")
	case !ok || now.After(made.Add(signedFor+answerSkew)) || now.Before(made.Add(-answerSkew)):
		return nil, errors.New("the signed answer was not made now: expected an iat of the last minute; compare the clocks")
	case checkTime(claims, now, answerSkew) != nil:
		return nil, errors.New("the signed answer is outside of its exp or nbf")
	}
	members, ok := claims["token_introspection"].(map[string]any)
	if !ok {
		return nil, errors.New("the signed answer has no token_introspection that is an object (RFC 9701 5)")
	}
	return answerOf(members)
}
