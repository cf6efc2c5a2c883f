package policy

import (
	"net/url"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/authn"
)

// WellKnown is where the metadata of a protected resource is, before the path of the
// resource (RFC 9728 3).
const WellKnown = "/.well-known/oauth-protected-resource"

// Resource is an OAuth 2.0 protected resource and its metadata (RFC 9728). It never
// changes.
type Resource struct {
	// Host has no port. Path is "" where the URI has none, and where it is a slash.
	Host, Path string
	// MetadataURL is where the metadata is.
	MetadataURL string

	allowedOrigins []string
	// scheme is that of the resource's access tokens, where no token came yet.
	scheme    string
	document  document
	get, head authz.Decision
}

// document is the metadata (RFC 9728 2). A member that is empty is left out.
type document struct {
	Resource               string              `json:"resource"`
	AuthorizationServers   []string            `json:"authorization_servers,omitempty"`
	ScopesSupported        []v1alpha1.MCPScope `json:"scopes_supported,omitempty"`
	BearerMethodsSupported []string            `json:"bearer_methods_supported,omitempty"`
	CertificateBoundTokens bool                `json:"tls_client_certificate_bound_access_tokens,omitzero"`
	ProofAlgorithms        []string            `json:"dpop_signing_alg_values_supported,omitempty"`
	DPoPBoundTokens        bool                `json:"dpop_bound_access_tokens_required,omitzero"`
}

// NewResource makes the resource of a policy, and its answers; nil if it has none, or
// its URI is none. Package validate has checked that of a policy that is valid.
func NewResource(policy string, version *authz.PolicyVersion, spec *v1alpha1.PolicySpec) *Resource {
	if spec.MCP == nil {
		return nil
	}
	u, err := url.Parse(spec.MCP.Resource)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" {
		return nil
	}
	r := &Resource{Host: u.Hostname(), Path: strings.TrimSuffix(u.EscapedPath(), "/"), MetadataURL: metadataURL(spec.MCP.Resource), allowedOrigins: spec.MCP.AllowedOrigins, scheme: bearer}
	r.document = document{Resource: spec.MCP.Resource, AuthorizationServers: spec.MCP.AuthorizationServers, ScopesSupported: spec.MCP.ScopesSupported, BearerMethodsSupported: []string{"header"}}
	r.get = authz.Decision{Outcome: authz.Respond, Reason: authz.MetadataServed, Policy: policy, Version: version, Status: 200, Headers: metadataHeaders}
	return r.written()
}

// written writes the answers; nil if the document cannot be written.
func (r *Resource) written() *Resource {
	body, err := json.Marshal(r.document)
	if err != nil {
		return nil
	}
	r.head = r.get
	r.get.Body = string(body)
	return r
}

// GuardedBy is the resource of a policy with these methods: the metadata says which
// tokens hold by themselves, and what the others are bound to.
func (r *Resource) GuardedBy(methods []Method) *Resource {
	if r == nil {
		return nil
	}
	var all authn.Possession
	tokens := 0
	for i := range methods {
		var one authn.Possession // that of a token without proof
		if p := authn.ProverOf(methods[i].Authenticator); p != nil {
			one = p.Possession()
		} else if !methods[i].Authenticator.Reads().Tokens {
			continue // no token at all
		}
		all.DPoP = all.DPoP || one.DPoP
		all.NeedsDPoP = one.NeedsDPoP && (all.NeedsDPoP || tokens == 0)
		all.NeedsCertificate = one.NeedsCertificate && (all.NeedsCertificate || tokens == 0)
		tokens++
	}
	out := *r
	out.document.CertificateBoundTokens, out.document.DPoPBoundTokens = all.NeedsCertificate, all.NeedsDPoP
	if all.DPoP {
		out.document.ProofAlgorithms = authn.ProofAlgorithms
	}
	if all.NeedsDPoP {
		out.scheme = dpop
	}
	return out.written()
}

// metadataHeaders let the pages of every origin read the metadata: who may call the
// resource is another question. A client that keeps the metadata for five minutes
// learns of a new authorization server as soon as of its new keys.
var metadataHeaders = []authz.Header{
	{Name: "content-type", Value: "application/json"},
	anyOrigin,
	{Name: "cache-control", Value: "max-age=300"},
}

var anyOrigin = authz.Header{Name: "access-control-allow-origin", Value: "*"}

// preflight lets pages send the headers that clients send beside a GET, as
// mcp-protocol-version (Fetch 3.2.3).
var preflight = authz.Decision{Outcome: authz.Respond, Reason: authz.MetadataServed, Status: 204, Headers: []authz.Header{
	anyOrigin,
	{Name: "access-control-allow-methods", Value: "GET, HEAD"},
	{Name: "access-control-allow-headers", Value: "*"},
	{Name: "access-control-max-age", Value: "300"},
}}

// ReadsMetadata says whether a method of HTTP reads metadata, or asks whether a page
// may.
func ReadsMetadata(method string) bool {
	return method == "GET" || method == "HEAD" || method == "OPTIONS"
}

// Answer is the answer to a request for the metadata. It needs no credential.
func (r *Resource) Answer(method string) authz.Decision {
	switch method {
	case "GET":
		return r.get
	case "HEAD":
		return r.head
	}
	d := preflight
	d.Policy, d.Version = r.get.Policy, r.get.Version
	return d
}

// SeveralResources is the answer where metadata was asked for without the path of a
// resource, and the host has several resources.
func SeveralResources() authz.Decision {
	return authz.Decision{Outcome: authz.Deny, Reason: authz.NoPolicy, Detail: "several policies of the host have mcp: the metadata of each is behind its path only",
		Status: 404, Headers: severalHeaders, Body: severalBody, Problem: true}
}

var (
	severalHeaders = []authz.Header{anyOrigin, {Name: "content-type", Value: "application/problem+json"}}
	severalBody    = problem(404, "The host has several protected resources. Ask for "+WellKnown+" and the path of one of them.", "")
)
