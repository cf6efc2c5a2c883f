package extauthz

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers what codec wraps
	"google.golang.org/grpc/mem"

	"github.com/agentauth-dev/agentauth/authz"
)

// Decider decides a request. It refuses what authz.NewRequest refuses, and
// answers within the deadline of ctx, which is the proxy's. After it returned it
// reads nothing of the Raw but its texts.
type Decider interface {
	Decide(context.Context, authz.Raw) authz.Decision
}

// checker answers each check with a response, never with an error.
type checker struct {
	decider Decider
	clock   func() time.Time
	onPanic func(value any, stack []byte)
	onError func(error)
	// mayCheck says whether a client may ask; nil: all may.
	mayCheck func(context.Context) bool
}

// service is envoy.service.auth.v3.Authorization. gRPC calls of one answer and of a
// stream are the same on the wire; as a stream the check and its answer are ours.
func (c *checker) service() *grpc.ServiceDesc {
	return &grpc.ServiceDesc{
		ServiceName: authv3.Authorization_ServiceDesc.ServiceName,
		HandlerType: (*any)(nil),
		Streams:     []grpc.StreamDesc{{StreamName: "Check", Handler: c.serve, ServerStreams: true}},
		Metadata:    authv3.Authorization_ServiceDesc.Metadata,
	}
}

func (c *checker) serve(_ any, stream grpc.ServerStream) error {
	q, _ := checks.Get().(*check)
	if err := stream.RecvMsg(q); err != nil {
		return err
	}
	q.answer = c.check(stream.Context(), q)
	err := stream.SendMsg(q)
	q.release()
	return err
}

// check is the answer to a check, in its wire form.
func (c *checker) check(ctx context.Context, q *check) (a *response) {
	defer func() {
		if v := recover(); v != nil {
			a = unavailable
			c.onPanic(v, debug.Stack())
		}
	}()
	if ctx.Err() != nil || c.mayCheck != nil && !c.mayCheck(ctx) {
		return unavailable
	}
	q.raw.Time = c.clock()
	d := c.decider.Decide(ctx, q.raw)
	a, err := encode(&d)
	if err != nil {
		a = unavailable
		c.onError(fmt.Errorf("a decision cannot be written for Envoy and is answered 503: %w", err))
	}
	return a
}

// maxCheck bounds what is decoded of one check, in bytes: Envoy's default
// limit of 60 KiB of headers several times over, and a body of some MiB.
const maxCheck = 4 << 20

// codec is gRPC's own, but for checks. One that is too large or cannot be decoded
// (invalid UTF-8 in the path is enough) becomes an empty one, which is refused with
// 400. gRPC would end the call with an error, and an operator's failure_mode_allow
// would let the caller in.
type codec struct {
	encoding.CodecV2
	onPanic func(value any, stack []byte)
	onError func(error)
}

func newCodec(c *Config) codec {
	return codec{CodecV2: encoding.GetCodecV2("proto"), onPanic: c.OnPanic, onError: c.OnError}
}

// Marshal implements [encoding.CodecV2]. gRPC may send an answer after the call
// returned, so its bytes are never used again.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if q, ok := v.(*check); ok {
		return q.answer.buffers(), nil
	}
	return c.CodecV2.Marshal(v)
}

// Unmarshal implements [encoding.CodecV2].
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	q, ok := v.(*check)
	if !ok {
		return c.CodecV2.Unmarshal(data, v)
	}
	if err := c.unmarshal(data, q); err != nil {
		*q = check{}
		c.onError(fmt.Errorf("a check cannot be read and is refused: %w", err))
	}
	return nil
}

// unmarshal runs before the call's handler, so that nobody else would recover.
func (c codec) unmarshal(data mem.BufferSlice, q *check) (err error) {
	defer func() {
		if v := recover(); v != nil {
			c.onPanic(v, debug.Stack())
			err = errors.New("reading it panicked")
		}
	}()
	if data.Len() > maxCheck {
		return fmt.Errorf("expected at most %d bytes, got %d", maxCheck, data.Len())
	}
	// gRPC uses its buffers again: this is the one copy that is made.
	return q.read(data.Materialize())
}
