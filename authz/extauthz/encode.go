package extauthz

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/agentauth-dev/agentauth/authz"
)

// encode writes a decision for Envoy. What cannot be written as it is, is an
// error that names the field and not its value, never trimmed, dropped or
// replaced; the caller then answers [unavailable].
func encode(d authz.Decision) (*authv3.CheckResponse, error) {
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
		if err := checkField(h); err != nil {
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
		if err := checkField(h); err != nil {
			return nil, err
		}
		action := corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD
		if times[strings.ToLower(h.Name)] > 1 {
			action = corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD
		}
		headers = append(headers, option(h, action))
	}
	return refuse(&authv3.DeniedHttpResponse{
		Status:  &typev3.HttpStatus{Code: typev3.StatusCode(httpStatus(d))}, // #nosec G115 -- 200 to 599
		Headers: headers,
		Body:    d.Body,
	}), nil
}

// httpStatus is the decision's if it is one of its outcome's; Envoy would turn
// 0 into 403, also where nothing could be decided.
func httpStatus(d authz.Decision) int {
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

// option leaves the deprecated `append` unset: ext_authz takes that for false,
// and Envoys that look at append_action instead find the same there.
func option(h authz.Header, action corev3.HeaderValueOption_HeaderAppendAction) *corev3.HeaderValueOption {
	return &corev3.HeaderValueOption{
		Header:       &corev3.HeaderValue{Key: h.Name, Value: h.Value},
		AppendAction: action,
	}
}

// checkField also refuses obs-text that is not UTF-8: it cannot be written to
// a protobuf string, and the failed call would be a gRPC error.
func checkField(h authz.Header) error {
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
