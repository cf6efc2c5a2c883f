package telemetry

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/time/rate"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/telemetry/audit"
)

// Tracing makes a span of each check that is sampled, and child spans of what the
// check waited for. No span holds a credential, a header, a path or a subject.
type Tracing struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	// Parent reads the traceparent that the proxy sent with the call itself; nil: only
	// that of the request is read. It is set before the first check.
	Parent func(context.Context) string
}

// TracingOptions say which checks are sampled, and where spans go.
type TracingOptions struct {
	// Exporter takes the spans.
	Exporter sdktrace.SpanExporter
	// Version is that of agentauth.
	Version string
	// Ratio of the checks that begin a trace are sampled. A check that is part of a
	// trace is sampled if the trace is.
	Ratio float64
	// PerSecond is how many checks a second are sampled at most: any caller may send a
	// traceparent that says "sampled".
	PerSecond float64
}

// NewTracing makes a Tracing; Shutdown ends it.
func NewTracing(o TracingOptions) *Tracing {
	sampler := &sampler{
		fresh:  sdktrace.TraceIDRatioBased(o.Ratio),
		bucket: rate.NewLimiter(rate.Limit(o.PerSecond), max(1, int(o.PerSecond))),
	}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(o.Exporter), // drops what does not fit its queue, and waits for nobody
		sdktrace.WithSampler(sampler),
		sdktrace.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "agentauth"), attribute.String("service.version", o.Version))),
	)
	return &Tracing{provider: provider, tracer: provider.Tracer("github.com/agentauth-dev/agentauth")}
}

// Shutdown sends the spans that are left, as long as ctx lasts.
func (t *Tracing) Shutdown(ctx context.Context) error { return t.provider.Shutdown(ctx) }

// Observe is d, with a span for each check that is sampled. A nil Tracing leaves d as
// it is.
func (t *Tracing) Observe(d Decider) Decider {
	if t == nil {
		return d
	}
	return &traced{d, t}
}

// traced is the Decider of [Tracing.Observe].
type traced struct {
	decider Decider
	to      *Tracing
}

func (t *traced) Decide(ctx context.Context, raw authz.Raw) authz.Decision {
	ctx, span := t.to.tracer.Start(t.to.parent(ctx, &raw), "agentauth check", trace.WithSpanKind(trace.SpanKindServer))
	defer span.End()
	d := t.decider.Decide(ctx, raw)
	if span.IsRecording() {
		describe(span, &d)
	}
	return d
}

// describe writes a decision into its span: words and names that the operator and
// the authors of policies chose.
func describe(span trace.Span, d *authz.Decision) {
	attributes := []attribute.KeyValue{
		attribute.String("agentauth.decision", d.Outcome.String()),
		attribute.String("agentauth.reason", string(d.Reason)),
	}
	for _, a := range [...]struct{ key, value string }{
		{"agentauth.policy", d.Policy}, {"agentauth.method", d.Method}, {"agentauth.rule", d.Rule},
	} {
		if a.value != "" {
			attributes = append(attributes, attribute.String(a.key, a.value))
		}
	}
	if d.Status != 0 {
		attributes = append(attributes, attribute.Int("http.response.status_code", d.Status))
	}
	span.SetAttributes(attributes...)
	if d.Outcome == authz.Error {
		span.SetStatus(codes.Error, string(d.Reason))
	}
}

// Waited makes a child span of what a check waited for, if the check is sampled. It is
// a [work.Waited].
func (t *Tracing) Waited(ctx context.Context, what, whom string, since time.Time, err error) {
	if !trace.SpanContextFromContext(ctx).IsSampled() {
		return
	}
	_, span := t.tracer.Start(ctx, "wait for "+what, trace.WithTimestamp(since), trace.WithSpanKind(trace.SpanKindClient))
	if u, parsed := url.Parse(whom); parsed == nil && u.Host != "" {
		whom = u.Hostname() // the path of an endpoint may be a tenant's secret
	}
	span.SetAttributes(attribute.String("server.address", whom))
	if err != nil {
		span.SetStatus(codes.Error, fmt.Sprintf("%T", err))
	}
	span.End()
}

// parent is ctx with the span of the proxy: that of the call, or that of the request.
// Its tracestate is not read.
func (t *Tracing) parent(ctx context.Context, raw *authz.Raw) context.Context {
	came := ""
	if t.Parent != nil {
		came = t.Parent(ctx)
	}
	if came == "" {
		came = audit.TraceParent(raw.Headers)
	}
	if came == "" {
		return ctx
	}
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": came})
}

// sampler decides which checks get a span.
type sampler struct {
	fresh  sdktrace.Sampler
	bucket *rate.Limiter
}

// ShouldSample implements [sdktrace.Sampler]. What a check waited for is sampled as the
// check.
func (s *sampler) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	parent := trace.SpanContextFromContext(p.ParentContext)
	sampled := parent.IsSampled()
	if !parent.IsValid() {
		sampled = s.fresh.ShouldSample(p).Decision == sdktrace.RecordAndSample
	}
	ours := parent.IsValid() && !parent.IsRemote()
	if sampled && (ours || s.bucket.Allow()) {
		return sdktrace.SamplingResult{Decision: sdktrace.RecordAndSample}
	}
	return sdktrace.SamplingResult{Decision: sdktrace.Drop}
}

// Description implements [sdktrace.Sampler].
func (s *sampler) Description() string { return "agentauth" }
