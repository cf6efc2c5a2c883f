package otlp

import (
	"context"
	"fmt"

	collector "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// judge sends a request once, and says what became of it without what the collector wrote:
// that may be long, and may repeat a credential. Where no collector answered, the words are
// those of this process. A batch of which some records were rejected is an error, as the
// answer does not say which.
func judge(ctx context.Context, method string, request, answer any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	if err := Wordless(ctx, method, request, answer, conn, invoke, options...); err != nil {
		return err
	}
	a, ok := answer.(*collector.ExportLogsServiceResponse)
	if !ok {
		return status.Errorf(codes.Internal, "expected the answer of a collector of logs, got %T", answer)
	}
	rejected := a.GetPartialSuccess().GetRejectedLogRecords()
	a.PartialSuccess = nil
	if rejected != 0 { // a number below 0 says nothing, and no record counts as kept by it
		return status.Errorf(codes.InvalidArgument, "the collector rejected %d log records of a batch", rejected)
	}
	return nil
}

// Wordless is an interceptor that says of an error of a collector which one it is, without
// what the collector wrote. Where no collector answered, the words are those of this process.
func Wordless(ctx context.Context, method string, request, answer any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
	var from peer.Peer
	err := invoke(ctx, method, request, answer, conn, append(options, grpc.Peer(&from))...)
	if err == nil || from.Addr == nil {
		return err
	}
	return answered(status.Convert(err))
}

// answered is the status of a collector without its words, and with a bound for how long
// it wants to be left alone.
func answered(s *status.Status) error {
	text := fmt.Sprintf("the collector answered %s%s", s.Code(), hint(s.Code()))
	if s.Code() == codes.DeadlineExceeded || s.Code() == codes.Canceled {
		text = "the collector gave no answer in time"
	}
	out := status.New(s.Code(), text)
	for _, detail := range s.Details() {
		if wanted, ok := detail.(*errdetails.RetryInfo); ok {
			pause := min(wanted.GetRetryDelay().AsDuration(), longPause)
			if with, err := out.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(pause)}); err == nil {
				return with.Err()
			}
		}
	}
	return out.Err()
}

func hint(code codes.Code) string {
	switch code {
	case codes.Unauthenticated, codes.PermissionDenied:
		return ": expected a credential that it takes, in OTEL_EXPORTER_OTLP_HEADERS"
	case codes.Unimplemented, codes.Unknown:
		return ": expected a collector that takes this by OTLP over gRPC there"
	default:
		return ""
	}
}
