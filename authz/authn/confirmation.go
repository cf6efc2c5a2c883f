package authn

import (
	"crypto/sha256"
	"slices"
	"unsafe"

	"github.com/agentauth-dev/agentauth/authz"
)

// confirmation is what a token is bound to (RFC 7800 3.1): a key, a client
// certificate, or both. Whoever presents the token proves that they hold each.
type confirmation struct {
	// key is the SHA-256 thumbprint of a public key (RFC 9449 6.1), certificate that
	// of a certificate (RFC 8705 3.1); nil is none.
	key, certificate *[sha256.Size]byte
	// unknown says why nobody can prove it; "" if one can.
	unknown string
}

// readConfirmation reads the claim or member cnf; nil: the token is bound to nothing.
// What is not known here cannot be proven, so that the token is never accepted: a
// token that is bound in a way of tomorrow is no bearer token of today.
func readConfirmation(claims map[string]any) *confirmation {
	v, bound := claims["cnf"]
	if !bound {
		return nil
	}
	c := &confirmation{}
	members, ok := v.(map[string]any)
	switch {
	case !ok:
		c.unknown = "its cnf is " + kind(v) + ", expected an object (RFC 7800 3.1)"
	case len(members) == 0:
		c.unknown = "its cnf is empty: it is bound, and nobody can know to what"
	}
	for name, member := range members {
		switch name {
		case "jkt":
			c.key = c.thumbprint(member, "jkt")
		case "x5t#S256":
			c.certificate = c.thumbprint(member, "x5t#S256")
		default:
			c.unknown = "its cnf has another member than jkt (RFC 9449) and x5t#S256 (RFC 8705), which cannot be proven here"
		}
	}
	return c
}

// size is how many bytes c takes.
func (c *confirmation) size() (n int) {
	if c != nil {
		n = int(unsafe.Sizeof(*c)) + 2*sha256.Size
	}
	return n
}

// thumbprint reads a SHA-256 in base64url.
func (c *confirmation) thumbprint(v any, name string) *[sha256.Size]byte {
	text, _ := v.(string)
	data, err := decodeBase64URL(text)
	if err != nil || len(data) != sha256.Size {
		c.unknown = "the " + name + " in its cnf is no SHA-256 thumbprint in base64url"
		return nil
	}
	return (*[sha256.Size]byte)(data)
}

// dpopScheme is the scheme of tokens that are bound to a key (RFC 9449 7.1).
const dpopScheme = "DPoP"

// UnderDPoP says whether the place holds tokens that are bound to a key.
func (p Place) UnderDPoP() bool { return p.Scheme == dpopScheme }

// tokenPlaces are the places of a token: those that the policy names, or else the
// header authorization with the scheme Bearer. Where a header has a token under Bearer,
// it may have one that is bound to a key under DPoP in its place.
func tokenPlaces(from []Place) []Place {
	if len(from) == 0 {
		return usualPlaces
	}
	out := make([]Place, 0, len(from)+1)
	for _, p := range from {
		if p.Scheme != "" && authz.EqualFold(p.Scheme, dpopScheme) {
			p.Scheme = dpopScheme
		}
		out = append(out, p)
	}
	for _, p := range from {
		under := Place{In: p.In, Name: p.Name, Scheme: dpopScheme}
		if p.In == InHeader && !p.ReadsList() && authz.EqualFold(p.Scheme, "bearer") && !slices.ContainsFunc(out, under.same) {
			out = append(out, under)
		}
	}
	return out
}

// impliedDPoP says whether a place is the one under DPoP beside the same header under
// Bearer. People are told of the latter only.
func impliedDPoP(places []Place, p Place) bool {
	return p.Scheme == dpopScheme && slices.ContainsFunc(places, Place{In: p.In, Name: p.Name, Scheme: "bearer"}.same)
}

// usualPlaces are those of a policy that names none. Methods share them.
var usualPlaces = []Place{
	{In: InHeader, Name: "authorization", Scheme: "bearer"},
	{In: InHeader, Name: "authorization", Scheme: dpopScheme},
}
