package authn

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/keyed"
)

// Introspection checks tokens by asking their authorization server (RFC 7662).
type Introspection struct {
	// Method is the method's name.
	Method string
	// Server answers. ServerID stands for it and for the client that asks: equal
	// ones get the same answers.
	Server   Introspector
	ServerID [sha256.Size]byte
	// Missing says why nobody can be asked; the method is unavailable for the tokens
	// it owns then.
	Missing string

	// Issuer is what `iss` of an answer must be, if it has one; "" is any.
	Issuer string
	// Audiences: one of them must be in `aud`, unless AnyAudience.
	Audiences   []string
	AnyAudience bool
	// CacheTTL is how long an answer may be used.
	CacheTTL time.Duration
	// AcceptJWT owns JWTs too, but for those of OtherIssuers, and for all if
	// OthersOwnJWTs.
	AcceptJWT     bool
	OtherIssuers  []string
	OthersOwnJWTs bool
	// Cluster owns its own tokens: they are shown to no other server.
	Cluster ClusterIssuer
	// From are the places of the token; none is the authorization header with
	// the scheme Bearer. Where one has Bearer, the scheme DPoP is read as well.
	From []Place
	// Proofs hold tokens to what they are bound to.
	Proofs Proofs

	// Map makes subject, scopes and groups of the members of an answer.
	Map Mapper
}

// Introspector asks an authorization server. An error is an *Unavailable.
type Introspector interface {
	Introspect(ctx context.Context, q Question) (*Answer, error)
}

// Question is about a token.
type Question struct {
	Token string
	// Digest is the SHA-256 of the token.
	Digest [sha256.Size]byte
	// Fresh is how old an answer may be that says the token is not active.
	Fresh time.Duration
	// About is what is asked where it is no token.
	About any
}

// Answer is what a server says of a token. It never changes.
type Answer struct {
	Active bool
	// Claims are the members of the answer but `active`, of a token that is active.
	Claims map[string]any
	// Asked is when the server was asked.
	Asked time.Time
}

const (
	// inactiveFor is how long it is remembered that a token is not active, at most.
	inactiveFor = 5 * time.Second
	// answerSkew is how far the clocks of the server and of agentauth may differ. The
	// server checked the times itself.
	answerSkew = 30 * time.Second
)

// ErrInactive is ErrNotMine of a method whose server says that the token is not
// active. Another server may know it.
var ErrInactive error = inactive{}

type inactive struct{}

func (inactive) Error() string        { return ErrNotMine.Error() }
func (inactive) Is(target error) bool { return target == ErrNotMine }

// Came implements [NotMine].
func (inactive) Came() string {
	return "the server says that the token is not active: it never was a token of this server, was revoked, or ended"
}

// Reads implements [Authenticator]. A proof of possession comes beside the token
// (RFC 9449 4.1), and the client certificate may come in a header of the proxy.
func (i *Introspection) Reads() Reads {
	return Reads{Places: tokenPlaces(i.From), Tokens: i.AcceptJWT, Asks: true, Exchangeable: true, Beside: []string{"dpop"}, BesideLists: i.Proofs.besideLists()}
}

// Challenge implements [Authenticator] (RFC 6750 3).
func (i *Introspection) Challenge(r *authz.Request, presented bool) string {
	return (*JWT)(nil).Challenge(r, presented)
}

// Verify implements [Authenticator].
func (i *Introspection) Verify(ctx context.Context, p *Presented) (*Verified, error) {
	if p.Malformed != "" {
		return nil, malformed(p.Malformed)
	}
	if err := i.own(p); err != nil {
		return nil, err
	}
	if !isAccessToken(p.Value) {
		return nil, malformed("a token is at most 16 KiB of visible ASCII (RFC 6749 A.12)")
	}
	if i.Missing != "" {
		return nil, &Unavailable{Reason: authz.Unavailable, Detail: i.Missing}
	}
	answer, err := i.Server.Introspect(ctx, Question{Token: p.Value, Digest: p.Digest(), Fresh: min(i.CacheTTL, inactiveFor)})
	switch {
	case err != nil:
		return nil, err
	case !answer.Active:
		return nil, ErrInactive
	}
	return i.accept(answer, p)
}

