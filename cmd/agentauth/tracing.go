package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"golang.org/x/time/rate"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/agentauth-dev/agentauth/authz/extauthz"
	"github.com/agentauth-dev/agentauth/authz/store"
	"github.com/agentauth-dev/agentauth/authz/work"
	"github.com/agentauth-dev/agentauth/telemetry"
	"github.com/agentauth-dev/agentauth/telemetry/audit/otlp"
)

// tracingFlags say where spans go, and of which checks.
type tracingFlags struct {
	endpoint  string
	insecure  bool
	ratio     float64
	perSecond float64

	given func() []string
}

func (f *tracingFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.endpoint, "tracing-otlp-endpoint", "", "HOST:PORT or URL that takes spans by OTLP over gRPC, with TLS; none is no tracing")
	flags.BoolVar(&f.insecure, "tracing-insecure", false, "send spans without TLS, as http:// does")
	flags.Float64Var(&f.ratio, "tracing-sample-ratio", 0.01, "of the checks that are part of no trace, the share that gets spans; where the proxy began a trace, the proxy decides")
	flags.Float64Var(&f.perSecond, "tracing-max-per-second", 100, "how many checks a second get spans at most, whatever proxies and callers say")
	f.given = func() (out []string) {
		for _, name := range []string{"tracing-insecure", "tracing-sample-ratio", "tracing-max-per-second"} {
			if flags.Changed(name) {
				out = append(out, "--"+name)
			}
		}
		return out
	}
}

// open makes the tracing; nil where there is none. The collector is not waited for.
func (f *tracingFlags) open(log *slog.Logger) (*telemetry.Tracing, error) {
	if f.endpoint == "" {
		if given := f.given(); len(given) > 0 {
			return nil, usage("%s is for --tracing-otlp-endpoint, which is not given", given[0])
		}
		return nil, nil
	}
	host, plain, err := f.collector()
	if err != nil {
		return nil, err
	}
	if !(f.ratio >= 0 && f.ratio <= 1) {
		return nil, usage("--tracing-sample-ratio %v: expected 0 to 1", f.ratio)
	}
	if !(f.perSecond > 0 && f.perSecond <= 10_000) {
		return nil, usage("--tracing-max-per-second %v: expected more than 0 and at most 10000", f.perSecond)
	}
	// Said here, so that no variable of the environment says otherwise.
	secured := otlptracegrpc.WithTLSCredentials(credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12}))
	if plain {
		secured = otlptracegrpc.WithTLSCredentials(insecure.NewCredentials())
	}
	options := []otlptracegrpc.Option{
		otlptracegrpc.WithEndpoint(host), secured, otlptracegrpc.WithTimeout(5 * time.Second),
		otlptracegrpc.WithDialOption(grpc.WithNoProxy(), grpc.WithDisableServiceConfig(), grpc.WithChainUnaryInterceptor(wordlessSpans)),
	}
	otlpErrors(log, spansFail(log))
	exporter, err := otlptrace.New(context.Background(), otlptracegrpc.NewClient(options...))
	if err != nil {
		return nil, usage("--tracing-otlp-endpoint: %v", err)
	}
	t := telemetry.NewTracing(telemetry.TracingOptions{Exporter: exporter, Version: versionString(), Ratio: f.ratio, PerSecond: f.perSecond})
	t.Parent = extauthz.TraceParent
	return t, nil
}

// collector reads the endpoint.
func (f *tracingFlags) collector() (host string, plain bool, err error) {
	return otlpFlags{"--tracing-otlp-endpoint", "--tracing-insecure"}.collector(f.endpoint, f.insecure)
}

// wordlessSpans leaves out what a collector writes, which may repeat its credential.
func wordlessSpans(ctx context.Context, method string, request, answer any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
	err := otlp.Wordless(ctx, method, request, answer, conn, invoke, options...)
	if a, ok := answer.(*collector.ExportTraceServiceResponse); ok && a.GetPartialSuccess() != nil {
		a.PartialSuccess.ErrorMessage = "" // the number of spans is left
	}
	return err
}

// spansFail says at most once a minute that spans are lost: a collector that is away
// fails each batch.
func spansFail(log *slog.Logger) func(error) {
	told := rate.Sometimes{Interval: time.Minute}
	return func(err error) {
		told.Do(func() {
			log.Warn("spans are lost: the collector of --tracing-otlp-endpoint does not take them; checks are not affected", "error", fmt.Sprint(err))
		})
	}
}

// onWait is what waits are told to; nil without tracing.
func onWait(t *telemetry.Tracing) work.Waited {
	if t == nil {
		return nil
	}
	return t.Waited
}

// endTracing sends the spans that are left.
func endTracing(t *telemetry.Tracing) {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushPatience)
	defer cancel()
	_ = t.Shutdown(ctx) // the library's errors are logged already
}

// flushPatience is how long spans may take that are sent at the end.
const flushPatience = 2 * time.Second

// tracedReplay is a store of proofs that is asked over the network.
type tracedReplay struct {
	store.Replay
	url string
	to  *telemetry.Tracing
}

// Seen implements [store.Replay].
func (r tracedReplay) Seen(ctx context.Context, tenant string, key [32]byte, keep time.Duration) (bool, error) {
	since := time.Now()
	seen, err := r.Replay.Seen(ctx, tenant, key, keep)
	r.to.Waited(ctx, "replay store", r.url, since, err)
	return seen, err
}
