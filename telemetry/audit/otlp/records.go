package otlp

import (
	"context"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/trace"

	"github.com/agentauth-dev/agentauth/telemetry/audit"
)

// EventName is that of each log record.
const EventName = "agentauth.audit"

// records makes log records of lines. The library gives each its resource on the way to
// the processor, which records is itself: it keeps them for the batch that is being made.
type records struct {
	logger log.Logger
	made   []sdklog.Record
}

func newRecords(of *resource.Resource) *records {
	r := &records{}
	provider := sdklog.NewLoggerProvider(sdklog.WithResource(of), sdklog.WithProcessor(r))
	r.logger = provider.Logger("github.com/agentauth-dev/agentauth")
	return r
}

// of is a log record for each line.
func (r *records) of(ctx context.Context, lines [][]byte) ([]sdklog.Record, error) {
	r.made = make([]sdklog.Record, 0, len(lines))
	for _, line := range lines {
		if err := r.emit(ctx, line); err != nil {
			return nil, err
		}
	}
	list := r.made
	r.made = nil
	return list, nil
}

func (r *records) emit(ctx context.Context, line []byte) error {
	var from audit.Record
	if err := json.Unmarshal(line, &from); err != nil {
		return fmt.Errorf("a line is no audit record: a defect of agentauth: %w", err)
	}
	var to log.Record
	to.SetEventName(EventName)
	to.SetTimestamp(from.Time)
	to.SetObservedTimestamp(time.Now())
	severity, text := severityOf(&from)
	to.SetSeverity(severity)
	to.SetSeverityText(text)
	to.SetBody(attribute.StringValue(string(line)))
	to.AddAttributes(attribute.Int64("agentauth.seq", int64(from.Seq)), attribute.String("event.action", string(from.Event.Action))) // #nosec G115 -- it counts lines
	for _, a := range [...]struct{ key, value string }{
		{"event.outcome", from.Event.Outcome}, {"event.reason", from.Event.Reason}, {"agentauth.policy", from.Agentauth.Policy},
	} {
		if a.value != "" {
			to.AddAttributes(attribute.String(a.key, a.value))
		}
	}
	if id, err := trace.TraceIDFromHex(from.Trace.ID); err == nil {
		ctx = trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{TraceID: id}))
	}
	r.logger.Emit(ctx, to)
	return nil
}

// severityOf is how much a record is somebody's concern: a refusal is a warning, and an
// error is what nobody could decide, or what is missing.
func severityOf(r *audit.Record) (log.Severity, string) {
	switch {
	case r.Event.Outcome == "unknown", r.Event.Action == audit.ActionDropped:
		return log.SeverityError, "ERROR"
	case r.Event.Outcome == "failure":
		return log.SeverityWarn, "WARN"
	}
	return log.SeverityInfo, "INFO"
}

// OnEmit implements [sdklog.Processor].
func (r *records) OnEmit(_ context.Context, one *sdklog.Record) error {
	r.made = append(r.made, one.Clone())
	return nil
}

// Enabled implements [sdklog.Processor].
func (r *records) Enabled(context.Context, sdklog.EnabledParameters) bool { return true }

// ForceFlush implements [sdklog.Processor].
func (r *records) ForceFlush(context.Context) error { return nil }

// Shutdown implements [sdklog.Processor].
func (r *records) Shutdown(context.Context) error { return nil }
