package authz

import "time"

// Identity is who a request comes from, as one authentication method
// established it. Expressions read it as `identity` and `identities["name"]`.
type Identity struct {
	// Method is the name of the method in the policy.
	Method string
	// Issuer is who vouches for the identity: `iss` of a token, else "".
	Issuer string
	// Subject is the principal: a user name, `sub`, or the name of a key's
	// Secret; "" for anonymous and for a token without `sub`.
	Subject string
	// Audiences, Scopes and Groups are never nil-sensitive: empty is none.
	Audiences, Scopes, Groups []string
	// Actor is the outermost `act` of a token (RFC 8693 4.1); nil if none.
	Actor *Actor
	// Claims is the token's payload, or the claims of an API key.
	Claims map[string]any
	// CredentialID is a token's jti or an API key's id: what may be logged.
	CredentialID string
	// ExpiresAt is the end of the credential; the zero time is none.
	ExpiresAt time.Time
}

// Actor is who acts on behalf of the subject.
type Actor struct{ Issuer, Subject string }
