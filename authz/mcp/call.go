package mcp

import (
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/agentauth-dev/agentauth/authz"
)

const (
	// MaxBody is the longest body that is read, in bytes.
	MaxBody = 1 << 20
	// MaxArguments are the longest arguments that expressions read, in bytes.
	MaxArguments = 64 << 10
	// MaxName is the longest name of a tool or prompt, and the longest URI, in bytes.
	MaxName = 8 << 10
	// maxDepth is how deep the lists and objects of a body may nest.
	maxDepth = 64
	// maxMethod and maxID bound the method and the id of a message, in bytes.
	maxMethod, maxID = 256, 256
	// maxResources is how many resources one call may name.
	maxResources = 64
)

// Kind is what a call names.
type Kind uint8

const (
	// Nothing: the method names nothing, or there is no method.
	Nothing Kind = iota
	// Tool: the call names a tool.
	Tool
	// Resource: it names one resource or several.
	Resource
	// Prompt: it names a prompt.
	Prompt
)

// Call is what a request asks of the server. It is for one goroutine.
type Call struct {
	// Method is the method of JSON-RPC; "" for a response of the client, and for a
	// request without a message (GET, HEAD, DELETE, OPTIONS).
	Method string
	// ID is the id of the request as text; "" where it has none.
	ID string
	// Kind says which of the names below the call has.
	Kind Kind
	// Tool and Prompt are names, and Resources are URIs, as the call has them.
	Tool, Prompt string
	Resources    []string
	// Version is the version of the protocol that the message says; "" is none.
	Version string

	id        jsontext.Value // as it came
	request   bool           // an answer is wanted
	task      string         // of a method for tasks
	arguments jsontext.Value
	// hidden: whether there are arguments is not known.
	hidden  bool
	read    map[string]any
	readErr error
	wasRead bool
}

// Names are what the call names: one tool or prompt, or resources.
func (c *Call) Names() []string {
	switch c.Kind {
	case Tool:
		return []string{c.Tool}
	case Prompt:
		return []string{c.Prompt}
	case Resource:
		return c.Resources
	default:
		return nil
	}
}

// OfResource is the call as if it named but one of its resources.
func (c *Call) OfResource(uri string) *Call {
	one := *c
	one.Resources = []string{uri}
	return &one
}

// name is what Mcp-Name says of the call; "" is nothing.
func (c *Call) name() string {
	switch names := c.Names(); {
	case len(names) == 1:
		return names[0]
	default:
		return c.task
	}
}

// named are the methods that name something. resources/subscribe and
// resources/unsubscribe end with 2025-11-25; a server may know them longer.
var named = map[string]struct {
	kind   Kind
	member string
}{
	"tools/call":            {Tool, "name"},
	"prompts/get":           {Prompt, "name"},
	"resources/read":        {Resource, "uri"},
	"resources/subscribe":   {Resource, "uri"},
	"resources/unsubscribe": {Resource, "uri"},
}

// Methods that name something elsewhere in their parameters: a reference to a prompt
// or to a template of resources, and, from 2026-07-28 on, a list of URIs.
const (
	complete = "completion/complete"
	listen   = "subscriptions/listen"
)

// naming are all methods that may name something.
var naming = []string{"tools/call", "prompts/get", "resources/read", "resources/subscribe", "resources/unsubscribe", complete, listen}

func mayName(method string) bool { return slices.Contains(naming, method) }

// Codes of JSON-RPC errors (JSON-RPC 2.0 5.1, MCP 2026-07-28).
const (
	codeParse    = -32700
	codeRequest  = -32600
	codeParams   = -32602
	codeMismatch = -32020
)

// Error says why a request is no call that can be judged. Its text is safe to send:
// it holds nothing that came.
type Error struct {
	// Reason is MCPBodyMissing, MCPRequestInvalid or MCPHeaderMismatch.
	Reason authz.Reason
	// Code is that of a JSON-RPC error.
	Code int
	// ID is the id of the request in JSON; "null" where it is not known.
	ID string

	problem string
}

func (e *Error) Error() string { return e.problem }

func invalid(code int, problem string) *Error {
	return &Error{Reason: authz.MCPRequestInvalid, Code: code, problem: problem}
}

func missing(problem string) *Error {
	return &Error{Reason: authz.MCPBodyMissing, problem: problem}
}

func mismatch(problem string) *Error {
	return &Error{Reason: authz.MCPHeaderMismatch, Code: codeMismatch, problem: problem}
}
