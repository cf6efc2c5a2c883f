package v1alpha1

// Response is what the upstream and a refused caller receive.
type Response struct {
	// Upstream is what changes in the request that goes upstream.
	// +optional
	Upstream *Upstream `json:"upstream,omitempty"`

	// Metadata is dynamic metadata for the proxy (rate limits, access logs):
	// CEL expressions that yield any value of JSON; null, optional.none() and ""
	// are left out. A failure is 503. On refusals it is handed on too, and there
	// what fails is left out. At most 16.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	// +kubebuilder:validation:XValidation:rule="self.all(k, k.matches('^[a-zA-Z0-9_][-._a-zA-Z0-9]{0,62}$'))",message="a metadata key has 1 to 63 letters, digits, '-', '.' or '_' and does not start with '-' or '.'"
	Metadata map[string]Expression `json:"metadata,omitempty"`

	// Unauthenticated changes the answer 401.
	// +optional
	Unauthenticated *Denial `json:"unauthenticated,omitempty"`

	// Unauthorized changes the answer 403.
	// +optional
	Unauthorized *Denial `json:"unauthorized,omitempty"`
}

// CredentialMode says what becomes of credentials.
//
// +kubebuilder:validation:Enum=Strip;Forward
type CredentialMode string

const (
	// Strip removes every place that any method of the policy reads.
	Strip CredentialMode = "Strip"
	// Forward keeps the credentials that succeeded and removes all others.
	Forward CredentialMode = "Forward"
)

// Upstream is what changes in the request that goes upstream.
//
// +kubebuilder:validation:XValidation:rule="!has(self.token) || self.credentials != 'Forward'",message="the upstream gets token in place of the caller's credentials: leave credentials: Forward out, or token"
// +kubebuilder:validation:XValidation:rule="!has(self.token) || !has(self.headers) || self.headers.all(h, h.name.lowerAscii() != (has(self.token.secret) ? self.token.secret.header.lowerAscii() : has(self.token.signed) ? self.token.signed.header.lowerAscii() : 'authorization'))",message="headers and token set the same header: take it out of headers, or give the secret another header"
type Upstream struct {
	// Credentials says what becomes of the caller's credentials. Strip, the
	// default: the upstream sees none. Forward: it sees those that succeeded.
	// +optional
	// +kubebuilder:default=Strip
	Credentials CredentialMode `json:"credentials,omitempty"`

	// Headers are set; copies the caller sent are removed, under every name that
	// differs only in letter case or punctuation, from every request of the same
	// host. At most 16, names unique without regard to letter case and
	// punctuation.
	// +optional
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(a, self.exists_one(b, b.name.lowerAscii() == a.name.lowerAscii()))",message="names must be unique, without regard to letter case"
	// +listType=map
	// +listMapKey=name
	Headers []UpstreamHeader `json:"headers,omitempty"`

	// Token is what the upstream gets in place of the caller's credentials.
	// +optional
	Token *UpstreamToken `json:"token,omitempty"`
}

// UpstreamHeader is a header of the request that goes upstream.
type UpstreamHeader struct {
	// Name of the header. Pseudo-headers and those that belong to HTTP or to the
	// proxy are refused.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern="^[-!#$%&'*+.^_`|~0-9A-Za-z]+$"
	// +kubebuilder:validation:XValidation:rule="!(self.lowerAscii() in ['host', 'cookie', 'connection', 'content-length', 'transfer-encoding', 'te', 'upgrade', 'trailer', 'keep-alive', 'proxy-connection']) && !self.lowerAscii().startsWith('x-envoy-') && !self.lowerAscii().startsWith('x-forwarded-')",message="this header belongs to HTTP or to the proxy and cannot be set"
	Name string `json:"name"`

	// Value is a CEL expression that yields a string. White space around it is
	// cut; null, optional.none() and "" remove the header. A failure, or a value
	// that no header can have, is 503.
	// +required
	Value Expression `json:"value"`
}

// Denial is a literal answer.
type Denial struct {
	// Status is the HTTP status, 400 to 599. Default: 401 or 403.
	// +optional
	// +kubebuilder:validation:Minimum=400
	// +kubebuilder:validation:Maximum=599
	Status int32 `json:"status,omitempty"`

	// Headers are added to the answer. At most 16. The challenges of
	// www-authenticate stay (RFC 9110 11.6).
	// +optional
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(a, self.exists_one(b, b.name.lowerAscii() == a.name.lowerAscii()))",message="names must be unique, without regard to letter case"
	// +listType=map
	// +listMapKey=name
	Headers []DenialHeader `json:"headers,omitempty"`

	// Body replaces the problem details. At most 16384 characters. Its
	// content-type is text/plain unless headers say otherwise.
	// +optional
	// +kubebuilder:validation:MaxLength=16384
	Body *string `json:"body,omitempty"`
}

// DenialHeader is a header of an answer.
type DenialHeader struct {
	// Name of the header.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern="^[-!#$%&'*+.^_`|~0-9A-Za-z]+$"
	// +kubebuilder:validation:XValidation:rule="!(self.lowerAscii() in ['www-authenticate', 'connection', 'content-length', 'transfer-encoding', 'te', 'upgrade', 'trailer', 'keep-alive', 'proxy-connection'])",message="this header belongs to HTTP or is written by agentauth and cannot be set"
	Name string `json:"name"`

	// Value, literally. At most 4096 characters.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	// +kubebuilder:validation:Pattern="^([!-~]([ \\t!-~]*[!-~])?)?$"
	Value string `json:"value"`
}
