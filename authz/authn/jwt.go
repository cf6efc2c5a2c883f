package authn

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/jwks"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// JWT checks signed tokens (RFC 7519).
type JWT struct {
	// Method is the method's name, Owner whose turn slow signatures wait for.
	Method string
	Owner  work.Owner
	// Issuer is what `iss` must be. With AnyIssuer the method owns every token
	// that none of OtherIssuers names.
	Issuer       string
	AnyIssuer    bool
	OtherIssuers []string
	// Cluster owns its own tokens, with AnyIssuer.
	Cluster ClusterIssuer
	// Audiences: one of them must be in `aud`, unless AnyAudience.
	Audiences   []string
	AnyAudience bool
	// Algorithms are as [jwks.Algorithm] names them.
	Algorithms []string
	// TokenTypes are in lower case, without "application/"; NoType accepts
	// tokens that do not say.
	TokenTypes []string
	NoType     bool
	ClockSkew  time.Duration

	// Secret or Keys verify signatures.
	Secret []byte
	Keys   jwks.Set
	// From are the places of the token; none is the authorization header with
	// the scheme Bearer. Where one has Bearer, the scheme DPoP is read as well.
	From []Place
	// Proofs hold tokens to what they are bound to.
	Proofs Proofs
	// Missing says why there is neither key; the method is unavailable for the
	// tokens it owns then.
	Missing string
	// Scheduler runs what costs more than a signature of ES256.
	Scheduler *work.Scheduler

	// Map makes subject, scopes, groups and actor of the claims.
	Map Mapper
}

// Mapper makes subject, scopes, groups and actor of the claims of a token. Its errors
// are for the operator and hold no value of a claim. An actor is nil where nobody
// acts for the subject.
type Mapper interface {
	Subject(ctx context.Context, claims map[string]any) (string, error)
	Scopes(ctx context.Context, claims map[string]any) ([]string, error)
	Groups(ctx context.Context, claims map[string]any) ([]string, error)
	Actor(ctx context.Context, claims map[string]any) (*authz.Actor, error)
}

// Reads implements [Authenticator]. A proof of possession comes beside the token
// (RFC 9449 4.1), and the client certificate may come in a header of the proxy.
func (j *JWT) Reads() Reads {
	return Reads{Places: tokenPlaces(j.From), Tokens: true, Exchangeable: true, Beside: []string{"dpop"}, BesideLists: j.Proofs.besideLists()}
}

// Challenge implements [Authenticator] (RFC 6750 3).
func (j *JWT) Challenge(_ *authz.Request, presented bool) string {
	if presented {
		return `Bearer error="invalid_token"`
	}
	return "Bearer"
}

// Verify implements [Authenticator].
func (j *JWT) Verify(ctx context.Context, p *Presented) (*Verified, error) {
	v, err := j.accept(ctx, p)
	if rejected := (*Rejected)(nil); p.token != nil && errors.As(err, &rejected) {
		shown := *rejected
		shown.Came = j.came(rejected, p.token)
		return nil, &shown
	}
	return v, err
}

// accept checks what the token says of itself, and who says so.
func (j *JWT) accept(ctx context.Context, p *Presented) (*Verified, error) {
	if p.Malformed != "" {
		return nil, malformed(p.Malformed)
	}
	t, err := p.Token()
	if errors.Is(err, ErrNotToken) {
		return nil, ErrNotMine
	}
	if err != nil {
		return nil, err
	}
	if !j.owns(t) {
		return nil, ErrNotMine
	}
	if j.Missing != "" {
		return nil, &Unavailable{Reason: authz.Unavailable, Detail: j.Missing}
	}
	if err := j.checkType(t); err != nil {
		return nil, err
	}
	if !slices.Contains(j.Algorithms, jwks.Algorithm(t.Algorithm)) {
		return nil, reject(authz.SignatureInvalid, "its algorithm is not one the policy accepts: "+strings.Join(j.Algorithms, ", "))
	}
	kid, err := j.verify(ctx, t)
	if err != nil {
		return nil, err
	}
	v := &Verified{Identity: authz.Identity{Method: j.Method, Issuer: t.Issuer, Claims: t.Claims}, token: true, bound: readConfirmation(t.Claims), keyID: kid}
	v.completeBy(j.Map)
	v.Identity.ExpiresAt, _ = numericDate(t.Claims["exp"]) // Check refuses what is no date
	v.Identity.Audiences = stringOrList(t.Claims["aud"])
	return v, nil
}

// Check implements [Authenticator].
func (j *JWT) Check(r *authz.Request, v *Verified) error {
	claims := v.Identity.Claims
	if claims["exp"] == nil {
		return malformed(noDate("exp", "4.1.4", nil))
	}
	if err := checkTime(claims, r.Time, j.ClockSkew); err != nil {
		return err
	}
	return checkAudience(&v.Identity, j.Audiences, j.AnyAudience)
}

var _ Prover = (*JWT)(nil)

