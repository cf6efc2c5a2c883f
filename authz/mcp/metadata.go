package mcp

import (
	"strconv"

	"github.com/agentauth-dev/agentauth/authz"
)

// Namespace is the dynamic metadata of Envoy's mcp filter.
const Namespace = "envoy.filters.http.mcp"

// reading is what the proxy read of a message; nil is nothing.
type reading map[string]any

// readingOf is the reading that a request came with.
func readingOf(r *authz.Request) (reading, *Error) {
	all, err := authz.ReadMetadata(r.Metadata)
	if err != nil {
		return nil, mismatch("the metadata of the proxy cannot be read")
	}
	v, ok := all[Namespace]
	if !ok || v == nil {
		return nil, nil
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, mismatch("the proxy's metadata " + Namespace + " is no object")
	}
	return m, nil
}

// compare compares the proxy's reading of a message with the call. What the proxy
// does not say does not differ.
func (r reading) compare(c *Call) *Error {
	if r == nil {
		return nil
	}
	differs := func(key, want string) bool {
		v, ok := r[key]
		return ok && v != want
	}
	parts, _ := r["params"].(map[string]any)
	named := func(key string) bool {
		v, ok := parts[key]
		return ok && v != c.name()
	}
	switch is, ok := r["is_mcp_request"]; {
	case ok && is != true:
		return mismatch("the proxy says that the request is none of MCP, and the body is")
	case differs("status", accepted) || differs("jsonrpc", "2.0"):
		return mismatch("the proxy did not accept the message, and the body is one")
	case differs("method", c.Method):
		return mismatch("the proxy read another method than the body has")
	case !r.sameID(c):
		return mismatch("the proxy read another id than the body has")
	case (c.Kind == Tool || c.Kind == Prompt) && c.Method != complete && named("name"),
		c.Kind == Resource && c.Method != complete && c.Method != listen && named("uri"):
		return mismatch("the proxy read another name than the body has")
	}
	return nil
}

// accepted is the status of a message that the filter read whole.
const accepted = "mcp_ok"

func (r reading) sameID(c *Call) bool {
	switch v := r["id"].(type) {
	case nil:
		return true
	case string:
		return v == c.ID
	case float64: // of a large number it is what is left
		n, err := strconv.ParseFloat(c.ID, 64)
		return err == nil && n == v
	}
	return false
}

// call makes a call of the proxy's reading alone. Its arguments are not known.
func (r reading) call() (*Call, *Error) {
	method, _ := r["method"].(string)
	if r["is_mcp_request"] != true || r["status"] != accepted || r["jsonrpc"] != "2.0" || method == "" {
		return nil, missing("the body of the request is not known, and the proxy's metadata does not say that it read one")
	}
	c := &Call{Method: method, hidden: true}
	switch v := r["id"].(type) {
	case nil:
	case string:
		c.ID, c.request = v, true
	case float64:
		c.ID, c.request = strconv.FormatFloat(v, 'f', -1, 64), true
	default:
		return nil, invalid(codeRequest, "the proxy read an id that is neither a text nor a number")
	}
	if err := checkMethod(method); err != nil || !mayName(method) {
		return c, err
	}
	parts, _ := r["params"].(map[string]any)
	n, ok := named[method]
	name, isText := parts[n.member].(string)
	if !ok || !isText {
		return nil, missing("the body of the request is not known, and the proxy's metadata does not say what " + method + " names")
	}
	return c, c.addText(n.kind, name, "params."+n.member)
}
