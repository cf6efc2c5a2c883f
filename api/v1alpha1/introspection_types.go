package v1alpha1

import gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

// Introspection takes a token of at most 16 KiB that is no JWT, and asks the
// authorization server whether it is active (RFC 7662). A token that the server
// says is not active is left to the next method; what is left over is 401. A server
// that cannot be asked, or answers with anything but an introspection, is 503.
//
// API keys that are read from the same place are looked up before the server is
// asked, wherever their method stands in the list.
//
// +kubebuilder:validation:XValidation:rule="!(has(self.audiences) && size(self.audiences) > 0 && has(self.anyAudience) && self.anyAudience)",message="exactly one of audiences and anyAudience: true is needed: name this API as its tokens do, or accept tokens that are meant for others"
// +kubebuilder:validation:XValidation:rule="!has(self.proofOfPossession) || !has(self.from) || size(self.from) == 0 || self.proofOfPossession.require.exists(r, r == 'ClientCertificate') || self.from.exists(p, has(p.header) && has(p.header.scheme) && (p.header.scheme.lowerAscii() == 'dpop' || p.header.scheme.lowerAscii() == 'bearer' && p.header.name.lowerAscii() != 'sec-websocket-protocol'))",message="tokens with a proof of DPoP come under the scheme DPoP of a header (RFC 9449 7.1), so no token of these places could be accepted: add {header: {name: authorization, scheme: DPoP}} to from"
type Introspection struct {
	// Endpoint is the URL of introspection. It is asked as RFC 7662 2.1 says, and
	// no redirect is followed. At most 2048 characters.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:Pattern=`^https?://[^/?#@]+([/?][^#]*)?$`
	Endpoint string `json:"endpoint"`

	// ClientCredentials are those that agentauth authenticates with at the
	// endpoint.
	// +required
	ClientCredentials ClientCredentials `json:"clientCredentials"`

	// Issuer is what `iss` of an answer must be, compared byte for byte, where an
	// answer has one. With acceptJWT it is what `iss` of a JWT must be for the
	// server to be asked, where the JWT has one. Answers that the server signs (RFC
	// 9701) are verified by its keys, which discovery finds; without an issuer they
	// are not believed. At most 2048 characters. Default: any.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	Issuer string `json:"issuer,omitempty"`

	// Audiences are the names of this API; an answer must have one of them in
	// `aud`. With mcp they contain mcp.resource, which is the default there. At most
	// 16.
	// +optional
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=2048
	// +listType=set
	Audiences []string `json:"audiences,omitempty"`

	// AnyAudience accepts every `aud`, and none. Default: false.
	// +optional
	AnyAudience bool `json:"anyAudience,omitempty"`

	// Scopes are required of the token; without all of them the answer is 403
	// insufficient_scope (RFC 6750 3.1). At most 32.
	// +optional
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	// +kubebuilder:validation:items:Pattern=`^[!#-\[\]-~]+$`
	// +listType=set
	Scopes []string `json:"scopes,omitempty"`

	// CacheTTL is how long an answer is used without asking again, never beyond
	// `exp`; so long a revoked token lives at most. That a token is not active is
	// remembered for as long, at most 5s. Default: 30s; at least 0s (every
	// request asks), at most 5m.
	// +optional
	// +kubebuilder:default="30s"
	// +kubebuilder:validation:XValidation:rule="duration(self) <= duration('5m')",message="cacheTTL must be at most 5m"
	CacheTTL *gatewayv1.Duration `json:"cacheTTL,omitempty"`

	// AcceptJWT asks about JWTs too, those that no jwt method of the policy owns.
	// Default: false.
	// +optional
	AcceptJWT bool `json:"acceptJWT,omitempty"`

	// From are the places where the token is looked for. Default: the header
	// authorization with scheme Bearer. At most 8.
	// +optional
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:XValidation:rule="self.all(a, self.filter(b, (has(a.cookie) && has(b.cookie) && a.cookie.name == b.cookie.name) || (has(a.query) && has(b.query) && a.query.name == b.query.name) || (has(a.header) && has(b.header) && a.header.name.lowerAscii() == b.header.name.lowerAscii() && (!has(a.header.scheme) || !has(b.header.scheme) || a.header.scheme.lowerAscii() == b.header.scheme.lowerAscii()))).size() <= 1)",message="two places would read the same credential, and then every request that has one is refused: name each cookie and query parameter once, and a header twice only with two schemes"
	// +listType=atomic
	From []Place `json:"from,omitempty"`

	// ImpliedScopes say which narrower scopes a broad one holds, as [JWT] has it.
	// Default: none.
	// +optional
	ImpliedScopes ImpliedScopes `json:"impliedScopes,omitempty"`

	// ClaimMappings say which members of an answer the identity is made of:
	// `claims` are the members but `active`.
	// +optional
	ClaimMappings *ClaimMappings `json:"claimMappings,omitempty"`

	// CACertificates verify the server. Default: the system's.
	// +optional
	CACertificates *CACertificates `json:"caCertificates,omitempty"`

	// ProofOfPossession says which tokens are accepted besides: only those that are
	// bound to a key or to a client certificate. A token with `cnf` is always held to
	// it. Default: bearer tokens too.
	// +optional
	ProofOfPossession *ProofOfPossession `json:"proofOfPossession,omitempty"`
}

// ClientCredentials are those of agentauth as a client of an authorization server.
type ClientCredentials struct {
	// SecretRef names a Secret labelled agentauth.dev/use: client, with the entries
	// client-id and client-secret. Their values are used byte for byte: 1 to 4096
	// bytes of UTF-8 without control characters. For PrivateKeyJWT the entry
	// tls.key has a private key in place of client-secret: PEM, of P-256, Ed25519 or
	// RSA (2048 to 4096 bits); an entry key-id, if there is one, is its `kid`, and an
	// entry alg chooses PS256 in place of RS256.
	// +required
	SecretRef ObjectReference `json:"secretRef"`

	// Authentication is how the client authenticates: Basic sends id and secret in
	// the header authorization, form-encoded as RFC 6749 2.3.1 says
	// (client_secret_basic); Post sends them in the body (client_secret_post);
	// PrivateKeyJWT sends an assertion that is signed for each request with ES256,
	// EdDSA, RS256 or PS256, whose audience is the issuer, or the endpoint where none is given
	// (private_key_jwt, RFC 7523 2.2). Default: Basic.
	// +optional
	// +kubebuilder:default=Basic
	Authentication ClientAuthentication `json:"authentication,omitempty"`
}

// ClientAuthentication is how a client authenticates.
//
// +kubebuilder:validation:Enum=Basic;Post;PrivateKeyJWT
type ClientAuthentication string

const (
	// ClientBasic sends id and secret in the header authorization.
	ClientBasic ClientAuthentication = "Basic"
	// ClientPost sends id and secret in the body.
	ClientPost ClientAuthentication = "Post"
	// ClientPrivateKeyJWT sends a signed assertion in the body.
	ClientPrivateKeyJWT ClientAuthentication = "PrivateKeyJWT"
)

// ObjectReference names a Secret or ConfigMap as a whole. What makes an object
// usable stands at [ObjectKeyReference].
type ObjectReference struct {
	// Name of the Secret or ConfigMap.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	Name string `json:"name"`

	// Namespace of the Secret or ConfigMap. Default: the policy's. Another one
	// needs a ReferenceGrant in that namespace. A DNS label.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Namespace string `json:"namespace,omitempty"`
}
