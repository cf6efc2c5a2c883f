package extauthz

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/agentauth-dev/agentauth/authz"
)

// The plain way: a check is read, and an answer written, with the library and
// Envoy's types. What the door does by itself is compared with it.

// plainDecode reads a check in either wire form. It judges nothing: what is missing
// stays empty, and authz.NewRequest refuses it. now is the door's clock, since
// a request must not choose its own time.
func plainDecode(check *authv3.CheckRequest, now time.Time) authz.Raw {
	attrs := check.GetAttributes()
	http := attrs.GetRequest().GetHttp()
	headers := readHeaders(http)
	raw := authz.Raw{
		ID:                cmp.Or(first(headers, "x-request-id"), http.GetId()), // Envoy's own id is in no other log
		Method:            cmp.Or(http.GetMethod(), first(headers, ":method")),
		Scheme:            cmp.Or(http.GetScheme(), first(headers, ":scheme")),
		Host:              cmp.Or(http.GetHost(), first(headers, ":authority")),
		Path:              cmp.Or(http.GetPath(), first(headers, ":path")),
		Headers:           headers,
		Joined:            len(http.GetHeaders()) > 0,
		Source:            readSource(attrs.GetSource()),
		ContextExtensions: attrs.GetContextExtensions(),
		Metadata:          plainMetadata(attrs.GetMetadataContext()),
		Route:             readRoute(attrs.GetRouteMetadataContext()),
		Time:              now,
	}
	raw.TLS = overTLS(attrs.GetTlsSession() != nil, raw.Scheme, headers)
	raw.Body, raw.BodyKnown = plainBody(http, headers)
	return raw
}

// readHeaders returns the fields of `headers` in the order of their names, for
// a map has none, then those of `header_map` (encode_raw_headers) as they are.
// Envoy sends one of the two; of a message with both nothing is overlooked.
func readHeaders(http *authv3.AttributeContext_HttpRequest) []authz.Header {
	out := make([]authz.Header, 0, len(http.GetHeaders())+len(http.GetHeaderMap().GetHeaders()))
	for name, value := range http.GetHeaders() {
		out = append(out, authz.Header{Name: name, Value: value})
	}
	slices.SortFunc(out, func(a, b authz.Header) int { return strings.Compare(a.Name, b.Name) })
	for _, h := range http.GetHeaderMap().GetHeaders() {
		value := h.GetValue()
		if raw := h.GetRawValue(); len(raw) > 0 {
			value = string(raw)
		}
		out = append(out, authz.Header{Name: h.GetKey(), Value: value})
	}
	return out
}

