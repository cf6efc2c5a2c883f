package policy

import (
	"slices"
	"strings"
)

// bearerChallenge adds to a challenge of a token where the metadata of the resource
// is (RFC 9728 5.1), and the scopes that a token needs (RFC 6750 3). Without scopes
// a client asks for those that the metadata names.
func bearerChallenge(challenge, metadataURL string, scopes []string) string {
	var b strings.Builder
	b.WriteString(challenge)
	between := ", "
	if !strings.Contains(challenge, " ") {
		between = " "
	}
	b.WriteString(between + `resource_metadata="` + metadataURL + `"`)
	if len(scopes) > 0 {
		b.WriteString(`, scope="` + strings.Join(scopes, " ") + `"`)
	}
	return b.String()
}

// isOfToken says whether a challenge asks for an access token.
func isOfToken(challenge string) bool {
	scheme, _, _ := strings.Cut(challenge, " ")
	return scheme == "Bearer" || scheme == "DPoP"
}

// askedScopes are the scopes that a challenge of a method asks for: its own, and those
// of Required methods that read the same token.
func (a *authenticate) askedScopes(i int) (scopes []string) {
	add := func(m *method) {
		for _, s := range m.Scopes {
			// It is between the client and its authorization server.
			if s != "offline_access" && !slices.Contains(scopes, s) {
				scopes = append(scopes, s)
			}
		}
	}
	add(&a.methods[i])
	for j := range a.methods {
		if j != i && a.methods[j].Required && slices.ContainsFunc(a.methods[j].places, func(p int) bool { return slices.Contains(a.methods[i].places, p) }) {
			add(&a.methods[j])
		}
	}
	return scopes
}

// challenge offers a method in a 401; "" offers nothing.
func (a *authenticate) challenge(x *exchange, i int) string {
	r := &x.credentials.results[i]
	c := a.methods[i].Authenticator.Challenge(x.request, r.place != nil)
	if a.resource == nil || !isOfToken(c) {
		return c
	}
	return bearerChallenge(c, a.resource.MetadataURL, a.askedScopes(i))
}
