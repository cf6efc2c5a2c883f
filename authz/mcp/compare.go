package mcp

import (
	"encoding/base64"
	"strings"

	"github.com/agentauth-dev/agentauth/authz"
)

// headersRequired is the version whose requests say their version, method and name in
// headers too.
const headersRequired = "2026-07-28"

// Headers that repeat parts of the message (MCP 2026-07-28, Streamable HTTP, Request
// Metadata). Mcp-Param-* repeat arguments that the server's own schema names: who
// does not know the schema hands them on.
const (
	versionHeader = "mcp-protocol-version"
	methodHeader  = "mcp-method"
	nameHeader    = "mcp-name"
)

// compare compares the headers of a request with the call.
func (c *Call) compare(r *authz.Request) *Error {
	var came [3]string
	var has [3]bool
	for i, header := range []string{versionHeader, methodHeader, nameHeader} {
		value, fields := r.Header(header)
		switch {
		case fields > 1:
			return mismatch(header + " came more than once: servers differ in which one they take")
		case r.Read(header).Aliased:
			return mismatch(header + " came under another spelling, which some servers take for it")
		case !sendable(value):
			return mismatch(header + " has characters that no value of it has")
		}
		came[i], has[i] = value, fields == 1
	}
	name, err := decoded(came[2])
	switch {
	case err != nil:
		return err
	case has[0] && c.Version != "" && came[0] != c.Version:
		return mismatch("mcp-protocol-version and the version in _meta differ")
	case has[1] && came[1] != c.Method:
		return mismatch("mcp-method and the method of the body differ")
	case has[2] && name != c.name():
		return mismatch("mcp-name and what the body names differ")
	case !c.request || came[0] != headersRequired && c.Version != headersRequired:
		return nil
	case !has[0]:
		return mismatch("mcp-protocol-version is missing, which version 2026-07-28 requires")
	case !has[1]:
		return mismatch("mcp-method is missing, which version 2026-07-28 requires")
	case !has[2] && (c.Method == "tools/call" || c.Method == "prompts/get" || c.Method == "resources/read"):
		return mismatch("mcp-name is missing, which version 2026-07-28 requires of the method")
	}
	return nil
}

// sendable says whether a value has only characters that may be sent as they are.
func sendable(value string) bool {
	for i := range len(value) {
		if c := value[i]; c != '\t' && (c < ' ' || c > '~') {
			return false
		}
	}
	return true
}

// decoded is the value of Mcp-Name: what stands between the marks is in base64.
func decoded(value string) (string, *Error) {
	inner, begins := strings.CutPrefix(value, "=?base64?")
	inner, ends := strings.CutSuffix(inner, "?=")
	if !begins || !ends {
		return value, nil
	}
	b, err := base64.StdEncoding.Strict().DecodeString(inner)
	if err != nil {
		return "", mismatch("mcp-name is marked as base64, and is none")
	}
	return string(b), nil
}
