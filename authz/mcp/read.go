package mcp

import (
	"mime"
	"slices"
	"strings"

	"github.com/agentauth-dev/agentauth/authz"
)

// Post is the method of HTTP that messages come in.
const Post = "POST"

// Read makes a call of a request. Without the complete body there is none, unless
// trustMetadata takes the word of Envoy's mcp filter. The error is an *Error.
//
// Messages come in POST. GET (a stream of the server's messages), DELETE (the end of
// a session), HEAD and OPTIONS have no body, so they are no calls: the Call has no
// method. The transport has no other methods, and no upgrades.
func Read(r *authz.Request, trustMetadata bool) (*Call, error) {
	c, err := read(r, trustMetadata)
	if err != nil {
		if err.ID == "" {
			err.ID = "null"
		}
		return nil, err
	}
	return c, nil
}

func read(r *authz.Request, trustMetadata bool) (*Call, *Error) {
	if err := checkTransport(r); err != nil {
		return nil, err
	}
	if r.Method != Post {
		return &Call{}, checkEmpty(r)
	}
	if err := checkContent(r); err != nil {
		return nil, err
	}
	proxy, err := readingOf(r)
	if err != nil {
		return nil, err
	}
	c, err := messageOf(r, proxy, trustMetadata)
	if err != nil {
		return nil, err
	}
	if err = c.compare(r); err == nil {
		err = proxy.compare(c)
	}
	if err == nil && c.Method == "" && answersMayNotCome(r) {
		err = invalid(codeRequest, "the body is a response, and version 2026-07-28 has none of clients")
	}
	if err != nil {
		err.ID = c.answerID()
	}
	return c, err
}

// messageOf is the call in the body, else that of the proxy's reading.
func messageOf(r *authz.Request, proxy reading, trustMetadata bool) (*Call, *Error) {
	switch {
	case !r.BodyKnown && trustMetadata && proxy != nil:
		return proxy.call()
	case !r.BodyKnown:
		return nil, missing("the body of the request is not known: the proxy hands none on, or cut it: with_request_body needs a max_request_bytes that holds the whole body")
	case len(r.Body) > MaxBody:
		return nil, missing("the body of the request is longer than 1 MiB, which is not read, whatever the proxy's max_request_bytes is")
	}
	return parse(r.Body)
}

// answersMayNotCome says whether the request is of a version without responses of
// clients.
func answersMayNotCome(r *authz.Request) bool {
	version, _ := r.Header(versionHeader)
	return version == headersRequired
}

// overrides are headers by which some servers take a request for one of another
// method.
var overrides = []string{"x-http-method-override", "x-http-method", "x-method-override"}

// methodsOfHTTP are those that the transport has.
var methodsOfHTTP = []string{Post, "GET", "HEAD", "DELETE", "OPTIONS"}

// checkTransport refuses what the transport does not have.
func checkTransport(r *authz.Request) *Error {
	if !slices.Contains(methodsOfHTTP, r.Method) {
		return invalid(codeRequest, "MCP has no requests with this HTTP method, expected POST, GET, DELETE, HEAD or OPTIONS")
	}
	if _, fields := r.Header("upgrade"); fields > 0 {
		return invalid(codeRequest, "the request asks for an upgrade, behind which nobody sees the messages")
	}
	for _, name := range overrides {
		if value, fields := r.Header(name); r.Read(name).Aliased || fields > 0 && !authz.EqualFold(value, r.Method) {
			return invalid(codeRequest, name+" says another method than the request has")
		}
	}
	return nil
}

// checkEmpty refuses a body where none is read. One that nobody sees may still come:
// no server takes it for a message, since the method is not POST.
func checkEmpty(r *authz.Request) *Error {
	length, fields := r.Header("content-length")
	_, chunked := r.Header("transfer-encoding")
	if r.BodyKnown && len(r.Body) > 0 || fields > 0 && strings.Trim(length, "0") != "" || chunked > 0 {
		return invalid(codeRequest, "the request has a body, and only POST has one in MCP")
	}
	return nil
}

// checkContent refuses a body that says to be something else than JSON in UTF-8. A
// text is looked at all the same: a server may take it for JSON.
func checkContent(r *authz.Request) *Error {
	if encoding, fields := r.Header("content-encoding"); fields > 0 && !authz.EqualFold(encoding, "identity") {
		return invalid(codeParse, "the body is compressed, so it cannot be read: send it as it is")
	}
	value, fields := r.Header("content-type")
	if fields == 0 {
		return nil
	}
	kind, parameters, err := mime.ParseMediaType(value)
	switch {
	case fields > 1 || err != nil:
		return invalid(codeRequest, "expected one content-type, application/json")
	case kind != "application/json" && kind != "text/plain" && !strings.HasSuffix(kind, "+json"):
		return invalid(codeRequest, "expected the content-type application/json")
	}
	if charset, ok := parameters["charset"]; ok && !authz.EqualFold(charset, "utf-8") && !authz.EqualFold(charset, "utf8") {
		return invalid(codeParse, "the content-type has another charset than utf-8, which JSON is in")
	}
	return nil
}
