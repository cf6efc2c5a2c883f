package authn

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/jwks"
	"github.com/agentauth-dev/agentauth/authz/limit"
)

// JWT checks signed tokens (RFC 7519).
type JWT struct {
	// Method is the method's name, Tenant whose queue slow signatures wait in.
	Method, Tenant string
	// Issuer is what `iss` must be. With AnyIssuer the method owns every token
	// that none of OtherIssuers names.
	Issuer       string
	AnyIssuer    bool
	OtherIssuers []string
	// Audiences: one of them must be in `aud`, unless AnyAudience.
	Audiences   []string
	AnyAudience bool
	Algorithms  []string
	// TokenTypes are in lower case, without "application/"; NoType accepts
	// tokens that do not say.
	TokenTypes []string
	NoType     bool
	ClockSkew  time.Duration

	// Secret or Keys verify signatures.
	Secret []byte
	Keys   jwks.Set
	// Missing says why there is neither; the method is unavailable for the
	// tokens it owns then.
	Missing string
	// Slow bounds how many expensive signatures are checked at once.
	Slow *limit.Limiter

	// Map makes subject, scopes and groups of the claims.
	Map Mapper
}

// Mapper makes an identity's values of claims. Its errors are for the
// operator and hold no claim's value.
type Mapper interface {
	Subject(ctx context.Context, claims map[string]any) (string, error)
	Scopes(ctx context.Context, claims map[string]any) ([]string, error)
	Groups(ctx context.Context, claims map[string]any) ([]string, error)
}

// Authenticate implements [Authenticator].
func (j *JWT) Authenticate(ctx context.Context, r *authz.Request, p *Presented) (*authz.Identity, error) {
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
	if !slices.Contains(j.Algorithms, t.Algorithm) {
		return nil, reject(authz.SignatureInvalid, "its algorithm is not one the policy accepts: "+strings.Join(j.Algorithms, ", "))
	}
	if err := j.verify(ctx, t); err != nil {
		return nil, err
	}
	expires, err := j.checkTime(t, r.Time)
	if err != nil {
		return nil, err
	}
	audiences, err := j.checkAudience(t)
	if err != nil {
		return nil, err
	}
	if _, bound := t.Claims["cnf"]; bound {
		return nil, reject(authz.ProofRequired, "the token is bound to a key (cnf) and proofs of possession are not checked here")
	}
	return j.identity(ctx, t, expires, audiences)
}

func (j *JWT) owns(t *Token) bool {
	if j.AnyIssuer {
		return !slices.Contains(j.OtherIssuers, t.Issuer)
	}
	return t.HasIssuer && t.Issuer == j.Issuer
}

// checkType keeps tokens that were made for another purpose out (RFC 8725 3.11).
func (j *JWT) checkType(t *Token) error {
	typ := strings.TrimPrefix(strings.ToLower(t.Type), "application/")
	if !t.HasType && j.NoType || t.HasType && slices.Contains(j.TokenTypes, typ) {
		return nil
	}
	return reject(authz.TokenTypeRefused, "its typ is not one the policy accepts: "+strings.Join(j.TokenTypes, ", "))
}

func (j *JWT) checkTime(t *Token, now time.Time) (expires time.Time, err error) {
	exp, ok := numericDate(t.Claims["exp"])
	if !ok {
		return expires, reject(authz.CredentialMalformed, "exp is required and is seconds since 1970 as a JSON number (RFC 7519 4.1.4)")
	}
	if !now.Before(exp.Add(j.ClockSkew)) {
		return expires, reject(authz.TokenExpired, "it ended at "+exp.UTC().Format(time.RFC3339))
	}
	if v, present := t.Claims["nbf"]; present {
		nbf, ok := numericDate(v)
		if !ok {
			return expires, reject(authz.CredentialMalformed, "nbf is no JSON number of seconds (RFC 7519 4.1.5)")
		}
		if now.Before(nbf.Add(-j.ClockSkew)) {
			return expires, reject(authz.TokenNotYetValid, "it begins at "+nbf.UTC().Format(time.RFC3339))
		}
	}
	return exp, nil
}

// numericDate reads RFC 7519 2's NumericDate; years before 1970 or after 9999
// are no dates.
func numericDate(v any) (time.Time, bool) {
	const end = 253402300800
	switch n := v.(type) {
	case int64:
		if n >= 0 && n < end {
			return time.Unix(n, 0), true
		}
	case float64:
		if n >= 0 && n < end {
			return time.Unix(int64(n), 0), true
		}
	}
	return time.Time{}, false
}

func (j *JWT) checkAudience(t *Token) ([]string, error) {
	audiences, ok := stringOrList(t.Claims["aud"])
	if !ok {
		return nil, reject(authz.CredentialMalformed, "aud is no string and no list of strings (RFC 7519 4.1.3)")
	}
	if !j.AnyAudience && !slices.ContainsFunc(audiences, func(a string) bool { return slices.Contains(j.Audiences, a) }) {
		return nil, reject(authz.AudienceMismatch, "aud names none of: "+strings.Join(j.Audiences, ", "))
	}
	return audiences, nil
}

func stringOrList(v any) ([]string, bool) {
	switch v := v.(type) {
	case nil:
		return nil, true
	case string:
		return []string{v}, true
	case []any:
		out := make([]string, 0, len(v))
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				return nil, false
			}
			out = append(out, s)
		}
		return out, true
	}
	return nil, false
}

func (j *JWT) identity(ctx context.Context, t *Token, expires time.Time, audiences []string) (*authz.Identity, error) {
	id := &authz.Identity{
		Method: j.Method, Issuer: t.Issuer, Audiences: audiences, Claims: t.Claims, ExpiresAt: expires,
	}
	var err error
	if id.Subject, err = j.Map.Subject(ctx, t.Claims); err == nil {
		if id.Scopes, err = j.Map.Scopes(ctx, t.Claims); err == nil {
			id.Groups, err = j.Map.Groups(ctx, t.Claims)
		}
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, &Unavailable{Reason: authz.Unavailable, Detail: "the claims could not be mapped in time"}
	case err != nil:
		return nil, reject(authz.ClaimsRefused, err.Error())
	}
	if jti, ok := t.Claims["jti"]; ok {
		if id.CredentialID, ok = jti.(string); !ok {
			return nil, reject(authz.ClaimsRefused, "jti is no string")
		}
	}
	if act, ok := t.Claims["act"]; ok {
		if id.Actor, ok = actor(act); !ok {
			return nil, reject(authz.ClaimsRefused, "act is no object whose sub and iss are strings (RFC 8693 4.1)")
		}
	}
	return id, nil
}

func actor(v any) (*authz.Actor, bool) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, false
	}
	a := &authz.Actor{}
	if sub, present := m["sub"]; present {
		if a.Subject, ok = sub.(string); !ok {
			return nil, false
		}
	}
	if iss, present := m["iss"]; present {
		if a.Issuer, ok = iss.(string); !ok {
			return nil, false
		}
	}
	return a, true
}
