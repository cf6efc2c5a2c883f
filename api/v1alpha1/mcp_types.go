package v1alpha1

// MCP says that the routes of the policy are a server of the Model Context
// Protocol, and an OAuth 2.0 resource server as the protocol wants it (versions
// 2025-03-26, 2025-06-18, 2025-11-25 and 2026-07-28).
//
// The server's metadata (RFC 9728) is answered without a token, to GET, HEAD and
// OPTIONS, at /.well-known/oauth-protected-resource and the path of resource, and at
// that path alone while the host has one such policy (with several: 404): the proxy
// must route both, and ask here. The policy that decides requests for the resource
// answers; a change is in force at once, and clients may keep an answer for 5
// minutes. A 401 says where the metadata is. Every token needs the resource as an
// audience, or another one that its method names in audiences beside the resource. A
// credential is taken from no query, and a request with access_token in the query is
// refused with 400. The proxy must hand on the complete body of a request: one that is
// absent or cut is refused.
type MCP struct {
	// Resource is the canonical URI of the server (RFC 8707 section 2, RFC 9728
	// section 1.2): the audience of tokens, compared byte for byte
	// ("https://h" and "https://h/" are two). https, a host of the policy in lower
	// case, a port unless it is 443, and a path of plain characters: no query, no
	// fragment, no percent-encoding, no segment . or .., and no final slash but that
	// of an empty path. At most 2048 characters.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:Pattern=`^https://[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*(:[1-9][0-9]{0,4})?(/|(/[-._~A-Za-z0-9!$&'()*+,=:@]+)*)$`
	// +kubebuilder:validation:XValidation:rule="!self.matches('^https://[^/]*:443(/|$)') && !self.matches('/[.][.]?(/|$)')",message="resource must be canonical: leave the port 443, and segments . and .. out"
	Resource string `json:"resource"`

	// AuthorizationServers are the issuers whose tokens the server takes, as the
	// metadata names them (RFC 9728 section 2): https URLs without query or fragment.
	// Each is the issuer of a method, or the policy has a warning. At least one, at
	// most 8.
	// +required
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=2048
	// +kubebuilder:validation:items:Pattern=`^https://[^/?#@\s]+(/[^?#\s]*)?$`
	// +listType=set
	AuthorizationServers []string `json:"authorizationServers"`

	// ScopesSupported are the scopes that the metadata names. Default: none are
	// named. offline_access belongs to the client and the authorization server, so
	// it is refused here. At most 64.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	// +listType=set
	ScopesSupported []MCPScope `json:"scopesSupported,omitempty"`

	// AllowedOrigins are the web origins whose pages may call the server, compared
	// byte for byte: in lower case, as browsers send them, without wildcards. A request with another Origin (null and an empty one too), or
	// with two, is refused with 403, whatever its method; one without Origin is not of
	// a page. Preflights are answered by the proxy's CORS filter, before it asks here.
	// The metadata is for every origin. Default: none. At most 64.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=255
	// +kubebuilder:validation:items:Pattern=`^[a-z][-+.a-z0-9]*://[^*A-Z/?#@\s]+$`
	// +listType=set
	AllowedOrigins []string `json:"allowedOrigins,omitempty"`

	// Methods are rules for methods of JSON-RPC that name no tool, resource or
	// prompt (tools/list, ping, notifications). A method that no entry names needs
	// authentication and the scopes of the authentication method. What tools/call and
	// its like need stands in the lists of what they name. At most 64.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:XValidation:rule="self.all(r, !r.names.exists(n, n in ['tools/call', 'prompts/get', 'resources/read', 'resources/subscribe', 'resources/unsubscribe']))",message="tools/call, prompts/get and resources/read, /subscribe and /unsubscribe are ruled by what they name: write tools, prompts or resources"
	// +listType=atomic
	Methods []MCPRule `json:"methods,omitempty"`

	// Tools are rules for tools/call, by the name of the tool. If given, a tool that
	// no entry names is refused with 403. At most 64.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	Tools []MCPRule `json:"tools,omitempty"`

	// Resources are rules for resources, by URI. If given, a resource that no entry
	// names is refused with 403. At most 64.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	Resources []MCPRule `json:"resources,omitempty"`

	// Prompts are rules for prompts, by name. If given, a prompt that no entry names
	// is refused with 403. At most 64.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	// +listType=atomic
	Prompts []MCPRule `json:"prompts,omitempty"`
}

// MCPScope is a scope token (RFC 6749 section 3.3).
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=256
// +kubebuilder:validation:Pattern=`^[!#-\[\]-~]+$`
// +kubebuilder:validation:XValidation:rule="self != 'offline_access'",message="offline_access is between the client and its authorization server: a resource server neither needs nor names it"
type MCPScope string

// MCPRule says who may use what it names. All entries that name something must
// agree.
type MCPRule struct {
	// Names are compared byte for byte; only a "*" at the end is a wildcard, for any
	// rest, also none. At least one, at most 64.
	// +required
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=1024
	// +kubebuilder:validation:items:Pattern=`^[^*]*\*?$`
	// +listType=set
	Names []string `json:"names"`

	// Scopes are required of the identity. What is missing is answered with 403 and a
	// challenge that names the scopes of this operation. At most 16.
	// +optional
	// +kubebuilder:validation:MaxItems=16
	// +listType=set
	Scopes []MCPScope `json:"scopes,omitempty"`

	// Require is a CEL expression that must be true. It reads what rules read, and
	// mcp {method, tool, resource, prompt, id, arguments}. A failure refuses.
	// +optional
	Require Expression `json:"require,omitempty"`
}
