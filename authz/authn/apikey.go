package authn

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
)

// Key is an API key without the key.
type Key struct {
	// Identity is a template: Method is filled in.
	Identity authz.Identity
	// Ambiguous says that two Secrets hold this key, so that it is nobody's.
	Ambiguous bool
}

// Keys finds a key by its digest, in a time that does not depend on how many
// there are. The digest is of the whole key, so what the look-up's time tells
// is about a hash that the caller cannot steer towards one of ours.
type Keys map[[sha256.Size]byte]*Key

// APIKey checks API keys.
type APIKey struct {
	Method string
	Keys   Keys
}

// Authenticate implements [Authenticator].
func (a *APIKey) Authenticate(_ context.Context, r *authz.Request, p *Presented) (*authz.Identity, error) {
	if p.Malformed != "" {
		return nil, reject(authz.CredentialMalformed, p.Malformed)
	}
	key := a.Keys[sha256.Sum256([]byte(p.Value))]
	switch {
	case key == nil || key.Ambiguous:
		return nil, ErrNotMine
	case !key.Identity.ExpiresAt.IsZero() && !r.Time.Before(key.Identity.ExpiresAt):
		return nil, reject(authz.CredentialExpired, "the key "+key.Identity.CredentialID+" ended at "+
			key.Identity.ExpiresAt.UTC().Format(time.RFC3339))
	}
	id := key.Identity
	id.Method = a.Method
	return &id, nil
}
