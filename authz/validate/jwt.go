package validate

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
)

var (
	issuer     = text{1, 2048, nil, "an issuer"}
	audience   = text{1, 2048, nil, "an audience"}
	scope      = text{1, 256, regexp.MustCompile(`^[!#-\[\]-~]+$`), "a scope of visible ASCII characters without quotes or backslashes (RFC 6749 3.3)"}
	tokenType  = text{1, 64, regexp.MustCompile(`^[-+./a-zA-Z0-9]+$`), "a token type: letters, digits or any of -+./"}
	fetchedURL = text{1, 2048, regexp.MustCompile(`^https?://[^/?#@]+([/?][^#]*)?$`), "an http(s) URL without user, password or fragment"}
	inline     = text{1, 65536, nil, "a JWK Set as JSON"}

	discoverable = regexp.MustCompile(`^https?://[^/?#@]+(/[^?#]*)?$`)
	duration     = regexp.MustCompile(`^([0-9]{1,5}(h|m|s|ms)){1,4}$`)
	otherPurpose = regexp.MustCompile(`^(?i)(application/)?(client-authentication|dpop|kb|logout|oauth-authz-req|oauth-id-jag|secevent|token-introspection|txntoken)[+]jwt$`)
)

var knownAlgorithms = []v1alpha1.Algorithm{
	"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519",
}

const longest = 5 * time.Minute

func (f *findings) jwt(at *field.Path, j *v1alpha1.JWT) {
	f.jwtSense(at, j)
	issuer.optional(f, at.Child("issuer"), j.Issuer)
	if before, _, found := strings.Cut(j.Issuer, "/.well-known/"); found {
		f.invalid(at.Child("issuer"), "expected the issuer, as `iss` of its tokens has it, got the URL of a document about it: write %s, if its tokens say so", brief(before))
	}
	set(f, at.Child("audiences"), j.Audiences, 16, audience)
	set(f, at.Child("scopes"), j.Scopes, 32, scope)
	if k := j.JWKS; k != nil {
		f.jwks(at.Child("jwks"), k)
	}
	if j.HMAC != nil {
		f.reference(at.Child("hmac", "secretRef"), &j.HMAC.SecretRef)
	}
	f.algorithms(at, j)
	set(f, at.Child("tokenTypes"), j.TokenTypes, 8, tokenType)
	if slices.ContainsFunc(j.TokenTypes, otherPurpose.MatchString) {
		f.invalid(at.Child("tokenTypes"), "tokens of this type are made for another purpose than access: a service that takes them can be called by whoever sees one, got %s", brief(strings.Join(j.TokenTypes, ", ")))
	}
	if j.ClockSkew != nil {
		f.upToFiveMinutes(at.Child("clockSkew"), *j.ClockSkew)
	}
	f.places(at.Child("from"), j.From)
	f.impliedScopes(at.Child("impliedScopes"), j.ImpliedScopes)
	f.proof(at, j.ProofOfPossession, j.From)
	f.claimMappings(at.Child("claimMappings"), j.ClaimMappings)
	f.caCertificates(at.Child("caCertificates"), j.CACertificates)
}

func (f *findings) claimMappings(at *field.Path, m *v1alpha1.ClaimMappings) {
	if m != nil {
		expression.optional(f, at.Child("subject"), string(m.Subject))
		expression.optional(f, at.Child("scopes"), string(m.Scopes))
		expression.optional(f, at.Child("groups"), string(m.Groups))
		expression.optional(f, at.Child("actor"), string(m.Actor))
	}
}

func (f *findings) caCertificates(at *field.Path, ca *v1alpha1.CACertificates) {
	if ca != nil {
		union(f, at, *ca)
		f.reference(at.Child("configMapRef"), ca.ConfigMapRef)
		f.reference(at.Child("secretRef"), ca.SecretRef)
	}
}

// jwtSense asks whether the fields make sense together.
func (f *findings) jwtSense(at *field.Path, j *v1alpha1.JWT) {
	keys := j.JWKS != nil || j.HMAC != nil
	if (j.Issuer != "") == j.AnyIssuer {
		f.invalid(at, "exactly one of issuer and anyIssuer: true is needed: say who issues the tokens, or that anyone with the key may")
	}
	if j.JWKS != nil && j.HMAC != nil {
		f.invalid(at, "jwks and hmac exclude each other: tokens are signed with public keys or with a shared secret")
	}
	if j.Issuer == "" && !keys {
		f.invalid(at, "anyIssuer needs jwks or hmac: without an issuer there is no discovery of keys")
	}
	if j.Issuer != "" && !keys && !(discoverable.MatchString(j.Issuer) && parses(j.Issuer)) {
		f.invalid(at, "issuer must be an http(s) URL without password, query or fragment where keys are found by discovery; give jwks or hmac otherwise, got %s", brief(j.Issuer))
	}
	if j.CACertificates != nil && (j.HMAC != nil || j.JWKS != nil && j.JWKS.URI == "") {
		f.invalid(at, "caCertificates is for keys that are fetched: it needs an issuer with discovery, or jwks.uri")
	}
}

func (f *findings) jwks(at *field.Path, k *v1alpha1.JWKS) {
	union(f, at, *k, member{"uri", k.URI != ""}, member{"inline", k.Inline != ""})
	before := len(f.errs)
	fetchedURL.optional(f, at.Child("uri"), k.URI)
	if k.URI != "" && len(f.errs) == before && !parses(k.URI) {
		f.invalid(at.Child("uri"), "expected %s, got %s", fetchedURL.what, brief(k.URI))
	}
	inline.optional(f, at.Child("inline"), k.Inline)
	f.reference(at.Child("configMapRef"), k.ConfigMapRef)
	f.reference(at.Child("secretRef"), k.SecretRef)
}

func (f *findings) algorithms(at *field.Path, j *v1alpha1.JWT) {
	list := j.Algorithms
	set(f, at.Child("algorithms"), list, 10, text{max: 16})
	mixed := false
	for i, a := range list {
		oneOf(f, at.Child("algorithms").Index(i), a, knownAlgorithms...)
		mixed = mixed || strings.HasPrefix(string(a), "HS") != (j.HMAC != nil)
	}
	if mixed {
		f.invalid(at, "HS256, HS384 and HS512 are for hmac, and hmac is for nothing else, got %v", list[:min(len(list), 10)])
	}
}

// upToFiveMinutes is the rule for a duration whose field at names.
func (f *findings) upToFiveMinutes(at *field.Path, d gatewayv1.Duration) {
	if !duration.MatchString(string(d)) {
		f.invalid(at, "expected a duration such as 30s, of whole h, m, s and ms, got %s", brief(string(d)))
		return
	}
	if parsed, err := time.ParseDuration(string(d)); err != nil || parsed > longest {
		name := at.String()
		f.invalid(at, "%s must be at most 5m, got %s", name[strings.LastIndexByte(name, '.')+1:], d)
	}
}

// parses says whether Go takes s for a URL with a host: "https://a:b" passes
// the CRD's pattern.
func parses(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Hostname() != ""
}
