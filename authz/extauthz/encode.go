package extauthz

import (
	"errors"
	"fmt"
	"unicode/utf8"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/agentauth-dev/agentauth/authz"
)

// response is a CheckResponse in its wire form. gRPC may send it after the call
// returned, so it is never used again; it is one allocation if it is short.
type response struct {
	wire mem.SliceBuffer
	list [1]mem.Buffer
	room [208]byte
}

func newResponse(wire []byte) *response {
	a := &response{wire: wire}
	a.list[0] = &a.wire
	return a
}

func (a *response) buffers() mem.BufferSlice { return a.list[:] }

// encode writes a decision for Envoy. What cannot be written as it is, is an error
// that names the field and not its value, never trimmed, dropped or replaced; the
// caller then answers [unavailable].
func encode(d *authz.Decision) (*response, error) {
	a := newResponse(nil)
	b := a.room[:0]
	if size := sizeOf(d); size > len(a.room) {
		b = make([]byte, 0, size)
	}
	var err error
	if d.Outcome == authz.Allow {
		b, err = appendAllow(b, d)
	} else {
		b, err = appendRefusal(b, d)
	}
	if err == nil && len(d.Metadata) > 0 {
		b, err = appendMetadata(b, d.Metadata)
	}
	a.wire = b
	return a, err
}

// sizeOf is at least the size of most answers, metadata apart, in bytes.
func sizeOf(d *authz.Decision) int {
	const fixed, each = 24, 16
	n := fixed + len(d.Body)
	for _, h := range d.Set {
		n += each + len(h.Name) + len(h.Value)
	}
	for _, h := range d.Headers {
		n += each + len(h.Name) + len(h.Value)
	}
	for _, name := range d.Remove {
		n += each + len(name)
	}
	for _, name := range d.RemoveQuery {
		n += each + len(name)
	}
	return n
}

// Fields of the messages that are written.
const (
	responseStatus, responseDenied, responseOK, responseMetadata = 1, 2, 3, 4 // CheckResponse
	statusCode                                                   = 1          // google.rpc.Status
	okHeaders, okRemove, okRemoveQuery                           = 2, 5, 8    // OkHttpResponse
	deniedStatus, deniedHeaders, deniedBody                      = 1, 2, 3    // DeniedHttpResponse
	httpStatusCode                                               = 1          // HttpStatus
	optionHeader, optionAction                                   = 1, 3       // HeaderValueOption
	headerKey, headerValue                                       = 1, 2       // HeaderValue
)

// begin begins a message as a field of b; [end] ends it.
func begin(b []byte, field protowire.Number) (_ []byte, start int) {
	b = append(protowire.AppendTag(b, field, protowire.BytesType), 0)
	return b, len(b)
}

// end writes the length of the message that begins at start, into the byte that is
// left for it, or more.
func end(b []byte, start int) []byte {
	size := len(b) - start
	if size < 1<<7 {
		b[start-1] = byte(size)
		return b
	}
	var room [10]byte
	length := protowire.AppendVarint(room[:0], uint64(size))
	b = append(b, length[1:]...) // for the place
	copy(b[start+len(length)-1:], b[start:start+size])
	copy(b[start-1:], length)
	return b
}

func appendText(b []byte, field protowire.Number, text string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), text)
}

func appendNumber(b []byte, field protowire.Number, n uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), n)
}

// appendAllow and appendDenied are the only places that write a response, each its
// gRPC status together with the HTTP response that goes with it: Envoy looks
// at the status alone, and lets a denied response with status OK through.
// error_response is not used at all: failure_mode_allow would make it a yes.
//
// appendAllow relies on what Envoy does with an OK response: a header that is
// set replaces the caller's, and headers are removed after they were set, so
// that a name in both would be gone.
func appendAllow(b []byte, d *authz.Decision) ([]byte, error) {
	b, status := begin(b, responseStatus)
	b = end(b, status) // OK is the zero value
	b, start := begin(b, responseOK)
	for i := range d.Set {
		if err := checkField(&d.Set[i]); err != nil {
			return nil, err
		}
		b = appendOption(b, okHeaders, &d.Set[i], corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD)
	}
	for _, name := range d.Remove {
		switch {
		case !authz.ValidFieldName(name):
			return nil, fmt.Errorf("a header to remove has the name %q, which is no field name", name)
		case times(d.Set, name) == 0:
			b = appendText(b, okRemove, name)
		}
	}
	for _, name := range d.RemoveQuery {
		if !utf8.ValidString(name) {
			return nil, fmt.Errorf("a query parameter to remove has the name %q, which is not UTF-8", name)
		}
		b = appendText(b, okRemoveQuery, name)
	}
	return end(b, start), nil
}