// first and last return a header's value by its name in lower case.
func first(headers []authz.Header, name string) string {
	for _, h := range headers {
		if authz.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

func last(headers []authz.Header, name string) (value string, found bool) {
	for _, h := range slices.Backward(headers) {
		if authz.EqualFold(h.Name, name) {
			return h.Value, true
		}
	}
	return "", false
}

// overTLS says whether the caller reached the proxy over TLS. tls_session is
// Envoy's own measurement, but is only sent with include_tls_session, so the
// scheme has to do without it. A caller can choose the scheme (:scheme of
// HTTP/2, the absolute form of HTTP/1.1, both passed on as sent) and, unless
// Envoy overwrites it (use_remote_address, no trusted hops), x-forwarded-proto.
// So every word there is must say TLS. Where a caller can forge them all, it
// still only waives the protection of a credential that is its own.
func overTLS(session bool, scheme string, headers []authz.Header) bool {
	if !session && !authz.EqualFold(scheme, "https") {
		return false
	}
	for _, h := range headers {
		if authz.EqualFold(h.Name, "x-forwarded-proto") && !authz.EqualFold(h.Value, "https") {
			return false
		}
	}
	return true
}

// readSource writes the address as RFC 5952 does; a peer that has no IP
// address (a pipe, an internal listener) has none here either.
func readSource(peer *authv3.AttributeContext_Peer) authz.Source {
	source := authz.Source{Principal: peer.GetPrincipal(), Certificate: peer.GetCertificate()}
	if ip, err := netip.ParseAddr(peer.GetAddress().GetSocketAddress().GetAddress()); err == nil {
		source.Address = ip.Unmap().WithZone("").String()
	}
	return source
}

// plainBody returns the body and whether it is all of it. A caller can send
// partialBody where Envoy was not told to, so an empty body is never believed
// on its word: only content-length: 0 says that there is none. A method says
// nothing: a GET can have a body in chunks, and Envoy passes on no
// transfer-encoding of HTTP/1 by which it could be noticed. Without pack_as_bytes
// Envoy writes '!' for bytes that are not UTF-8, which cannot be seen here; docs and
// samples use pack_as_bytes.
func plainBody(http *authv3.AttributeContext_HttpRequest, headers []authz.Header) ([]byte, bool) {
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
		return body, !coded && stated
	}
}

// contentLength says whether there is a content-length, and whether every one
// is that of the body; one that is no plain number ("5,5", "05") is not.
func contentLength(headers []authz.Header, size int) (stated, agrees bool) {
	want := strconv.Itoa(size)
	for _, h := range headers {
		if !authz.EqualFold(h.Name, "content-length") {
			continue
		}
		if stated = true; h.Value != want {
			return true, false
		}
	}
	return stated, true
}

func plainMetadata(m *corev3.Metadata) authz.Metadata {
	if read := readMetadata(m); read != nil {
		return authz.MetadataMap(read)
	}
	return nil
}

// plainEncode writes a decision for Envoy. What cannot be written as it is, is an
// error that names the field and not its value, never trimmed, dropped or
// replaced; the caller then answers [unavailable].
func plainEncode(d authz.Decision) (*authv3.CheckResponse, error) {
	metadata, err := encodeMetadata(d.Metadata)
	if err != nil {
		return nil, err
	}
	answer, err := encodeAnswer(d)
	if err != nil {
		return nil, err
	}
	answer.DynamicMetadata = metadata
	return answer, nil
}

func encodeAnswer(d authz.Decision) (*authv3.CheckResponse, error) {
	if d.Outcome == authz.Allow {
		return encodeAllow(d)
	}
	return encodeRefusal(d)
}

// encodeAllow relies on what Envoy does with an OK response: a header that is
// set replaces the caller's, and headers are removed after they were set, so
// that a name in both would be gone.
func encodeAllow(d authz.Decision) (*authv3.CheckResponse, error) {
	set := make(map[string]bool, len(d.Set))
	ok := &authv3.OkHttpResponse{Headers: make([]*corev3.HeaderValueOption, 0, len(d.Set))}
	for _, h := range d.Set {
		if err := checkField(&h); err != nil {
			return nil, err
		}
		set[strings.ToLower(h.Name)] = true
		ok.Headers = append(ok.Headers, option(h, corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD))
	}
	for _, name := range d.Remove {
		switch {
		case !authz.ValidFieldName(name):
			return nil, fmt.Errorf("a header to remove has the name %q, which is no field name", name)
		case !set[strings.ToLower(name)]:
			ok.HeadersToRemove = append(ok.HeadersToRemove, name)
		}
	}
	for _, name := range d.RemoveQuery {
		if !utf8.ValidString(name) {
			return nil, fmt.Errorf("a query parameter to remove has the name %q, which is not UTF-8", name)
		}
		ok.QueryParametersToRemove = append(ok.QueryParametersToRemove, name)
	}
	return allow(ok), nil
}

// encodeMetadata writes what Envoy hands to rate limits and access logs, of a
// refusal too.
func encodeMetadata(m map[string]any) (*structpb.Struct, error) {
	if len(m) == 0 {
		return nil, nil
	}
	fields := make(map[string]*structpb.Value, len(m))
	for key, value := range m {
		v, err := structpb.NewValue(value)
		if err != nil || !utf8.ValidString(key) { // the error holds the value
			return nil, fmt.Errorf("metadata %q is no JSON value in UTF-8", key)
		}
		fields[key] = v
	}
	return &structpb.Struct{Fields: fields}, nil
}

// encodeRefusal writes every field of a name that occurs twice (challenges,
// RFC 9110 11.6.1) as a field of its own; any other replaces what Envoy would
// say itself (content-type).
func encodeRefusal(d authz.Decision) (*authv3.CheckResponse, error) {
	if !utf8.ValidString(d.Body) {
		return nil, errors.New("the body is not UTF-8")
	}
	times := make(map[string]int, len(d.Headers))
	for _, h := range d.Headers {
		times[strings.ToLower(h.Name)]++
	}
	headers := make([]*corev3.HeaderValueOption, 0, len(d.Headers))
	for _, h := range d.Headers {
		if err := checkField(&h); err != nil {
			return nil, err
		}
		action := corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD
		if times[strings.ToLower(h.Name)] > 1 {
			action = corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD
		}
		headers = append(headers, option(h, action))
	}
	return refuse(&authv3.DeniedHttpResponse{
		Status:  &typev3.HttpStatus{Code: typev3.StatusCode(httpStatus(&d))}, // #nosec G115 -- 200 to 599
		Headers: headers,
		Body:    d.Body,
	}), nil
}

// option leaves the deprecated `append` unset: ext_authz takes that for false,
// and Envoys that look at append_action instead find the same there.
func option(h authz.Header, action corev3.HeaderValueOption_HeaderAppendAction) *corev3.HeaderValueOption {
	return &corev3.HeaderValueOption{
		Header:       &corev3.HeaderValue{Key: h.Name, Value: h.Value},
		AppendAction: action,
	}
}

// allow and refuse are the only places that build a CheckResponse, each its
// gRPC status together with the HTTP response that goes with it: Envoy looks
// at the status alone, and lets a denied response with status OK through.
// error_response is not used at all: failure_mode_allow would make it a yes.

func allow(ok *authv3.OkHttpResponse) *authv3.CheckResponse {
	return &authv3.CheckResponse{
		Status:       &status.Status{Code: int32(codes.OK)},
		HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: ok},
	}
}

func refuse(denied *authv3.DeniedHttpResponse) *authv3.CheckResponse {
	return &authv3.CheckResponse{
		Status:       &status.Status{Code: int32(refusal(int(denied.GetStatus().GetCode())))},
		HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: denied},
	}
}
