package authn

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/keyed"
)

// KubernetesToken checks tokens of ServiceAccounts by asking the API server
// (TokenReview).
type KubernetesToken struct {
	// Method is the method's name.
	Method string
	// Issuer is that of the cluster's tokens.
	Issuer ClusterIssuer
	// Server answers. ServerID stands for it: equal ones get the same answers. The
	// claims of an answer are `username`, `uid`, `audiences` and `extra`.
	Server   Introspector
	ServerID [sha256.Size]byte
	// Missing says why nobody can be asked; the method is unavailable for the tokens
	// that it may own then.
	Missing string

	// Audiences: one of them must be in `aud`, and in the answer.
	Audiences []string
	// CacheTTL is how long an answer may be used.
	CacheTTL time.Duration
	// OtherIssuers are those of other methods. Their tokens are not the cluster's
	// while its issuer is not known.
	OtherIssuers []string
	// From are the places of the token; none is the authorization header with
	// the scheme Bearer.
	From []Place
}

// ClusterIssuer is the issuer of the cluster's own tokens; "" while it is not known.
// It is nil for a method beside which no other takes tokens of the cluster.
type ClusterIssuer func() string

// mayOwn says whether a token of an issuer is one of the cluster, as far as is known.
func (c ClusterIssuer) mayOwn(issuer string) bool {
	if c == nil {
		return false
	}
	own := c()
	return own == "" || own == issuer
}

// Reads implements [Authenticator].
func (k *KubernetesToken) Reads() Reads {
	places := k.From
	if len(places) == 0 {
		places = []Place{{In: InHeader, Name: "authorization", Scheme: "bearer"}}
	}
	return Reads{Places: places, Tokens: true, Asks: true}
}

// Challenge implements [Authenticator] (RFC 6750 3).
func (k *KubernetesToken) Challenge(r *authz.Request, presented bool) string {
	return (*JWT)(nil).Challenge(r, presented)
}

// Verify implements [Authenticator]. The API server is not asked about a token that
// says itself that it does not hold here.
func (k *KubernetesToken) Verify(ctx context.Context, p *Presented) (*Verified, error) {
	if p.Malformed != "" {
		return nil, malformed(p.Malformed)
	}
	t, err := p.Token()
	if errors.Is(err, ErrNotToken) {
		return nil, ErrNotMine
	}
	if err == nil {
		err = k.own(t)
	}
	if err == nil {
		err = k.claims(t, p.Time)
	}
	if err != nil {
		return nil, err
	}
	answer, err := k.Server.Introspect(ctx, Question{Token: p.Value, Digest: p.Digest(), Fresh: min(k.CacheTTL, inactiveFor)})
	switch {
	case err != nil:
		return nil, err
	case !answer.Active:
		return nil, reject(authz.TokenReviewRefused, "the API server says that the token does not hold: it is forged, or ended, or its ServiceAccount, pod or Secret is gone")
	}
	return k.accept(answer, t)
}

// own is nil for a token of the cluster.
func (k *KubernetesToken) own(t *Token) error {
	issuer := k.Issuer()
	switch {
	case !t.HasIssuer, issuer != "" && t.Issuer != issuer, issuer == "" && slices.Contains(k.OtherIssuers, t.Issuer):
		return ErrNotMine
	case k.Missing != "":
		return &Unavailable{Reason: authz.Unavailable, Detail: k.Missing}
	case issuer == "":
		return &Unavailable{Reason: authz.Unavailable, RetryAfter: time.Second, Detail: "the issuer of the cluster's tokens is not known yet: the API server could not be asked for it"}
	}
	return nil
}

// claims checks what a token says of itself, unverified.
func (k *KubernetesToken) claims(t *Token, now time.Time) error {
	if t.Claims["exp"] == nil {
		return malformed(noDate("exp", "4.1.4", nil))
	}
	if err := checkTime(t.Claims, now, answerSkew); err != nil {
		return err
	}
	return checkAudience(&authz.Identity{Claims: t.Claims, Audiences: stringOrList(t.Claims["aud"])}, k.Audiences, false)
}

