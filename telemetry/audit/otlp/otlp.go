// Package otlp is a sink of the audit stream that sends its lines to an OpenTelemetry
// collector, as log records by OTLP over gRPC.
//
// The body of a log record is the line, byte for byte, so that the chain of lines can be
// verified from what the collector keeps. A collector gives nothing back, so each process
// begins a chain of its own; service.instance.id of the resource is the chain's.
package otlp

import (
	"context"
	"crypto/tls"
	"errors"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/sdk/resource"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"github.com/agentauth-dev/agentauth/telemetry/audit"
)

// Options say where log records go.
type Options struct {
	// Host is the collector, HOST:PORT.
	Host string
	// TLS verifies the collector; nil is the system's roots.
	TLS *tls.Config
	// AllowPlaintext says that records, and the credential for the collector, are sent
	// without TLS.
	AllowPlaintext bool
	// Process is who writes.
	Process audit.Process
	// Failed is told of each attempt that failed, also of those that are made again; nil
	// is nobody.
	Failed func(error)
	// Patience is for how long a batch is tried; 0 is 30 seconds.
	Patience time.Duration
}

const (
	// patience is for how long a batch is tried, attempt for how long once. Between two
	// attempts are firstPause to lastPause, or what the collector wants, at most longPause.
	patience   = 30 * time.Second
	attempt    = 5 * time.Second
	firstPause = 200 * time.Millisecond
	lastPause  = 2 * time.Second
	longPause  = 10 * time.Second
	// gone is when a connection is given up whose peer takes nothing; idle keeps to what
	// servers allow.
	gone = 20 * time.Second
	idle = 6 * time.Minute
)

// New makes the sink. The collector is not waited for.
func New(o Options) (audit.Sink, error) {
	secured := credentials.NewTLS(o.TLS)
	if o.AllowPlaintext {
		secured = insecure.NewCredentials()
	}
	if o.Patience == 0 {
		o.Patience = patience
	}
	ask := func(ctx context.Context, method string, request, answer any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
		err := judge(ctx, method, request, answer, conn, invoke, options...)
		if err != nil && o.Failed != nil && ctx.Err() == nil {
			o.Failed(err)
		}
		return err
	}
	// All is said here, so that no variable of the environment turns TLS off or sends
	// records elsewhere. The library reads the headers from there.
	exporter, err := otlploggrpc.New(context.Background(),
		otlploggrpc.WithEndpoint(o.Host), otlploggrpc.WithTLSCredentials(secured), otlploggrpc.WithTimeout(o.Patience),
		otlploggrpc.WithRetry(otlploggrpc.RetryConfig{Enabled: true, InitialInterval: firstPause, MaxInterval: lastPause, MaxElapsedTime: o.Patience}),
		otlploggrpc.WithDialOption(grpc.WithNoProxy(), grpc.WithDisableServiceConfig(), grpc.WithChainUnaryInterceptor(ask),
			grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: idle, Timeout: gone}),
			grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: firstPause, Multiplier: 1.6, Jitter: 0.2, MaxDelay: lastPause}, MinConnectTimeout: attempt})),
	)
	if err != nil {
		return audit.Sink{}, err
	}
	r := newRecords(resource.NewSchemaless(
		attribute.String("service.name", "agentauth"), attribute.String("service.version", o.Process.Version),
		attribute.String("service.instance.id", uuid.NewString()), attribute.String("host.name", o.Process.Host)))
	var ended atomic.Bool
	return audit.Sink{
		Name: "otlp",
		Batches: func(ctx context.Context, lines [][]byte) error {
			list, err := r.of(ctx, lines)
			if err != nil {
				return err
			}
			if err := exporter.Export(ctx, list); err != nil {
				return err
			}
			if ended.Load() { // the library says nothing of what it did not send then
				return errors.New("the audit stream has ended")
			}
			return nil
		},
		Close: func() error {
			ended.Store(true)
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			return exporter.Shutdown(ctx)
		},
	}, nil
}
