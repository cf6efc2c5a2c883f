package upstream

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"maps"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/signing"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// IssuerPrefix is that of the issuers that namespaces have by default. No policy says
// that its issuer has it.
const IssuerPrefix = "agentauth.dev/"

// OwnClaims are those that no expression sets.
var OwnClaims = []string{"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "act"}

const (
	// leastLife is that of a token whose caller's credential ends, or has ended within
	// the skew of clocks.
	leastLife = 5 * time.Second
	// slowSignature is what one by RSA or P-384 takes at most. It is more than runs
	// without a turn.
	slowSignature = 25 * time.Millisecond
	// besideClaims is what a token has beside its claims at most: the header, and a
	// signature by RSA of 4096 bits.
	besideClaims = 1 << 10
)

// SignedSettings are what a [Signed] is made of.
type SignedSettings struct {
	Key              *signing.Key
	Issuer, Audience string
	TTL              time.Duration
}

// Signed is a Source of JWTs of agentauth itself, each signed for one request.
type Signed struct {
	SignedSettings
	id string
}

// NewSigned makes the source.
func NewSigned(s SignedSettings) (*Signed, error) {
	public, err := s.Key.Public()
	return &Signed{s, public.ID()}, err
}

// Token implements [Source].
func (s *Signed) Token(ctx context.Context, c Caller) (token string, err error) {
	claims, err := s.claims(c)
	if err != nil {
		return "", err
	}
	sign := func() { token, err = s.Key.Sign(claims, s.id) }
	if !s.Key.Slow() {
		sign()
		return token, err
	}
	late := work.BudgetOf(ctx).Run(ctx, slowSignature, sign)
	if late != nil {
		return "", &Unavailable{RetryAfter: retryAfter, Detail: "no turn to sign a token in the time that is left for the check"}
	}
	return token, err
}

// claims are those of RFC 7519 4.1 and RFC 8693 4.1, and those of the policy.
func (s *Signed) claims(c Caller) ([]byte, error) {
	claims := make(map[string]any, len(c.Claims)+len(OwnClaims))
	maps.Copy(claims, c.Claims)
	for _, name := range OwnClaims {
		delete(claims, name)
	}
	claims["iss"], claims["aud"], claims["jti"] = s.Issuer, s.Audience, rand.Text()
	claims["iat"], claims["exp"] = c.Time.Unix(), s.ends(c).Unix()
	if c.Identity.Subject != "" {
		claims["sub"] = c.Identity.Subject
	}
	if c.Identity.Actor != nil {
		act, err := actor(c.Identity.Actor)
		if err != nil {
			return nil, err
		}
		claims["act"] = act
	}
	out, err := json.Marshal(claims, json.Deterministic(true))
	if err != nil {
		return nil, &Unsayable{"the subject, the actor or a claim is no text in UTF-8, which a token cannot say"}
	}
	if size := base64.RawURLEncoding.EncodedLen(len(out)) + besideClaims; size > authz.MaxToken {
		return nil, &Unsayable{fmt.Sprintf("the token has about %d bytes, and at most %d are sent: hand on fewer claims", size, authz.MaxToken)}
	}
	return out, nil
}

// ends is when the token ends: with the caller's credential, if that is sooner.
func (s *Signed) ends(c Caller) time.Time {
	end := c.Time.Add(s.TTL)
	if e := c.Identity.ExpiresAt; !e.IsZero() && e.Before(end) {
		end = e
	}
	if least := c.Time.Add(leastLife); end.Before(least) {
		return least
	}
	return end
}

// actor is who acts. A token never says that the subject acts alone where somebody
// acts for it.
func actor(a *authz.Actor) (map[string]string, error) {
	act := map[string]string{}
	for name, value := range map[string]string{"sub": a.Subject, "iss": a.Issuer} {
		if value != "" {
			act[name] = value
		}
	}
	if a.Unreadable || len(act) == 0 {
		return nil, &CallerRefused{Detail: "the caller's token names an actor in a form that cannot be read, and a token without it would say that the subject acts alone"}
	}
	return act, nil
}