// What the API server says of a token beside the user.
const (
	extraPod        = "authentication.kubernetes.io/pod-name"
	extraNode       = "authentication.kubernetes.io/node-name"
	extraCredential = "authentication.kubernetes.io/credential-id" // #nosec G101 -- a name
)

// accept makes the identity of an answer.
func (k *KubernetesToken) accept(answer *Answer, t *Token) (*Verified, error) {
	username, _ := answer.Claims["username"].(string)
	account, ok := strings.CutPrefix(username, "system:serviceaccount:")
	namespace, name, two := strings.Cut(account, ":")
	if !ok || !two || namespace == "" || name == "" {
		return nil, &Unavailable{Reason: authz.Unavailable, Detail: "the API server says that the token is of somebody who is no ServiceAccount"}
	}
	claims := map[string]any{"iss": strings.Clone(t.Issuer), "sub": username, "aud": answer.Claims["audiences"], "exp": t.Claims["exp"],
		"namespace": namespace, "serviceaccount": name, "uid": answer.Claims["uid"]}
	if extra, ok := answer.Claims["extra"].(map[string]any); ok && len(extra) > 0 {
		claims["extra"] = extra
		for claim, of := range map[string]string{"pod": extraPod, "node": extraNode, "jti": extraCredential} {
			if values := stringOrList(extra[of]); len(values) == 1 {
				claims[claim] = strings.TrimPrefix(values[0], "JTI=")
			}
		}
	}
	v := &Verified{Identity: authz.Identity{Method: k.Method, Issuer: strings.Clone(t.Issuer), Subject: username, Claims: claims}, token: true, keyID: strings.Clone(t.KeyID)}
	id := &v.Identity
	id.Audiences, id.Groups = stringOrList(claims["aud"]), stringOrList(answer.Claims["groups"])
	id.CredentialID, _ = claims["jti"].(string)
	id.ExpiresAt, _ = numericDate(t.Claims["exp"])
	v.until = answer.Asked.Add(k.CacheTTL)
	if id.ExpiresAt.Before(v.until) {
		v.until = id.ExpiresAt
	}
	return v, nil
}

// Check implements [Authenticator].
func (k *KubernetesToken) Check(r *authz.Request, v *Verified) error {
	if err := checkTime(v.Identity.Claims, r.Time, answerSkew); err != nil {
		return err
	}
	return checkAudience(&v.Identity, k.Audiences, false)
}

// Account is what the cluster knows of the account of a KubernetesToken beside its
// username and groups.
func Account(id *authz.Identity) (uid string, extra map[string][]string) {
	uid, _ = id.Claims["uid"].(string)
	all, _ := id.Claims["extra"].(map[string]any)
	extra = make(map[string][]string, len(all))
	for name, values := range all {
		extra[name] = stringOrList(values)
	}
	return uid, extra
}

var _ Keepable = (*KubernetesToken)(nil)

// Inputs implements [Keepable]. Without a CacheTTL nothing is kept.
func (k *KubernetesToken) Inputs() (keyed.Digest, bool) {
	if k.Missing != "" || k.CacheTTL <= 0 {
		return keyed.Digest{}, false
	}
	in := [][]byte{k.ServerID[:], []byte(k.Method), []byte(k.CacheTTL.String())}
	return keyed.Of("kubernetes token", appendInputs(in, nil, k.OtherIssuers, k.Audiences)...), true
}

// State implements [Keepable]: nothing is known of a token while the issuer is not.
func (k *KubernetesToken) State() (State, bool) {
	issuer := k.Issuer()
	return State(keyed.Of("cluster issuer", []byte(issuer))), issuer != ""
}

// Ends implements [Keepable].
func (k *KubernetesToken) Ends(v *Verified) time.Time { return v.until }

// Disowns implements [Keepable].
func (k *KubernetesToken) Disowns(v *Verified) bool {
	iss, has := v.Identity.Claims["iss"].(string)
	return v.token && (!has || !k.Issuer.mayOwn(iss))
}
