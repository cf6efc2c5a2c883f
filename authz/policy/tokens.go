package policy

import (
	"slices"
	"strings"
)

// challenge is a challenge of a method as a 401 has it; "" is none. That of a protected
// resource says where its metadata is (RFC 9728 5.1), and the scopes that a token
// needs (RFC 6750 3). Without scopes a client asks for those that the metadata names.
func (a *authenticate) challenge(c string, i int) string {
	if a.resource == nil || !isOfToken(c) {
		return c
	}
	parameters := strings.TrimPrefix(tokenChallenge(bearer, "", a.askedScopes(i), a.resource.MetadataURL).Value, "Bearer ")
	if !strings.Contains(c, " ") {
		return c + " " + parameters
	}
	return c + ", " + parameters
}

// isOfToken says whether a challenge asks for an access token.
func isOfToken(challenge string) bool {
	scheme, _, _ := strings.Cut(challenge, " ")
	return scheme == bearer || scheme == dpop
}

// askedScopes are the scopes that a challenge of a method asks for: its own, and those
// of Required methods that read the same token.
func (a *authenticate) askedScopes(i int) []string {
	m := &a.methods[i]
	scopes := slices.Clone(m.Scopes)
	for j := range a.methods {
		other := &a.methods[j]
		if j == i || !other.Required || !slices.ContainsFunc(other.places, func(p int) bool { return slices.Contains(m.places, p) }) {
			continue
		}
		for _, s := range other.Scopes {
			if !slices.Contains(scopes, s) {
				scopes = append(scopes, s)
			}
		}
	}
	return scopes
}
