package v1alpha1

import gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

// Authentication is how callers prove who they are.
type Authentication struct {
	// Methods are the ways to authenticate, 1 to 32, tried in this order. A
	// method for each issuer lets each have audiences and mappings of its own.
	//
	// Every Required method must succeed and, if there are Sufficient ones, at
	// least one of those. `identity` is the first Sufficient success, else the
	// first Required one; `identities["name"]` holds each success.
	// +required
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +listType=map
	// +listMapKey=name
	Methods []Method `json:"methods"`
}

// Requirement says what the success of a method means.
//
// +kubebuilder:validation:Enum=Sufficient;Required
type Requirement string

const (
	// Sufficient: one of the Sufficient methods must succeed.
	Sufficient Requirement = "Sufficient"
	// Required: the method must succeed, whatever others do.
	Required Requirement = "Required"
)

// Method is one way to authenticate: a name, and exactly one kind.
//
// +kubebuilder:validation:ExactlyOneOf=basic;jwt;oauth2Introspection;apiKey;clientCertificate;kubernetesToken;anonymous
// +kubebuilder:validation:XValidation:rule="!has(self.anonymous) || self.requirement != 'Required'",message="anonymous cannot be Required: it applies only where no credential came; leave requirement out"
type Method struct {
	// Name names the method in expressions, logs and metrics. A DNS label,
	// unique in the policy.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// Requirement is Sufficient (the default: one such method must succeed) or
	// Required (this one must succeed).
	// +optional
	// +kubebuilder:default=Sufficient
	Requirement Requirement `json:"requirement,omitempty"`

	// Basic takes a user name and a password (RFC 7617).
	// +optional
	Basic *Basic `json:"basic,omitempty"`

	// JWT takes a signed token (RFC 7519, RFC 9068).
	// +optional
	JWT *JWT `json:"jwt,omitempty"`

	// Introspection takes a token that its issuer is asked about (RFC 7662).
	// +optional
	Introspection *Introspection `json:"oauth2Introspection,omitempty"`

	// APIKey takes a key from selected Secrets.
	// +optional
	APIKey *APIKey `json:"apiKey,omitempty"`

	// ClientCertificate takes the certificate that the client showed to the proxy.
	// +optional
	ClientCertificate *ClientCertificate `json:"clientCertificate,omitempty"`

	// KubernetesToken takes a token of a ServiceAccount of the cluster
	// (TokenReview).
	// +optional
	KubernetesToken *KubernetesToken `json:"kubernetesToken,omitempty"`

	// Anonymous lets through requests that carry no credential at all, in any
	// place that any method of the policy reads. A bad credential is never
	// taken for none.
	// +optional
	Anonymous *Anonymous `json:"anonymous,omitempty"`
}

