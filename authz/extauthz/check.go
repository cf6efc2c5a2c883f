package extauthz

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers what codec wraps
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/agentauth-dev/agentauth/authz"
)

// Decider decides a request. It refuses what authz.NewRequest refuses, and
// answers within the deadline of ctx, which is the proxy's.
type Decider interface {
	Decide(context.Context, authz.Raw) authz.Decision
}

// checker answers each check with a response, never with an error.
type checker struct {
	authv3.UnimplementedAuthorizationServer

	decider Decider
	clock   func() time.Time
	onPanic func(value any, stack []byte)
	onError func(error)
}

// Check implements envoy.service.auth.v3.Authorization.
func (c *checker) Check(ctx context.Context, check *authv3.CheckRequest) (answer *authv3.CheckResponse, _ error) {
	defer func() {
		if v := recover(); v != nil {
			answer = unavailable()
			c.onPanic(v, debug.Stack())
		}
	}()
	if ctx.Err() != nil {
		return unavailable(), nil
	}
	answer, err := encode(c.decider.Decide(ctx, decode(check, c.clock())))
	if err != nil {
		answer = unavailable()
		c.onError(fmt.Errorf("a decision cannot be written for Envoy and is answered 503: %w", err))
	}
	return answer, nil
}

// unavailable is the answer where there is no decision that could be written.
func unavailable() *authv3.CheckResponse {
	return refuse(&authv3.DeniedHttpResponse{
		Status: &typev3.HttpStatus{Code: typev3.StatusCode_ServiceUnavailable},
		Headers: []*corev3.HeaderValueOption{option(
			authz.Header{Name: "content-type", Value: "application/problem+json"},
			corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD)},
		Body: `{"title":"Service Unavailable","status":503,"detail":"The request could not be decided. Try again later."}`,
	})
}

// maxCheck bounds what is decoded of one check, in bytes: Envoy's default
// limit of 60 KiB of headers several times over, and a body of some MiB.
const maxCheck = 4 << 20

// codec is gRPC's own, but a CheckRequest that is too large or cannot be
// decoded (invalid UTF-8 in the path is enough) becomes an empty one, which
// is refused with 400. gRPC would end the call with an error, and an operator's
// failure_mode_allow would let the caller in.
type codec struct {
	encoding.CodecV2
	onPanic func(value any, stack []byte)
	onError func(error)
}

func newCodec(c *Config) codec {
	return codec{CodecV2: encoding.GetCodecV2("proto"), onPanic: c.OnPanic, onError: c.OnError}
}

func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	check, ok := v.(*authv3.CheckRequest)
	if !ok {
		return c.CodecV2.Unmarshal(data, v)
	}
	if err := c.unmarshal(data, check); err != nil {
		proto.Reset(check)
		c.onError(fmt.Errorf("a check cannot be read and is refused: %w", err))
	}
	return nil
}

// unmarshal runs before the call's handler, so that nobody else would recover.
func (c codec) unmarshal(data mem.BufferSlice, check *authv3.CheckRequest) (err error) {
	defer func() {
		if v := recover(); v != nil {
			c.onPanic(v, debug.Stack())
			err = errors.New("reading it panicked")
		}
	}()
	if data.Len() > maxCheck {
		return fmt.Errorf("expected at most %d bytes, got %d", maxCheck, data.Len())
	}
	return c.CodecV2.Unmarshal(data, check)
}
