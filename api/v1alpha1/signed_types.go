package v1alpha1

import gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

// SignedToken is a JWT that agentauth signs for each request. It has iss, aud, iat,
// exp and jti; sub, which is identity.subject, unless that is empty; and act, with sub
// and iss of identity.actor, where the caller acts for somebody. Its typ is JWT and its
// kid the thumbprint of the key (RFC 7638). It ends with the caller's credential if
// that is sooner than ttl, and lasts 5s at least. The public keys are served at
// /jwks/NAMESPACE/NAME of the metrics address.
type SignedToken struct {
	// SecretRef names a Secret labelled agentauth.dev/use: signing. Default key:
	// tls.key. The value is one private key in PEM (PKCS #8, SEC 1 or PKCS #1), which
	// is not encrypted: of P-256 (ES256), P-384 (ES384), Ed25519 (EdDSA) or RSA of 2048
	// to 4096 bits (RS256). Entries whose names end in .key or .pub are published
	// beside it, at most 8 in all, and sign nothing.
	// +required
	SecretRef ObjectKeyReference `json:"secretRef"`

	// Issuer is `iss`. None begins with agentauth.dev/. At most 2048 characters.
	// Default: agentauth.dev/ and the namespace of the policy.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('agentauth.dev/')",message="issuers that begin with agentauth.dev/ are those of namespaces: leave issuer out"
	Issuer string `json:"issuer,omitempty"`

	// Audience is `aud`, the name of the upstream. At most 2048 characters.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	Audience string `json:"audience"`

	// TTL is how long the token holds. Default: 60s; at least 5s, at most 1h.
	// +optional
	// +kubebuilder:default="60s"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('5s') && duration(self) <= duration('1h')",message="ttl must be at least 5s and at most 1h"
	TTL *gatewayv1.Duration `json:"ttl,omitempty"`

	// Claims are more claims: CEL expressions that yield any value of JSON; null,
	// optional.none() and "" are left out. A failure, and a token of more than 16 KiB,
	// is 503. At most 16.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	// +kubebuilder:validation:XValidation:rule="self.all(k, k.matches('^[!-~]{1,256}$'))",message="the name of a claim has 1 to 256 characters of ASCII without spaces"
	// +kubebuilder:validation:XValidation:rule="self.all(k, !(k in ['iss', 'sub', 'aud', 'exp', 'iat', 'nbf', 'jti', 'act']))",message="iss, sub, aud, exp, iat, nbf, jti and act are set by agentauth alone"
	Claims map[string]Expression `json:"claims,omitempty"`

	// Header is the name of the header. Default: authorization.
	// +optional
	// +kubebuilder:default=authorization
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern="^[-!#$%&'*+.^_`|~0-9A-Za-z]+$"
	// +kubebuilder:validation:XValidation:rule="!(self.lowerAscii() in ['host', 'cookie', 'connection', 'content-length', 'transfer-encoding', 'te', 'upgrade', 'trailer', 'keep-alive', 'proxy-connection']) && !self.lowerAscii().startsWith('x-envoy-') && !self.lowerAscii().startsWith('x-forwarded-')",message="this header belongs to HTTP or to the proxy and cannot be set"
	Header string `json:"header,omitempty"`

	// Scheme is what comes before the value, followed by a space. Default: Bearer in
	// the header authorization, none in any other.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[-0-9A-Za-z]+$`
	Scheme string `json:"scheme,omitempty"`
}