// own is nil for a token that the method owns: one that is no JWT, or a JWT that no
// other method owns.
func (i *Introspection) own(p *Presented) error {
	t, err := p.Token()
	switch {
	case errors.Is(err, ErrNotToken):
		return nil
	case !i.AcceptJWT || i.OthersOwnJWTs:
		return ErrNotMine
	case err != nil:
		return err
	case slices.Contains(i.OtherIssuers, t.Issuer), t.HasIssuer && i.Cluster.mayOwn(t.Issuer), i.Issuer != "" && t.HasIssuer && t.Issuer != i.Issuer:
		return ErrNotMine
	}
	return nil
}

func isAccessToken(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return s != "" && len(s) <= authz.MaxToken
}

// accept holds an answer to what the policy asks of it, whoever presents the token.
func (i *Introspection) accept(answer *Answer, p *Presented) (*Verified, error) {
	claims := answer.Claims
	iss, has := claims["iss"].(string)
	if !has {
		iss = i.Issuer
	}
	v := &Verified{bound: boundBy(claims, p), Identity: authz.Identity{Method: i.Method, Issuer: iss, Claims: claims}, until: answer.Asked.Add(i.CacheTTL)}
	if t, err := p.Token(); err == nil { // the server vouches for what the token says
		v.keyID = strings.Clone(t.KeyID)
	}
	v.Identity.Audiences = stringOrList(claims["aud"])
	if exp, ends := numericDate(claims["exp"]); ends {
		v.Identity.ExpiresAt = exp
		if exp.Before(v.until) {
			v.until = exp
		}
	}
	v.completeBy(i.Map)
	if has && i.Issuer != "" && iss != i.Issuer {
		return nil, &Rejected{Reason: authz.IssuerMismatch, Detail: "the server says that the token is of another issuer than the policy's", Verified: v,
			Came: func() string { return "iss is " + Quote(iss) + ", wanted " + Quote(i.Issuer) }}
	}
	if rejected := checkAnswerType(claims, v.bound); rejected != nil {
		rejected.Verified = v
		return nil, rejected
	}
	return v, nil
}

// boundBy is what a token is bound to by an answer, else by the token itself, which the
// server vouches for: one that left cnf out of its answer makes no bearer token of it.
func boundBy(claims map[string]any, p *Presented) *confirmation {
	if bound := readConfirmation(claims); bound != nil {
		return bound
	}
	t, err := p.Token()
	if err != nil {
		return nil
	}
	return readConfirmation(t.Claims)
}

// checkAnswerType keeps out what is no access token to be borne. Servers answer for
// refresh tokens as well (RFC 7662 2.1), and most of them say so in one of these
// members. A token of type DPoP is one that is bound to a key (RFC 9449 6.2).
func checkAnswerType(claims map[string]any, bound *confirmation) *Rejected {
	typ := lowerText(claims["token_type"])
	switch typ {
	case "", "bearer", "access_token":
	case "dpop":
		if bound == nil || bound.key == nil {
			return &Rejected{Reason: authz.ProofRequired, Detail: "the server says that the token is bound to a key (token_type DPoP), and not to which (cnf.jkt): nobody can prove it"}
		}
	default:
		return &Rejected{Reason: authz.TokenTypeRefused, Detail: "the server says that the token_type is another one than Bearer (RFC 6749 7.1)"}
	}
	use := lowerText(claims["token_use"])
	if use != "" && use != "access" && use != "access_token" || slices.Contains([]string{"refresh", "offline", "id", "logout"}, lowerText(claims["typ"])) {
		return &Rejected{Reason: authz.TokenTypeRefused, Detail: "the server says that it is no access token (token_use or typ)"}
	}
	return nil
}

