package telemetry

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/agentauth-dev/agentauth/authz"
)

const (
	theTrace  = "0af7651916cd43dd8448eb211c80319c"
	sampled   = "00-" + theTrace + "-b7ad6b7169203331-01"
	unsampled = "00-" + theTrace + "-b7ad6b7169203331-00"
)

// deciderFunc is a function as a Decider.
type deciderFunc func(context.Context, authz.Raw) authz.Decision

func (f deciderFunc) Decide(ctx context.Context, raw authz.Raw) authz.Decision { return f(ctx, raw) }

// tracingTo is a Tracing whose spans are there at once.
func tracingTo(t *testing.T, ratio, perSecond float64) (*Tracing, *tracetest.InMemoryExporter) {
	t.Helper()
	memory := tracetest.NewInMemoryExporter()
	tracing := NewTracing(TracingOptions{Exporter: memory, Version: "test", Ratio: ratio, PerSecond: perSecond})
	tracing.provider.RegisterSpanProcessor(sdktrace.NewSimpleSpanProcessor(memory))
	t.Cleanup(func() { _ = tracing.Shutdown(context.Background()) })
	return tracing, memory
}

func withHeaders(headers ...authz.Header) authz.Raw {
	return authz.Raw{Method: "GET", Host: "api.example.com", Path: "/patients/hunter2?token=hunter2", Headers: headers}
}

func TestASpanOfACheckSaysWhatWasDecidedAndNothingOfTheRequest(t *testing.T) {
	tracing, memory := tracingTo(t, 0, 100)
	decided := tracing.Observe(deciderFunc(func(ctx context.Context, _ authz.Raw) authz.Decision {
		tracing.Waited(ctx, "introspection", "https://as.example.com/hunter2?hunter2", time.Now().Add(-time.Second), errors.New("hunter2"))
		return authz.Decision{Outcome: authz.Error, Reason: authz.Unavailable, Policy: "shop/orders", Method: "opaque", Status: 503,
			Detail: "hunter2", Identity: &authz.Identity{Subject: "hunter2", Claims: map[string]any{"a": "hunter2"}}}
	}))
	decided.Decide(t.Context(), withHeaders(
		authz.Header{Name: "traceparent", Value: sampled}, authz.Header{Name: "tracestate", Value: "vendor=hunter2"},
		authz.Header{Name: "authorization", Value: "Bearer hunter2"}))
	spans := memory.GetSpans()
	if len(spans) != 2 {
		t.Fatalf("expected a span of the check and one of what it waited for, got %d", len(spans))
	}
	wait, check := spans[0], spans[1]
	if check.Name != "agentauth check" || check.SpanKind != trace.SpanKindServer ||
		check.Parent.SpanID().String() != "b7ad6b7169203331" || check.SpanContext.TraceID().String() != theTrace {
		t.Errorf("expected a child of the proxy's span, got %+v", check)
	}
	if wait.Name != "wait for introspection" || wait.Parent.SpanID() != check.SpanContext.SpanID() || wait.EndTime.Sub(wait.StartTime) < time.Second {
		t.Errorf("expected a child of the check that lasted a second, got %+v", wait)
	}
	text := fmt.Sprintf("%v %v %v %v %v", check.Attributes, wait.Attributes, wait.Status, check.Status, check.SpanContext.TraceState())
	for _, want := range []string{"shop/orders", "opaque", "Unavailable", "error", "as.example.com"} {
		if !strings.Contains(text, want) {
			t.Errorf("expected %q in %s", want, text)
		}
	}
	if strings.Contains(text, "hunter2") {
		t.Errorf("something of the request is in %s", text)
	}
}

func TestTheProxysSpanOfTheCallGoesBeforeThatOfTheRequest(t *testing.T) {
	tracing, memory := tracingTo(t, 0, 100)
	tracing.Parent = func(context.Context) string { return "00-" + theTrace + "-00000000000000aa-01" }
	tracing.Observe(deciderFunc(func(context.Context, authz.Raw) authz.Decision { return authz.Decision{} })).
		Decide(t.Context(), withHeaders(authz.Header{Name: "traceparent", Value: unsampled}))
	spans := memory.GetSpans()
	if len(spans) != 1 || spans[0].Parent.SpanID().String() != "00000000000000aa" {
		t.Errorf("expected a child of the span of the call, got %+v", spans)
	}
}

func TestWhichChecksAreSampled(t *testing.T) {
	for name, c := range map[string]struct {
		ratio   float64
		headers []authz.Header
		want    int
	}{
		"the trace is sampled":                      {0, []authz.Header{{Name: "traceparent", Value: sampled}}, 1},
		"the trace is not, whatever the ratio":      {1, []authz.Header{{Name: "traceparent", Value: unsampled}}, 0},
		"no trace, by the ratio: none":              {0, nil, 0},
		"no trace, by the ratio: all":               {1, nil, 1},
		"a traceparent that is none":                {0, []authz.Header{{Name: "traceparent", Value: sampled + "x"}}, 0},
		"two traceparents are none":                 {0, []authz.Header{{Name: "traceparent", Value: sampled}, {Name: "Traceparent", Value: sampled}}, 0},
		"a trace id of zeros is no trace, by ratio": {0, []authz.Header{{Name: "traceparent", Value: "00-00000000000000000000000000000000-b7ad6b7169203331-01"}}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			tracing, memory := tracingTo(t, c.ratio, 100)
			tracing.Observe(deciderFunc(func(ctx context.Context, _ authz.Raw) authz.Decision { return authz.Decision{} })).
				Decide(t.Context(), withHeaders(c.headers...))
			if got := len(memory.GetSpans()); got != c.want {
				t.Errorf("expected %d spans, got %d", c.want, got)
			}
		})
	}
}

// Any caller may say that its trace is sampled.
func TestCallersThatSayTheirTraceIsSampledGetNoMoreSpansThanTheBound(t *testing.T) {
	tracing, memory := tracingTo(t, 1, 5)
	decider := tracing.Observe(deciderFunc(func(context.Context, authz.Raw) authz.Decision { return authz.Decision{} }))
	began := time.Now()
	for range 1000 {
		decider.Decide(t.Context(), withHeaders(authz.Header{Name: "traceparent", Value: sampled}))
	}
	if got, most := len(memory.GetSpans()), 6+int(5*time.Since(began).Seconds()); got < 5 || got > most {
		t.Errorf("expected 5 to %d spans, got %d", most, got)
	}
}

func TestWithoutTracingTheDeciderStaysAsItIs(t *testing.T) {
	var none *Tracing
	inner := &observed{}
	if none.Observe(inner) != Decider(inner) {
		t.Error("expected the very decider")
	}
}
