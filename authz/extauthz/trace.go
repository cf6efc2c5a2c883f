package extauthz

import (
	"context"

	incoming "google.golang.org/grpc/metadata"
)

// TraceParent is the W3C traceparent that the proxy sent with a call: that of its own
// span of the call, which the caller of the request did not write. It is "" if there
// is none, or more than one. ctx is that of a [Decider].
func TraceParent(ctx context.Context) string {
	if values := incoming.ValueFromIncomingContext(ctx, "traceparent"); len(values) == 1 {
		return values[0]
	}
	return ""
}
