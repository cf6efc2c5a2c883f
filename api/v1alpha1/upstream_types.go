package v1alpha1

// UpstreamToken is what the upstream gets in place of the caller's credentials: a
// header that agentauth sets, last of all and only where everything else allowed the
// request. The caller's own copies of the header are removed, as those of headers
// are. While there is no token the request is 503, never sent without one.
//
// +kubebuilder:validation:ExactlyOneOf=exchanged;clientCredentials;secret;signed
type UpstreamToken struct {
	// Exchanged gets a token for each caller, in exchange for the caller's own token
	// (RFC 8693).
	// +optional
	Exchanged *ExchangedToken `json:"exchanged,omitempty"`

	// ClientCredentials gets one token for all callers, as agentauth's own client
	// (RFC 6749 4.4).
	// +optional
	ClientCredentials *ClientCredentialsToken `json:"clientCredentials,omitempty"`

	// Secret is a key of the provider that no caller sees.
	// +optional
	Secret *SecretToken `json:"secret,omitempty"`

	// Signed is a short-lived JWT that agentauth signs for each request.
	// +optional
	Signed *SignedToken `json:"signed,omitempty"`
}

// SecretToken is a key that stands in a Secret.
type SecretToken struct {
	// SecretRef names a Secret labelled agentauth.dev/use: provider. Default key:
	// token. The value is used byte for byte: 1 to 16384 bytes of UTF-8 without
	// control characters and without white space at either end.
	// +required
	SecretRef ObjectKeyReference `json:"secretRef"`

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

// ClientCredentialsToken is a token that agentauth gets as a client (RFC 6749 4.4),
// in the header authorization with the scheme Bearer. It is fetched when it is first
// needed, shared by all callers, and fetched again in the background, at about 80% of
// its life, while it is used.
type ClientCredentialsToken struct {
	// TokenEndpoint is the URL of the token endpoint. No redirect is followed. At
	// most 2048 characters.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:Pattern=`^https?://[^/?#@]+([/?][^#]*)?$`
	TokenEndpoint string `json:"tokenEndpoint"`

	// ClientCredentials are those that agentauth authenticates with at the endpoint.
	// The audience of assertions is the endpoint.
	// +required
	ClientCredentials ClientCredentials `json:"clientCredentials"`

	TokenTarget `json:",inline"`

	// CACertificates verify the server. Default: the system's.
	// +optional
	CACertificates *CACertificates `json:"caCertificates,omitempty"`
}

// ExchangedToken is a token that agentauth gets for the token of the caller
// (RFC 8693), in the header authorization with the scheme Bearer. The caller's token
// is that of `identity`, which a jwt or oauth2Introspection method must have
// established; any other caller is 403. It is kept by caller, at most until the
// caller's own token ends.
type ExchangedToken struct {
	// Endpoint is the URL of the token endpoint, the only place that the caller's
	// token is sent to. No redirect is followed. At most 2048 characters.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:Pattern=`^https?://[^/?#@]+([/?][^#]*)?$`
	Endpoint string `json:"endpoint"`

	// ClientCredentials are those that agentauth authenticates with at the endpoint.
	// The audience of assertions is the endpoint.
	// +required
	ClientCredentials ClientCredentials `json:"clientCredentials"`

	TokenTarget `json:",inline"`

	// RequestedTokenType is the type of token that is asked for (RFC 8693 section 3).
	// Default: the server's choice among access tokens.
	// +optional
	RequestedTokenType IssuedTokenType `json:"requestedTokenType,omitempty"`

	// ActorToken is a token of agentauth itself that says who acts for the caller, so
	// that the server can write `act`. Default: none; the server knows the client
	// that authenticates.
	// +optional
	ActorToken *ActorToken `json:"actorToken,omitempty"`

	// CACertificates verify the server. Default: the system's.
	// +optional
	CACertificates *CACertificates `json:"caCertificates,omitempty"`
}

// TokenTarget says what a token is to be for.
type TokenTarget struct {
	// Audience is the name of the upstream at the authorization server. At most 2048
	// characters. Default: none is named.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	Audience string `json:"audience,omitempty"`

	// Resource is the absolute URI of the upstream (RFC 8707), without a fragment. At
	// most 2048 characters. Default: none is named.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:Pattern=`^[a-zA-Z][-+.a-zA-Z0-9]*:[^#\s]+$`
	Resource string `json:"resource,omitempty"`

	// Scopes are asked for. At most 32. Default: the server's choice.
	// +optional
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	// +kubebuilder:validation:items:Pattern=`^[!#-\[\]-~]+$`
	// +listType=set
	Scopes []string `json:"scopes,omitempty"`
}

// IssuedTokenType is a type of token that can be used in the header authorization.
//
// +kubebuilder:validation:Enum="urn:ietf:params:oauth:token-type:access_token";"urn:ietf:params:oauth:token-type:jwt"
type IssuedTokenType string

const (
	// IssuedAccessToken is an access token in whatever form.
	IssuedAccessToken IssuedTokenType = "urn:ietf:params:oauth:token-type:access_token"
	// IssuedJWT is a JWT.
	IssuedJWT IssuedTokenType = "urn:ietf:params:oauth:token-type:jwt"
)

// ActorToken says where a token of agentauth itself comes from.
//
// +kubebuilder:validation:ExactlyOneOf=clientCredentials
type ActorToken struct {
	// ClientCredentials gets the token as a client (RFC 6749 4.4).
	// +optional
	ClientCredentials *ClientCredentialsToken `json:"clientCredentials,omitempty"`
}
