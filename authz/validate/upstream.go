package validate

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
)

var (
	target      = text{1, 2048, nil, "the name of the upstream at the authorization server"}
	absoluteURI = text{1, 2048, regexp.MustCompile(`^[a-zA-Z][-+.a-zA-Z0-9]*:[^#\s]+$`), "an absolute URI without a fragment (RFC 8707)"}
)

func (f *findings) token(at *field.Path, u *v1alpha1.Upstream) {
	t := u.Token
	if u.Credentials == v1alpha1.Forward {
		f.invalid(at, "the upstream gets token in place of the caller's credentials: leave credentials: Forward out, or token")
	}
	at = at.Child("token")
	union(f, at, *t)
	header := "authorization"
	if s := t.Secret; s != nil {
		header = cmp.Or(s.Header, header)
		f.keyed(at.Child("secret"), &s.SecretRef, header, s.Scheme)
	}
	if s := t.Signed; s != nil {
		header = cmp.Or(s.Header, header)
		f.signed(at.Child("signed"), s, header)
	}
	if t.ClientCredentials != nil {
		f.clientCredentialsToken(at.Child("clientCredentials"), t.ClientCredentials)
	}
	if e := t.Exchanged; e != nil {
		at := at.Child("exchanged")
		f.tokenEndpoint(at, "endpoint", e.Endpoint, e.ClientCredentials, e.TokenTarget, e.CACertificates)
		if e.RequestedTokenType != "" {
			oneOf(f, at.Child("requestedTokenType"), e.RequestedTokenType, v1alpha1.IssuedAccessToken, v1alpha1.IssuedJWT)
		}
		if a := e.ActorToken; a != nil {
			at := at.Child("actorToken")
			union(f, at, *a)
			if a.ClientCredentials != nil {
				f.clientCredentialsToken(at.Child("clientCredentials"), a.ClientCredentials)
			}
		}
	}
	if slices.ContainsFunc(upTo(u.Headers, 16), func(h v1alpha1.UpstreamHeader) bool { return authz.Alias(h.Name) == authz.Alias(header) }) {
		f.invalid(at, "headers and token set the same header: take it out of headers, or give the secret another header")
	}
}

// keyed holds a token that is made of a Secret alone to the rules of its parts.
func (f *findings) keyed(at *field.Path, r *v1alpha1.ObjectKeyReference, header, before string) {
	f.reference(at.Child("secretRef"), r)
	f.upstreamHeader(at.Child("header"), header)
	scheme.optional(f, at.Child("scheme"), before)
}

func (f *findings) clientCredentialsToken(at *field.Path, t *v1alpha1.ClientCredentialsToken) {
	f.tokenEndpoint(at, "tokenEndpoint", t.TokenEndpoint, t.ClientCredentials, t.TokenTarget, t.CACertificates)
}

func (f *findings) tokenEndpoint(at *field.Path, name, url string, c v1alpha1.ClientCredentials, t v1alpha1.TokenTarget, ca *v1alpha1.CACertificates) {
	f.asked(at.Child(name), url)
	f.clientCredentials(at.Child("clientCredentials"), c)
	target.optional(f, at.Child("audience"), t.Audience)
	absoluteURI.optional(f, at.Child("resource"), t.Resource)
	set(f, at.Child("scopes"), t.Scopes, 32, scope)
	f.caCertificates(at.Child("caCertificates"), ca)
}

// asked holds the URL of an endpoint to its rules.
func (f *findings) asked(at *field.Path, url string) {
	before := len(f.errs)
	fetchedURL.check(f, at, url)
	if len(f.errs) == before && !parses(url) {
		f.invalid(at, "expected %s, got %s", fetchedURL.what, brief(url))
	}
}

// exchangeable reports a policy that exchanges tokens, and none of whose methods takes
// any.
func (f *findings) exchangeable(at *field.Path, spec *v1alpha1.PolicySpec) {
	r := spec.Response
	if r == nil || r.Upstream == nil || r.Upstream.Token == nil || r.Upstream.Token.Exchanged == nil {
		return
	}
	if !slices.ContainsFunc(spec.Authentication.Methods, func(m v1alpha1.Method) bool { return m.JWT != nil || m.Introspection != nil }) {
		f.invalid(at, "there is no token to exchange: no method of the policy is jwt or oauth2Introspection, and only their tokens are exchanged")
	}
}

func (f *findings) upstreamHeader(at *field.Path, name string) {
	fieldName.check(f, at, name)
	lower := strings.ToLower(name)
	if slices.Contains(hopByHop, lower) || slices.Contains(notForUpstream, lower) || isProxyHeader(lower) {
		f.invalid(at, "this header belongs to HTTP or to the proxy and cannot be set, got %s", brief(name))
	}
}
