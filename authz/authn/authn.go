// Package authn holds the kinds of credentials, one a file: where a kind is read
// in a request, how a 401 offers it, whose a credential is, and whether it holds.
// Nothing of a kind is anywhere else.
//
// An [Authenticator] is asked about one [Presented] credential. It answers with
// what it verified, with [ErrNotMine] ("no such credential here, try the next"),
// with a [*Rejected] or with an [*Unavailable]. It never decides what a caller
// receives: package policy does.
package authn

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/apikey"
)

// Authenticator checks credentials of one kind for one method of a policy.
type Authenticator interface {
	// Reads says where the method reads, and so what is stripped. It never
	// changes.
	Reads() Reads
	// Challenge offers the method in a 401 (RFC 9110 11.6.1); "" offers nothing.
	// presented says that a credential came in one of the method's places.
	Challenge(r *authz.Request, presented bool) string
	// Verify finds out what holds for the credential, whoever presents it and
	// whenever: a result may be kept for the same credential. The errors are
	// ErrNotMine, *Rejected and *Unavailable; any other is a defect. p is nil for
	// a method that reads nowhere. It is used again after the decision, so that
	// nothing but its texts may be held beyond.
	Verify(ctx context.Context, p *Presented) (*Verified, error)
	// Check finds out whether a verified credential holds for this request: at
	// this time, for this audience. It is asked on every use, as [Prover] is. The
	// error is a *Rejected.
	Check(r *authz.Request, v *Verified) error
}

// Reads is what a method reads of a request.
type Reads struct {
	// Places hold the credential. A method without places is asked only where
	// every place of the policy is empty.
	Places []Place
	// Tokens says that the method takes JWTs. No other method is shown one.
	Tokens bool
	// Asks says that the method asks others about a credential. It is asked after
	// all methods that do not, and not about a credential that one of them knows, or
	// cannot tell about now.
	Asks bool
	// Exchangeable says that the credential is an access token, which may be exchanged
	// for one for the upstream (RFC 8693).
	Exchangeable bool
	// Beside are headers that come with the credential, in lower case, each once.
	// BesideLists are such that hold lists. They are stripped with it.
	Beside, BesideLists []string
}

// Verified is a credential that was verified.
type Verified struct {
	Identity authz.Identity
	// holder is the entry of a Secret that holds the credential, if it is an API key.
	holder apikey.Holder
	// token says that the claims are those of a JWT, as [ParseToken] reads it.
	token bool
	// from is when the credential begins to hold; zero: Check knows.
	from time.Time
	// bound is what the credential is bound to; nil: it holds by itself.
	bound *confirmation
	// keyID is the `kid` of the key that verified a token, and certificate the thumbprint of
	// a client certificate: what revocations name.
	keyID       string
	certificate *[sha256.Size]byte
	// twin is the thumbprint of the other form of that certificate; nil if it has none.
	twin *[sha256.Size]byte
	// until is when the credential may be used no more without being verified
	// again; zero: Check knows.
	until time.Time
	// complete, if not nil, adds to the identity what expressions of the policy
	// make of the credential. mapper is what it goes by.
	complete func(context.Context, *authz.Identity) error
	mapper   Mapper
}

// Complete makes the identity complete. It is for a credential that Check let
// pass: nothing is evaluated for one that does not hold. The errors are those of
// Verify. The identity does not change after that.
func (v *Verified) Complete(ctx context.Context) error {
	if v.complete == nil {
		return nil
	}
	return v.complete(ctx, &v.Identity)
}

// Refused is whose a credential is that was verified and is refused all the same. It
// has neither scopes nor groups, since it is granted nothing. What a policy cannot make
// of the credential in the time of the decision is empty.
func (v *Verified) Refused(ctx context.Context) *authz.Identity {
	id := v.Identity
	if v.complete != nil && v.mapper != nil {
		addHolder(ctx, v.mapper, &id)
	}
	id.Scopes, id.Groups = nil, nil
	return &id
}

// ErrNotMine says that the credential belongs to another method, or to none.
var ErrNotMine = errors.New("the credential is not for this method")

// NotMine is ErrNotMine of a method that can say what came beside what was wanted,
// verified or not: for the step of a trace only. It never says the credential.
type NotMine interface {
	error
	Came() string
}

// Rejected says that the credential is this method's and does not hold. No other
// method is shown it.
type Rejected struct {
	Reason authz.Reason
	// Detail is for the operator. It holds what was verified, and never the
	// credential.
	Detail string
	// Verified is the credential where Verify itself rejects what it verified; else
	// nil: nothing is verified, or the caller of Check has it.
	Verified *Verified
	// Keyed says that the credential is for the scheme DPoP, BadProof that the proof
	// of it does not hold: what a challenge says of that (RFC 9449 7.1).
	Keyed, BadProof bool
	// Came says what came beside what was wanted, verified or not: for the step of
	// a trace only. It may be nil and never holds the credential.
	Came func() string
}

func (e *Rejected) Error() string { return string(e.Reason) + ": " + e.Detail }

func reject(reason authz.Reason, detail string) error {
	return &Rejected{Reason: reason, Detail: detail}
}

// Unavailable says that whether the credential holds cannot be known now.
type Unavailable struct {
	// Reason is Unavailable or Overloaded.
	Reason authz.Reason
	// RetryAfter is when asking again makes sense; 0 is unknown.
	RetryAfter time.Duration
	// Detail is for the operator.
	Detail string
}

func (e *Unavailable) Error() string { return string(e.Reason) + ": " + e.Detail }
