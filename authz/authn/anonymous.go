package authn

import (
	"context"

	"github.com/agentauth-dev/agentauth/authz"
)

// Anonymous accepts requests without any credential. It reads nowhere, so it is
// never asked beside a credential, good or bad.
type Anonymous struct{ Method string }

// Reads implements [Authenticator].
func (a *Anonymous) Reads() Reads { return Reads{} }

// Challenge implements [Authenticator].
func (a *Anonymous) Challenge(*authz.Request, bool) string { return "" }

// Verify implements [Authenticator].
func (a *Anonymous) Verify(context.Context, *Presented) (*Verified, error) {
	return &Verified{Identity: authz.Identity{Method: a.Method}}, nil
}

// Check implements [Authenticator].
func (a *Anonymous) Check(*authz.Request, *Verified) error { return nil }