// Basic takes a user name and a password from the authorization header.
type Basic struct {
	// Users says where the users are.
	// +required
	Users Users `json:"users"`

	// Realm is the realm of the challenge (RFC 7617 2). At most 128 characters
	// of ASCII without quotes or backslashes. Default: "agentauth".
	// +optional
	// +kubebuilder:default=agentauth
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[ !#-\[\]-~]+$`
	Realm string `json:"realm,omitempty"`

	// AllowPlaintext accepts passwords from callers that did not use TLS.
	// Default: false; such a request is refused with 403 and Basic is not
	// offered to it.
	// +optional
	AllowPlaintext bool `json:"allowPlaintext,omitempty"`
}

// Users says where the users of Basic are.
type Users struct {
	// SecretRef names a Secret labelled agentauth.dev/use: basic. Of type
	// kubernetes.io/basic-auth it holds one user (username, password);
	// otherwise it holds an htpasswd file under `auth`, or under the given key:
	// bcrypt, argon2id or sha512-crypt, at most 1 MiB and 10,000 users.
	// +required
	SecretRef ObjectKeyReference `json:"secretRef"`
}

// ObjectKeyReference names an entry of a Secret or ConfigMap. The object is
// usable only if its owner labelled it agentauth.dev/use for this purpose and,
// where it is in another namespace than the policy, granted it to the policy's
// (ReferenceGrant).
type ObjectKeyReference struct {
	// Name of the Secret or ConfigMap.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	Name string `json:"name"`

	// Namespace of the Secret or ConfigMap. Default: the policy's. Another one
	// needs a ReferenceGrant (gateway.networking.k8s.io) in that namespace, from
	// kind AgentAuthPolicy of group agentauth.dev and the policy's namespace, to
	// kind Secret or ConfigMap of group "", all of them or this name. Without one
	// the method is unavailable, and whether the object exists is not told. A DNS
	// label.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Namespace string `json:"namespace,omitempty"`

	// Key of the entry. Default: what the field that refers to it says.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[-._a-zA-Z0-9]+$`
	Key string `json:"key,omitempty"`
}

// JWT takes a token in compact form (RFC 7515 7.1), at most 16 KiB.
//
// +kubebuilder:validation:XValidation:rule="has(self.issuer) != (has(self.anyIssuer) && self.anyIssuer)",message="exactly one of issuer and anyIssuer: true is needed: say who issues the tokens, or that anyone with the key may"
// +kubebuilder:validation:XValidation:rule="!(has(self.audiences) && size(self.audiences) > 0 && has(self.anyAudience) && self.anyAudience)",message="exactly one of audiences and anyAudience: true is needed: name this API as its tokens do, or accept tokens that are meant for others"
// +kubebuilder:validation:XValidation:rule="!(has(self.jwks) && has(self.hmac))",message="jwks and hmac exclude each other: tokens are signed with public keys or with a shared secret"
// +kubebuilder:validation:XValidation:rule="has(self.issuer) || has(self.jwks) || has(self.hmac)",message="anyIssuer needs jwks or hmac: without an issuer there is no discovery of keys"
// +kubebuilder:validation:XValidation:rule="!has(self.issuer) || has(self.jwks) || has(self.hmac) || self.issuer.matches('^https?://[^/?#@]+(/[^?#]*)?$')",message="issuer must be an http(s) URL without password, query or fragment where keys are found by discovery; give jwks or hmac otherwise"
// +kubebuilder:validation:XValidation:rule="!has(self.algorithms) || self.algorithms.all(a, a.startsWith('HS') == has(self.hmac))",message="HS256, HS384 and HS512 are for hmac, and hmac is for nothing else"
// +kubebuilder:validation:XValidation:rule="!has(self.caCertificates) || (!has(self.hmac) && (!has(self.jwks) || has(self.jwks.uri)))",message="caCertificates is for keys that are fetched: it needs an issuer with discovery, or jwks.uri"
// +kubebuilder:validation:XValidation:rule="!has(self.proofOfPossession) || !has(self.from) || size(self.from) == 0 || self.proofOfPossession.require.exists(r, r == 'ClientCertificate') || self.from.exists(p, has(p.header) && has(p.header.scheme) && (p.header.scheme.lowerAscii() == 'dpop' || p.header.scheme.lowerAscii() == 'bearer' && p.header.name.lowerAscii() != 'sec-websocket-protocol'))",message="tokens with a proof of DPoP come under the scheme DPoP of a header (RFC 9449 7.1), so no token of these places could be accepted: add {header: {name: authorization, scheme: DPoP}} to from"
type JWT struct {
	// Issuer is the `iss` of the tokens, compared byte for byte. Their keys are
	// found by OpenID Connect Discovery at this URL unless jwks or hmac is
	// given. At most 2048 characters.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	Issuer string `json:"issuer,omitempty"`

	// AnyIssuer accepts every `iss`, and none. Default: false. Such a method
	// owns the tokens that no other method of the policy names by issuer.
	// +optional
	AnyIssuer bool `json:"anyIssuer,omitempty"`

	// Audiences are the names of this API; a token must have one of them in
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

	// JWKS says where the issuer's public keys are, instead of discovery.
	// +optional
	JWKS *JWKS `json:"jwks,omitempty"`

	// HMAC says where the secret is that issuer and verifier share.
	// +optional
	HMAC *HMAC `json:"hmac,omitempty"`

	// Algorithms are the accepted signature algorithms (RFC 7518 3.1, RFC 8037);
	// EdDSA and Ed25519 (RFC 9864) are two names of one.
	// Default: with hmac HS256, otherwise RS256, RS384, RS512, PS256, PS384,
	// PS512, ES256, ES384, ES512 and EdDSA (Ed25519). Keys must fit: RSA of at
	// least 2048 bits.
	// +optional
	// +kubebuilder:validation:MaxItems=10
	// +listType=set
	Algorithms []Algorithm `json:"algorithms,omitempty"`

	// TokenTypes are the accepted `typ`, compared without case and without
	// "application/" (RFC 8725 3.11). Default: at+jwt, JWT, and no typ at all.
	// At most 8. Types that are made for another purpose (dpop+jwt, logout+jwt,
	// oauth-id-jag+jwt, txntoken+jwt and their like) cannot be listed.
	// +optional
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:XValidation:rule="!self.exists(t, t.matches('^(?i)(application/)?(client-authentication|dpop|kb|logout|oauth-authz-req|oauth-id-jag|secevent|token-introspection|txntoken)[+]jwt$'))",message="tokens of this type are made for another purpose than access: a service that takes them can be called by whoever sees one"
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=64
	// +kubebuilder:validation:items:Pattern=`^[-+./a-zA-Z0-9]+$`
	// +listType=set
	TokenTypes []string `json:"tokenTypes,omitempty"`

	// ClockSkew is how far the clocks of issuer and verifier may differ, for
	// `exp` and `nbf`. Default: 30s; at least 0s, at most 5m.
	// +optional
	// +kubebuilder:default="30s"
	// +kubebuilder:validation:XValidation:rule="duration(self) <= duration('5m')",message="clockSkew must be at most 5m"
	ClockSkew *gatewayv1.Duration `json:"clockSkew,omitempty"`

	// From are the places where the token is looked for. Default: the header
	// authorization with scheme Bearer. At most 8.
	// +optional
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:XValidation:rule="self.all(a, self.filter(b, (has(a.cookie) && has(b.cookie) && a.cookie.name == b.cookie.name) || (has(a.query) && has(b.query) && a.query.name == b.query.name) || (has(a.header) && has(b.header) && a.header.name.lowerAscii() == b.header.name.lowerAscii() && (!has(a.header.scheme) || !has(b.header.scheme) || a.header.scheme.lowerAscii() == b.header.scheme.lowerAscii()))).size() <= 1)",message="two places would read the same credential, and then every request that has one is refused: name each cookie and query parameter once, and a header twice only with two schemes"
	// +listType=atomic
	From []Place `json:"from,omitempty"`

	// ImpliedScopes say which narrower scopes a broad one holds: with orders:admin:
	// [orders:read] a token with orders:admin has orders:read too, for `scopes`, for
	// rules and for `identity.scopes`. What a scope holds by implication holds
	// nothing more. At most 32 scopes with at most 32 each; to the scopes of a token
	// are added at most so many that it has 256. Default: none.
	// +optional
	ImpliedScopes ImpliedScopes `json:"impliedScopes,omitempty"`

	// ClaimMappings say which claims the identity is made of.
	// +optional
	ClaimMappings *ClaimMappings `json:"claimMappings,omitempty"`

	// CACertificates verify the servers from which keys are fetched. Default:
	// the system's.
	// +optional
	CACertificates *CACertificates `json:"caCertificates,omitempty"`

	// ProofOfPossession says which tokens are accepted besides: only those that are
	// bound to a key or to a client certificate. A token with `cnf` is always held to
	// it. Default: bearer tokens too.
	// +optional
	ProofOfPossession *ProofOfPossession `json:"proofOfPossession,omitempty"`
}

// ImpliedScopes are narrower scopes by the broad scope that holds them.
//
// +kubebuilder:validation:MaxProperties=32
// +kubebuilder:validation:XValidation:rule="self.all(k, k.matches('^[!#-\\\\[\\\\]-~]{1,256}$'))",message="a scope is 1 to 256 visible ASCII characters without quotes or backslashes (RFC 6749 3.3)"
type ImpliedScopes map[string]NarrowScopes

// NarrowScopes are the scopes that a broad scope holds.
//
// +kubebuilder:validation:MaxItems=32
// +kubebuilder:validation:items:MinLength=1
// +kubebuilder:validation:items:MaxLength=256
// +kubebuilder:validation:items:Pattern=`^[!#-\[\]-~]+$`
// +listType=set
type NarrowScopes []string

// Algorithm is a signature algorithm of JOSE.
//
// +kubebuilder:validation:Enum=HS256;HS384;HS512;RS256;RS384;RS512;PS256;PS384;PS512;ES256;ES384;ES512;EdDSA;Ed25519
type Algorithm string

// JWKS says where public keys are; exactly one.
//
// +kubebuilder:validation:ExactlyOneOf=uri;inline;configMapRef;secretRef
type JWKS struct {
	// URI of a JWK Set (RFC 7517 5), fetched and refreshed every 5 minutes.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:Pattern=`^https?://[^/?#@]+([/?][^#]*)?$`
	URI string `json:"uri,omitempty"`

	// Inline is a JWK Set as JSON. At most 64 KiB.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=65536
	Inline string `json:"inline,omitempty"`

	// ConfigMapRef names a ConfigMap labelled agentauth.dev/use: jwks. Default
	// key: jwks.json.
	// +optional
	ConfigMapRef *ObjectKeyReference `json:"configMapRef,omitempty"`

	// SecretRef names a Secret labelled agentauth.dev/use: jwks. Default key:
	// jwks.json.
	// +optional
	SecretRef *ObjectKeyReference `json:"secretRef,omitempty"`
}

// HMAC says where a shared secret is.
type HMAC struct {
	// SecretRef names a Secret labelled agentauth.dev/use: hmac. Default key:
	// secret. Its value is used byte for byte: at least 32 bytes for HS256, 48
	// for HS384, 64 for HS512 (RFC 7518 3.2), no PEM and no trailing newline.
	// +required
	SecretRef ObjectKeyReference `json:"secretRef"`
}

// CACertificates says where certificates in PEM are.
//
// +kubebuilder:validation:ExactlyOneOf=configMapRef;secretRef
type CACertificates struct {
	// ConfigMapRef names a ConfigMap labelled agentauth.dev/use: ca. Default
	// key: ca.crt.
	// +optional
	ConfigMapRef *ObjectKeyReference `json:"configMapRef,omitempty"`

	// SecretRef names a Secret labelled agentauth.dev/use: ca. Default key:
	// ca.crt.
	// +optional
	SecretRef *ObjectKeyReference `json:"secretRef,omitempty"`
}

// Place is where a credential is looked for; exactly one.
//
// +kubebuilder:validation:ExactlyOneOf=header;cookie;query
type Place struct {
	// Header is a header, of whose value a scheme may be the beginning.
	// +optional
	Header *HeaderPlace `json:"header,omitempty"`
	// Cookie is a cookie.
	// +optional
	Cookie *NamedPlace `json:"cookie,omitempty"`
	// Query is a parameter of the query. Such credentials end up in logs.
	// +optional
	Query *NamedPlace `json:"query,omitempty"`
}

// HeaderPlace is a header that holds a credential.
type HeaderPlace struct {
	// Name of the header, in any letter case.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern="^[-!#$%&'*+.^_`|~0-9A-Za-z]+$"
	// +kubebuilder:validation:XValidation:rule="!(self.lowerAscii() in ['host', 'cookie', 'connection', 'content-length', 'transfer-encoding', 'te', 'upgrade', 'trailer']) && !self.lowerAscii().startsWith('x-envoy-') && !self.lowerAscii().startsWith('x-forwarded-')",message="a credential cannot be read from this header: it belongs to HTTP or to the proxy; cookies have a place of their own"
	Name string `json:"name"`

	// Scheme is what comes before the credential, in any letter case and
	// followed by one or more spaces (RFC 9110 11.4). Default: none; the whole
	// value is the credential. In sec-websocket-protocol, which is a list, it is
	// the entry before the credential: "bearer, TOKEN".
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[-0-9A-Za-z]+$`
	Scheme string `json:"scheme,omitempty"`
}

// NamedPlace is a cookie or a query parameter that holds a credential.
type NamedPlace struct {
	// Name, compared byte for byte.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^[-._~0-9A-Za-z]+$`
	Name string `json:"name"`
}

// Expression is a CEL expression of at most 4096 characters.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=4096
type Expression string

// ClaimMappings are CEL expressions over `claims`. One that fails, or yields
// another type, refuses the token; the defaults refuse none: what they cannot
// read is absent.
type ClaimMappings struct {
	// Subject of the identity: a string, or a whole number, which becomes its
	// decimal. Default: `sub`, or "" without one.
	// +optional
	Subject Expression `json:"subject,omitempty"`
	// Scopes of the identity: a list, or a string separated by spaces. Default:
	// `scope`, or `scp` where that is absent or empty.
	// +optional
	Scopes Expression `json:"scopes,omitempty"`
	// Groups of the identity: a list, or one string. Default: `groups`.
	// +optional
	Groups Expression `json:"groups,omitempty"`
	// Actor is who acts for the subject, in identity.actor: a string (or a whole
	// number), which is the actor's subject; or a map with subject and, if it has
	// one, issuer; or nothing ("", null, optional.none()) where nobody acts for
	// somebody. Default: the outermost `act` (RFC 8693 section 4.1).
	// +optional
	Actor Expression `json:"actor,omitempty"`
}

// APIKey takes a key that is an entry of one of the selected Secrets.
type APIKey struct {
	// Selector selects Secrets of the policy's namespace that are labelled
	// agentauth.dev/use: api-key. An entry of such a Secret is a key if its value
	// is sha256:<hex> of the key, or if the annotation agentauth.dev/plain-keys
	// names the entry: then the value is the key itself (20 bytes or more). The
	// entry's name is the key's id. Other entries are no keys.
	// +required
	Selector KeySelector `json:"selector"`

	// From are the places where the key is looked for. Default: the header
	// x-api-key. At most 8.
	// +optional
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:XValidation:rule="self.all(a, self.filter(b, (has(a.cookie) && has(b.cookie) && a.cookie.name == b.cookie.name) || (has(a.query) && has(b.query) && a.query.name == b.query.name) || (has(a.header) && has(b.header) && a.header.name.lowerAscii() == b.header.name.lowerAscii() && (!has(a.header.scheme) || !has(b.header.scheme) || a.header.scheme.lowerAscii() == b.header.scheme.lowerAscii()))).size() <= 1)",message="two places would read the same credential, and then every request that has one is refused: name each cookie and query parameter once, and a header twice only with two schemes"
	// +listType=atomic
	From []Place `json:"from,omitempty"`
}

// KeySelector selects Secrets by their labels.
type KeySelector struct {
	// MatchLabels must all be labels of the Secret. At least one, at most 16.
	// +required
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=16
	// +kubebuilder:validation:XValidation:rule="self.all(k, !format.qualifiedName().validate(k).hasValue())",message="a label key is a name of at most 63 letters, digits, '-', '_' or '.', with or without a DNS prefix and '/'"
	MatchLabels map[string]LabelValue `json:"matchLabels"`
}

// LabelValue is the value of a Kubernetes label.
//
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:Pattern=`^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$`
type LabelValue string

// Anonymous has no fields.
type Anonymous struct{}
