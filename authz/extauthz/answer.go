package extauthz

import (
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/structpb"
)

// allow and refuse are the only places that build a CheckResponse, each its
// gRPC status together with the HTTP response that goes with it: Envoy looks
// at the status alone, and lets a denied response with status OK through.
// error_response is not used at all: failure_mode_allow would make it a yes.

func allow(ok *authv3.OkHttpResponse, metadata *structpb.Struct) *authv3.CheckResponse {
	return &authv3.CheckResponse{
		Status:          &status.Status{Code: int32(codes.OK)},
		HttpResponse:    &authv3.CheckResponse_OkResponse{OkResponse: ok},
		DynamicMetadata: metadata,
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
