// Package jwks holds the keys that tokens are verified with (RFC 7517): read
// strictly, fetched, refreshed and rotated without a request ever waiting for
// more than it has to.
//
// A [Set] is what a verifier asks. [Static] is one for keys that a policy
// holds; [Remote] is one for a JWKS URL or an issuer, found by discovery.
//
// A good set of keys is replaced by another good set only. Neither an answer
// that is no key set nor a provider that is down changes what verifies, for 24 h.
package jwks
