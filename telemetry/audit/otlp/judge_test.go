package otlp

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// pauseOf is how long a status wants a client to wait; -1: it does not say.
func pauseOf(t *testing.T, s *status.Status) time.Duration {
	t.Helper()
	for _, d := range s.Details() {
		info, ok := d.(*errdetails.RetryInfo)
		if !ok {
			t.Errorf("expected no other detail, got %v", d)
			continue
		}
		return info.GetRetryDelay().AsDuration()
	}
	return -1
}

func TestOfTheAnswerOfACollectorTheCodeAndABoundedPauseAreLeft(t *testing.T) {
	for _, c := range []struct {
		code         codes.Code
		wanted, left time.Duration
		says         string
	}{
		{codes.Unavailable, time.Hour, longPause, "the collector answered Unavailable"},
		{codes.ResourceExhausted, time.Second, time.Second, "the collector answered ResourceExhausted"},
		{codes.Unauthenticated, -1, -1, "OTEL_EXPORTER_OTLP_HEADERS"},
		{codes.Unimplemented, -1, -1, "a collector that takes this by OTLP over gRPC"},
		{codes.DeadlineExceeded, -1, -1, "no answer in time"},
	} {
		came, err := status.New(c.code, "your credential is hunter2").WithDetails(&errdetails.DebugInfo{Detail: "hunter2"})
		if err == nil && c.wanted >= 0 {
			came, err = came.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(c.wanted)})
		}
		if err != nil {
			t.Fatal(err)
		}
		got := status.Convert(answered(came))
		if got.Code() != c.code || !strings.Contains(got.Message(), c.says) || strings.Contains(got.String(), "hunter2") || pauseOf(t, got) != c.left {
			t.Errorf("%s: expected %q and a pause of %s, got %v", c.code, c.says, c.left, got)
		}
	}
}
