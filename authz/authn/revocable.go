package authn

import (
	"strings"

	"github.com/agentauth-dev/agentauth/authz/revoke"
)

// Revocable is the credential as revocations name it, once it is complete.
func (v *Verified) Revocable() revoke.Credential {
	c := revoke.Credential{Identity: &v.Identity, KeyID: v.keyID, Secret: strings.TrimPrefix(v.holder.String(), "Secret ")}
	c.Thumbprints[0], c.Thumbprints[3] = v.certificate, v.twin
	if v.bound != nil {
		c.Thumbprints[1], c.Thumbprints[2] = v.bound.certificate, v.bound.key
	}
	return c
}
