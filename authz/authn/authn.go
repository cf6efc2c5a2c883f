// Package authn holds the kinds of credentials, one a file: how each is read
// from a request, whose it is, and whether it holds.
//
// An [Authenticator] is asked about one [Presented] credential. It answers
// with an identity, with [ErrNotMine] ("no such credential here, try the
// next"), with a [*Rejected] or with an [*Unavailable]. It never decides what
// a caller receives: package engine does.
package authn

import (
	"context"
	"errors"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
)

// Authenticator checks credentials of one kind for one method of a policy.
type Authenticator interface {
	// Authenticate checks what one of the method's places holds. The errors
	// are ErrNotMine, *Rejected and *Unavailable; any other is a defect.
	Authenticate(ctx context.Context, r *authz.Request, p *Presented) (*authz.Identity, error)
}

// ErrNotMine says that the credential belongs to another method, or to none.
var ErrNotMine = errors.New("the credential is not for this method")

// Rejected says that the credential is this method's and does not hold.
// Nobody else is shown it.
type Rejected struct {
	Reason authz.Reason
	// Detail is for the operator. It never holds the credential.
	Detail string
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
