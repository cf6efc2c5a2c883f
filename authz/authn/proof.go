package authn

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/store"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// Prover is an Authenticator whose credentials may be bound to a key or to a client
// certificate.
type Prover interface {
	Authenticator
	// Prove finds out whether whoever sent this request holds what the credential is
	// bound to. It is asked on every use, after Verify and Check, and never kept. The
	// errors are a *Rejected and an *Unavailable.
	Prove(ctx context.Context, r *authz.Request, p *Presented, v *Verified) error
	// Offer are the challenges in a 401, in place of that of Challenge; "" is none.
	// place held the credential, if one came; rejected says why it was not accepted,
	// if the method rejected it.
	Offer(place *Place, rejected *Rejected) [2]string
	// Possession is what is said of the method before a credential came.
	Possession() Possession
}

// Possession says what credentials of a method may be bound to, and must be.
type Possession struct {
	// DPoP: a token that is bound to a key, and to nothing else, can be accepted.
	DPoP bool
	// NeedsDPoP: each token must be bound to a key. NeedsCertificate: each must be
	// bound to a client certificate. A method that takes either needs neither.
	NeedsDPoP, NeedsCertificate bool
}

// ProverOf is the Prover that an authenticator is, or is wrapped around; nil if none.
func ProverOf(a Authenticator) Prover {
	if w, ok := a.(interface{ Unwrap() Authenticator }); ok {
		a = w.Unwrap()
	}
	p, _ := a.(Prover)
	return p
}

// Proofs hold tokens to what they are bound to: to a key (DPoP, RFC 9449), to a client
// certificate (RFC 8705), or to both. A token that is bound to nothing holds by itself,
// unless something is required. The zero Proofs accept no token that is bound to a key.
type Proofs struct {
	// DPoP and Certificate: a token must be bound to a key, or to a certificate; if
	// both are true, to one of them at least.
	DPoP, Certificate bool
	// TrustXFCC: proxies alone write x-forwarded-client-cert, and the certificate of
	// its last element is the client's.
	TrustXFCC bool

	// Owner is whose turn a slow signature of a proof waits for, and whose place in
	// the store a proof takes.
	Owner     work.Owner
	Scheduler *work.Scheduler
	Replay    store.Replay
}

// prove finds out whether the sender of a request holds what a token is bound to.
// skew is how far the clocks of the sender and of agentauth may differ.
func (h *Proofs) prove(ctx context.Context, r *authz.Request, p *Presented, bound *confirmation, skew time.Duration) error {
	if p == nil {
		return reject(authz.ProofRequired, "a token that came in no place cannot be proven")
	}
	underDPoP := p.Place.Scheme == dpopScheme
	switch {
	case bound == nil && !h.DPoP && !h.Certificate && !underDPoP: // a bearer token
		return nil
	case bound != nil && bound.unknown != "":
		return reject(authz.ProofRequired, bound.unknown)
	case bound != nil && bound.key != nil && !underDPoP:
		return &Rejected{Reason: authz.ProofRequired, Keyed: true,
			Detail: "the token is bound to a key (cnf.jkt), so it comes under the scheme DPoP with a proof in the header dpop (RFC 9449 7.1), and it came under another one or none"}
	case underDPoP && (bound == nil || bound.key == nil):
		return &Rejected{Reason: authz.UnknownCredential,
			Detail: "the token came under the scheme DPoP and is bound to no key (cnf.jkt): it is no token of that scheme (RFC 9449 7.1)"}
	case (h.DPoP || h.Certificate) && !h.satisfied(bound):
		return &Rejected{Reason: authz.ProofRequired, Keyed: h.DPoP, Detail: "the policy requires a token that is bound to " + h.wanted() + ", and this one is not"}
	}
	if bound.certificate != nil {
		if err := h.proveCertificate(r, bound.certificate); err != nil {
			return err
		}
	}
	if bound.key != nil {
		return h.proveKey(ctx, r, p, bound.key, skew)
	}
	return nil
}

// satisfied says whether a token is bound as the policy requires.
func (h *Proofs) satisfied(bound *confirmation) bool {
	return bound != nil && (h.DPoP && bound.key != nil || h.Certificate && bound.certificate != nil)
}

func (h *Proofs) wanted() string {
	switch {
	case !h.Certificate:
		return "a key (cnf.jkt, RFC 9449)"
	case !h.DPoP:
		return "a client certificate (cnf.x5t#S256, RFC 8705)"
	}
	return "a key (cnf.jkt, RFC 9449) or a client certificate (cnf.x5t#S256, RFC 8705)"
}

// Challenges of the scheme DPoP (RFC 9449 7.1) and of Bearer (RFC 6750 3).
var (
	algs         = `algs="` + strings.Join(ProofAlgorithms, " ") + `"`
	offerDPoP    = "DPoP " + algs
	invalidDPoP  = `DPoP error="invalid_token", ` + algs
	invalidProof = `DPoP error="invalid_dpop_proof", ` + algs
)

const (
	offerBearer   = "Bearer"
	invalidBearer = `Bearer error="invalid_token"`
)

// possession is that of a method which reads its tokens from places.
func (h *Proofs) possession(from []Place) Possession {
	return Possession{
		DPoP:             (h.DPoP || !h.Certificate) && slices.ContainsFunc(tokenPlaces(from), Place.UnderDPoP),
		NeedsDPoP:        h.DPoP && !h.Certificate,
		NeedsCertificate: h.Certificate && !h.DPoP,
	}
}

// offer are the challenges of a method. DPoP is offered where the policy requires it,
// and to a caller who tries it or has a token for it.
func (h *Proofs) offer(place *Place, rejected *Rejected) (out [2]string) {
	bearer, dpop := offerBearer, ""
	if h.DPoP || rejected != nil && rejected.Keyed {
		dpop = offerDPoP
	}
	if h.DPoP && !h.Certificate {
		bearer = ""
	}
	switch {
	case place == nil:
	case place.Scheme == dpopScheme && rejected != nil && rejected.BadProof:
		return [2]string{invalidProof, bearer}
	case place.Scheme == dpopScheme:
		return [2]string{invalidDPoP, bearer}
	case bearer == "":
		dpop = invalidDPoP
	default:
		bearer = invalidBearer
	}
	return [2]string{bearer, dpop}
}

// seen says whether the store has the proof, and keeps it for so long.
// A rehearsal keeps nothing, and so does not ask: whoever has a decision explained must
// not use up the proof of another.
func (h *Proofs) seen(ctx context.Context, key [32]byte, keep time.Duration) error {
	if work.IsRehearsal(ctx) {
		return nil
	}
	if h.Replay == nil {
		return &Unavailable{Reason: authz.Unavailable, Detail: "whether the proof was used before cannot be known: there is no store of proofs"}
	}
	switch seen, err := h.Replay.Seen(ctx, h.Owner.Namespace, key, keep); {
	case errors.Is(err, store.ErrFull), errors.Is(err, store.ErrBusy):
		return &Unavailable{Reason: authz.Overloaded, Detail: "whether a proof was used before cannot be known: " + err.Error()}
	case err != nil:
		return &Unavailable{Reason: authz.Unavailable, Detail: "whether the proof was used before cannot be known: " + brief(err.Error())}
	case seen:
		return &Rejected{Reason: authz.ProofReplayed, BadProof: true, Keyed: true, Detail: "the proof was used before: each request needs one of its own (RFC 9449 11.1)"}
	}
	return nil
}
