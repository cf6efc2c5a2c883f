package policy

import "github.com/agentauth-dev/agentauth/authz/expr"

// MCP says what a server of the Model Context Protocol is asked for, and who may.
type MCP struct {
	// Resource is the canonical URI of the server.
	Resource string
	// Methods, Tools, Resources and Prompts are rules by what a call names.
	Methods, Tools, Resources, Prompts []MCPEntry
	// TrustMetadata takes the proxy's reading of a call whose body is not here.
	TrustMetadata bool
}

// MCPEntry is a rule for what its Names name: whole, or with a "*" at the end what
// begins so.
type MCPEntry struct {
	Names, Scopes []string
	// Require must be true; nil requires nothing.
	Require *expr.Program
}
