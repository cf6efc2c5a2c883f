package policy

import (
	"slices"
	"strings"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/authn"
)

// offlineAccess is a scope between a client and its authorization server (OpenID
// Connect Core 11). No resource needs it, so no challenge names it.
const offlineAccess = "offline_access"

// Schemes of access tokens: of those that are borne (RFC 6750), and of those that are
// bound to a key (RFC 9449 7.1).
const (
	bearer = "Bearer"
	dpop   = "DPoP"
)

// tokenChallenge is a challenge of a scheme of access tokens (RFC 6750 3, RFC 9449 7.1)
// with those of its parameters that are not empty: the error, the scopes that the
// request needs, and the URL of the resource's metadata (RFC 9728 5.1). That of DPoP
// says how proofs may be signed.
func tokenChallenge(scheme, problem string, scopes []string, metadata string) authz.Header {
	scopes = slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return s == offlineAccess })
	var b strings.Builder
	b.WriteString(scheme)
	separator := " "
	add := func(name, value string) {
		if value != "" {
			b.WriteString(separator + name + `="` + quoted.Replace(value) + `"`)
			separator = ", "
		}
	}
	add("error", problem)
	if scheme == dpop {
		add("algs", strings.Join(authn.ProofAlgorithms, " "))
	}
	add("scope", strings.Join(scopes, " "))
	add("resource_metadata", metadata)
	return authz.Header{Name: "www-authenticate", Value: b.String()}
}

// quoted escapes what ends a quoted string (RFC 9110 5.6.4).
var quoted = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// metadataURL is where the metadata of a resource is (RFC 9728 3.1): the well-known
// path stands between the host and the path. The resource is an https URI without
// query; the path "/" alone is none.
func metadataURL(resource string) string {
	const scheme = "https://"
	host, path, _ := strings.Cut(strings.TrimPrefix(resource, scheme), "/")
	if host == "" {
		return ""
	}
	if path != "" {
		path = "/" + path
	}
	return scheme + host + WellKnown + path
}
