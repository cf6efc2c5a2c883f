package extauthz

import (
	"strconv"
	"strings"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/agentauth-dev/agentauth/authz"
)

// partialBody is appended by Envoy (with_request_body) behind whatever the
// caller sent under that name, so only the last one is Envoy's. It is left
// among the headers.
const partialBody = "x-envoy-auth-partial-body"

// readBody returns the body and whether it is all of it. A caller can send
// partialBody where Envoy was not told to, so an empty body is never believed
// on its word: it is known from content-length: 0, or from a method that has
// no body. Without pack_as_bytes Envoy writes '!' for bytes that are not
// UTF-8, which cannot be seen here; docs and samples use pack_as_bytes.
func readBody(method string, http *authv3.AttributeContext_HttpRequest, headers []authz.Header) ([]byte, bool) {
	body := http.GetRawBody()
	if text := http.GetBody(); text != "" {
		body = []byte(text)
	}
	stated, agrees := contentLength(headers, len(body))
	partial, marked := last(headers, partialBody)
	_, coded := last(headers, "transfer-encoding")
	switch {
	case marked && partial != "false", !agrees:
		return body, false
	case len(body) > 0:
		return body, marked
	default:
		return body, !coded && (stated || bodyless(method))
	}
}

// contentLength says whether there is a content-length, and whether every one
// is that of the body; one that is no plain number ("5,5", "05") is not.
func contentLength(headers []authz.Header, size int) (stated, agrees bool) {
	want := strconv.Itoa(size)
	for _, h := range headers {
		if !strings.EqualFold(h.Name, "content-length") {
			continue
		}
		if stated = true; h.Value != want {
			return true, false
		}
	}
	return stated, true
}

// bodyless lists the methods of which servers take no body (RFC 9110 9.3).
// DELETE and OPTIONS may have one, and Envoy passes on no transfer-encoding of
// HTTP/1 by which a body that was not shown to us could be noticed.
func bodyless(method string) bool {
	return method == "GET" || method == "HEAD" || method == "TRACE"
}