// Prove implements [Prover].
func (j *JWT) Prove(ctx context.Context, r *authz.Request, p *Presented, v *Verified) error {
	return j.Proofs.prove(ctx, r, p, v.bound, j.ClockSkew)
}

// Offer implements [Prover].
func (j *JWT) Offer(place *Place, rejected *Rejected) [2]string {
	return j.Proofs.offer(place, rejected)
}

// Possession implements [Prover].
func (j *JWT) Possession() Possession { return j.Proofs.possession(j.From) }

func (j *JWT) owns(t *Token) bool {
	if j.AnyIssuer {
		return !slices.Contains(j.OtherIssuers, t.Issuer) && (!t.HasIssuer || !j.Cluster.mayOwn(t.Issuer))
	}
	return t.HasIssuer && t.Issuer == j.Issuer
}

// checkType keeps tokens that were made for another purpose out (RFC 8725 3.11).
func (j *JWT) checkType(t *Token) error {
	typ := strings.TrimPrefix(authz.Lower(t.Type), "application/")
	if !t.HasType && j.NoType || t.HasType && slices.Contains(j.TokenTypes, typ) {
		return nil
	}
	return reject(authz.TokenTypeRefused, "its typ is not one the policy accepts: "+strings.Join(j.TokenTypes, ", "))
}

// checkTime checks the end and the beginning that claims have.
func checkTime(claims map[string]any, now time.Time, skew time.Duration) error {
	if v, present := claims["exp"]; present {
		exp, ok := numericDate(v)
		if !ok {
			return malformed(noDate("exp", "4.1.4", v))
		}
		if !now.Before(exp.Add(skew)) {
			return reject(authz.TokenExpired, "it ended at "+instant(exp)+byClock(now, skew))
		}
	}
	if v, present := claims["nbf"]; present {
		nbf, ok := numericDate(v)
		if !ok {
			return malformed(noDate("nbf", "4.1.5", v))
		}
		if now.Before(nbf.Add(-skew)) {
			return reject(authz.TokenNotYetValid, "it begins at "+instant(nbf)+byClock(now, skew))
		}
	}
	return nil
}

func byClock(now time.Time, skew time.Duration) string {
	return ", the clock says " + instant(now) + " (clockSkew " + skew.String() + ")"
}

func instant(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func checkAudience(id *authz.Identity, audiences []string, anyAudience bool) error {
	if id.Audiences == nil && id.Claims["aud"] != nil {
		return malformed("aud is " + kind(id.Claims["aud"]) + ", expected a text or a list of texts (RFC 7519 4.1.3)")
	}
	if !anyAudience && !slices.ContainsFunc(id.Audiences, func(a string) bool { return slices.Contains(audiences, a) }) {
		return reject(authz.AudienceMismatch, otherAudience(id.Claims["aud"], id.Audiences, audiences))
	}
	return nil
}

// stringOrList is nil for an absent claim, and for one of another type.
func stringOrList(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		out := make([]string, 0, len(v))
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				return nil
			}
			out = append(out, s)
		}
		return out
	}
	return nil
}

// completeBy has Complete make the identity complete by a Mapper.
func (v *Verified) completeBy(m Mapper) {
	v.mapper, v.complete = m, func(ctx context.Context, id *authz.Identity) error { return complete(ctx, m, id) }
}

// addHolder adds to the identity whose it is, as far as that can be found out.
func addHolder(ctx context.Context, m Mapper, id *authz.Identity) {
	id.CredentialID, _ = ClaimText(id.Claims["jti"])
	if subject, err := m.Subject(ctx, id.Claims); err == nil {
		id.Subject = subject
	}
	if actor, err := m.Actor(ctx, id.Claims); err == nil {
		id.Actor = actor
	}
}

// complete adds to the identity what the policy, or else usage, makes of claims.
// Only a mapping that the policy writes refuses a token, and a chain of actors without
// end: what usage cannot read is absent.
func complete(ctx context.Context, m Mapper, id *authz.Identity) error {
	var err error
	if id.Subject, err = m.Subject(ctx, id.Claims); err == nil {
		if id.Scopes, err = m.Scopes(ctx, id.Claims); err == nil {
			if id.Groups, err = m.Groups(ctx, id.Claims); err == nil {
				id.Actor, err = m.Actor(ctx, id.Claims)
			}
		}
	}
	if err == nil { // whoever else the policy takes for the actor
		_, err = ActorOf(id.Claims["act"])
	}
	switch {
	case errors.Is(err, work.ErrOverloaded):
		return &Unavailable{Reason: authz.Overloaded, Detail: "too many heavy claim mappings are waiting, or this one takes longer than the time that is left"}
	case err != nil && ctx.Err() != nil:
		return &Unavailable{Reason: authz.Unavailable, Detail: "the claims could not be mapped in time"}
	case err != nil:
		return reject(authz.ClaimsRefused, err.Error())
	}
	id.CredentialID, _ = ClaimText(id.Claims["jti"])
	return nil
}

// ClaimText is a claim that is a text, or a whole number in decimal.
func ClaimText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case int64:
		return strconv.FormatInt(v, 10), true
	}
	return "", false
}
