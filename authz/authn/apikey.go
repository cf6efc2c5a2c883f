package authn

import (
	"context"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/apikey"
)

// APIKey checks API keys.
type APIKey struct {
	Method string
	Keys   apikey.Table
}

// Authenticate implements [Authenticator].
func (a *APIKey) Authenticate(_ context.Context, r *authz.Request, p *Presented) (*authz.Identity, error) {
	if p.Malformed != "" {
		return nil, reject(authz.CredentialMalformed, p.Malformed)
	}
	key := a.Keys.Find(p.Value)
	switch {
	case key == nil:
		return nil, ErrNotMine
	case !key.Identity.ExpiresAt.IsZero() && !r.Time.Before(key.Identity.ExpiresAt):
		return nil, reject(authz.CredentialExpired, "the key "+key.Identity.CredentialID+" ended at "+
			key.Identity.ExpiresAt.UTC().Format(time.RFC3339))
	}
	id := key.Identity
	id.Method = a.Method
	return &id, nil
}