func lowerText(v any) string {
	s, _ := v.(string)
	return authz.Lower(s)
}

// Check implements [Authenticator].
func (i *Introspection) Check(r *authz.Request, v *Verified) error {
	claims := v.Identity.Claims
	if err := checkTime(claims, r.Time, answerSkew); err != nil {
		return err
	}
	return checkAudience(&v.Identity, i.Audiences, i.AnyAudience)
}

var _ Prover = (*Introspection)(nil)

// Prove implements [Prover].
func (i *Introspection) Prove(ctx context.Context, r *authz.Request, p *Presented, v *Verified) error {
	return i.Proofs.prove(ctx, r, p, v.bound, answerSkew)
}

// Offer implements [Prover].
func (i *Introspection) Offer(place *Place, rejected *Rejected) [2]string {
	return i.Proofs.offer(place, rejected)
}

// Possession implements [Prover].
func (i *Introspection) Possession() Possession { return i.Proofs.possession(i.From) }

// ParseAnswer reads an answer (RFC 7662 2.2). The error says what is wrong with it,
// and nothing of what it holds.
func ParseAnswer(body []byte) (*Answer, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, errors.New("the answer is empty")
	}
	claims, err := parseObject(body)
	if err != nil {
		return nil, errors.New("the answer " + err.Error())
	}
	return answerOf(claims)
}

// answerOf holds the members of an answer to RFC 7662 2.2.
func answerOf(claims map[string]any) (*Answer, error) {
	active, ok := claims["active"].(bool)
	if !ok {
		return nil, errors.New("the answer has no active that is a bool (RFC 7662 2.2)")
	}
	if !active {
		return &Answer{}, nil
	}
	delete(claims, "active")
	dropNulls(claims)
	for name, sound := range soundMembers {
		if v, present := claims[name]; present && !sound(v) {
			return nil, errors.New("the answer has an unusable " + name + " (RFC 7662 2.2): it is " + kind(v))
		}
	}
	return &Answer{Active: true, Claims: claims}, nil
}

// soundMembers are the members that decide whether a token holds. A server that
// writes them otherwise is not believed at all.
var soundMembers = map[string]func(any) bool{
	"iss": isText, "token_type": isText, "exp": isDate, "nbf": isDate,
	"aud": func(v any) bool { return stringOrList(v) != nil },
}

func isText(v any) bool { _, ok := v.(string); return ok }
func isDate(v any) bool { _, ok := numericDate(v); return ok }

var _ Keepable = (*Introspection)(nil)

// Inputs implements [Keepable]. Without a CacheTTL nothing is kept.
func (i *Introspection) Inputs() (keyed.Digest, bool) {
	m, ok := i.Map.(Mapped)
	if !ok || i.Missing != "" || i.CacheTTL <= 0 {
		return keyed.Digest{}, false
	}
	in := [][]byte{i.ServerID[:], []byte(i.Method), []byte(i.Issuer), []byte(i.CacheTTL.String())}
	in = appendInputs(in, []bool{i.AnyAudience, i.AcceptJWT, i.OthersOwnJWTs, i.Cluster != nil}, i.OtherIssuers, i.Audiences, m.Texts())
	return keyed.Of("introspection", in...), true
}

// State implements [Keepable]. A server tells nobody what it revokes.
func (i *Introspection) State() (State, bool) { return State{}, true }

// Ends implements [Keepable].
func (i *Introspection) Ends(v *Verified) time.Time { return v.until }

// Disowns implements [Keepable]. That another server knows the token says nothing of
// this one.
func (i *Introspection) Disowns(v *Verified) bool {
	if !v.token {
		return false
	}
	iss, has := v.Identity.Claims["iss"].(string)
	return !i.AcceptJWT || i.OthersOwnJWTs || slices.Contains(i.OtherIssuers, iss) || has && i.Cluster.mayOwn(iss) || i.Issuer != "" && has && iss != i.Issuer
}