// times is how often a name occurs.
func times(headers []authz.Header, name string) int {
	n := 0
	for i := range headers {
		if authz.EqualFold(headers[i].Name, name) {
			n++
		}
	}
	return n
}

// appendMetadata writes what Envoy hands to rate limits and access logs, of a
// refusal too.
func appendMetadata(b []byte, m map[string]any) ([]byte, error) {
	fields := make(map[string]*structpb.Value, len(m))
	for key, value := range m {
		v, err := structpb.NewValue(value)
		if err != nil || !utf8.ValidString(key) { // the error holds the value
			return nil, fmt.Errorf("metadata %q is no JSON value in UTF-8", key)
		}
		fields[key] = v
	}
	b, start := begin(b, responseMetadata)
	b, err := proto.MarshalOptions{}.MarshalAppend(b, &structpb.Struct{Fields: fields})
	if err != nil {
		return nil, errors.New("the metadata cannot be written")
	}
	return end(b, start), nil
}

// appendRefusal writes every field of a name that occurs twice (challenges,
// RFC 9110 11.6.1) as a field of its own; any other replaces what Envoy would
// say itself (content-type).
func appendRefusal(b []byte, d *authz.Decision) ([]byte, error) {
	if !utf8.ValidString(d.Body) {
		return nil, errors.New("the body is not UTF-8")
	}
	for i := range d.Headers {
		if err := checkField(&d.Headers[i]); err != nil {
			return nil, err
		}
	}
	return appendDenied(b, httpStatus(d), d.Headers, d.Body), nil
}

func appendDenied(b []byte, status int, headers []authz.Header, body string) []byte {
	b, start := begin(b, responseStatus)
	b = end(appendNumber(b, statusCode, uint64(refusal(status))), start)
	b, start = begin(b, responseDenied)
	b, code := begin(b, deniedStatus)
	b = end(appendNumber(b, httpStatusCode, uint64(status)), code) // #nosec G115 -- 200 to 599
	for i := range headers {
		action := corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD
		if times(headers, headers[i].Name) > 1 {
			action = corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD
		}
		b = appendOption(b, deniedHeaders, &headers[i], action)
	}
	if body != "" {
		b = appendText(b, deniedBody, body)
	}
	return end(b, start)
}

// unavailable is the answer where there is no decision that could be written.
var unavailable = newResponse(appendDenied(nil, 503, []authz.Header{{Name: "content-type", Value: problemJSON}}, cannotDecide))

const (
	problemJSON  = "application/problem+json"
	cannotDecide = `{"title":"Service Unavailable","status":503,"detail":"The request could not be decided. Try again later."}`
)

// httpStatus is the decision's if it is one of its outcome's; Envoy would turn
// 0 into 403, also where nothing could be decided.
func httpStatus(d *authz.Decision) int {
	switch {
	case d.Status >= 400 && d.Status <= 599:
		return d.Status
	case d.Outcome == authz.Respond && d.Status >= 200 && d.Status <= 599:
		return d.Status
	case d.Outcome == authz.Error || d.Outcome == authz.Respond:
		return 503
	default:
		return 403
	}
}

// appendOption leaves the deprecated `append` unset: ext_authz takes that for false,
// and Envoys that look at append_action instead find the same there.
func appendOption(b []byte, field protowire.Number, h *authz.Header, action corev3.HeaderValueOption_HeaderAppendAction) []byte {
	b, start := begin(b, field)
	b, header := begin(b, optionHeader)
	b = appendText(b, headerKey, h.Name)
	if h.Value != "" {
		b = appendText(b, headerValue, h.Value)
	}
	b = end(b, header)
	if action != 0 {
		b = appendNumber(b, optionAction, uint64(action)) // #nosec G115 -- an enum
	}
	return end(b, start)
}

// checkField also refuses obs-text that is not UTF-8: it cannot be written to
// a protobuf string, and the failed call would be a gRPC error.
func checkField(h *authz.Header) error {
	switch {
	case !authz.ValidFieldName(h.Name):
		return fmt.Errorf("a header has the name %q, which is no field name", h.Name)
	case !authz.ValidFieldValue(h.Value):
		return fmt.Errorf("header %s has a value that is no field value", h.Name)
	case !utf8.ValidString(h.Value):
		return fmt.Errorf("header %s has a value that is not UTF-8", h.Name)
	}
	return nil
}

// refusal is the gRPC code for an HTTP status, and never OK: an answer of our
// own with status 200 (a metadata document) must not reach the upstream either.
func refusal(httpStatus int) codes.Code {
	switch httpStatus {
	case 400:
		return codes.InvalidArgument
	case 401:
		return codes.Unauthenticated
	case 404:
		return codes.NotFound
	case 429:
		return codes.ResourceExhausted
	case 503:
		return codes.Unavailable
	default:
		return codes.PermissionDenied
	}
}
