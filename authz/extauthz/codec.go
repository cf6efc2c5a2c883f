package extauthz

import (
	"errors"
	"fmt"
	"runtime/debug"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers what codec wraps
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
)

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
