package telemetry_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/encoding/protodelim"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/telemetry"
)

const (
	trace   = "4bf92f3577b34da6a3ce929d0e0e4736"
	sampled = "00-" + trace + "-00f067aa0ba902b7-01"
)

// accept is what a scraper gets that accepts a type.
func accept(m *telemetry.Metrics, accept string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, r)
	return w
}

const openMetrics = "application/openmetrics-text; version=1.0.0"

func observing(m *telemetry.Metrics) telemetry.Decider {
	m.InForce([]string{"shop/a"}, 0)
	return (&telemetry.DecisionLog{Log: slog.New(slog.DiscardHandler), Metrics: m}).Observe(decides{Policy: "shop/a", Outcome: authz.Allow, Reason: authz.Allowed})
}

func parent(values ...string) (raw authz.Raw) {
	for _, v := range values {
		raw.Headers = append(raw.Headers, authz.Header{Name: "accept", Value: "*/*"}, authz.Header{Name: "traceparent", Value: v})
	}
	return raw
}

func TestADurationShowsTheTraceOfARequestThatIsSampled(t *testing.T) {
	m := telemetry.NewMetrics(never)
	observing(m).Decide(t.Context(), parent(sampled))
	w := accept(m, openMetrics)
	if kind := w.Header().Get("Content-Type"); !strings.HasPrefix(kind, "application/openmetrics-text") {
		t.Fatalf("got %s", kind)
	}
	expect(t, w.Body.String(), `# {trace_id="`+trace+`"}`, "# EOF")
	_, plain := get(m.Handler(), "/metrics")
	expectNot(t, plain, trace)
}

func TestOnlyASoundTraceparentThatIsSampledIsShown(t *testing.T) {
	for name, raw := range map[string]authz.Raw{
		"none": {}, "empty": parent(""), "not sampled": parent("00-" + trace + "-00f067aa0ba902b7-00"),
		"two": parent(sampled, sampled), "an empty one first": parent("", sampled), "joined": parent(sampled + "," + sampled),
		"a trace of zeros":    parent("00-" + strings.Repeat("0", 32) + "-00f067aa0ba902b7-01"),
		"a span of zeros":     parent("00-" + trace + "-" + strings.Repeat("0", 16) + "-01"),
		"capital letters":     parent(strings.ToUpper(sampled)),
		"no hex":              parent(strings.Replace(sampled, "4b", "4g", 1)),
		"version ff":          parent("ff" + sampled[2:]),
		"another separator":   parent(strings.ReplaceAll(sampled, "-", "_")),
		"longer":              parent(sampled + "0"),
		"of another version":  parent("01" + sampled[2:] + "-more"),
		"one byte is missing": parent(sampled[1:]),
		"a line break":        parent(sampled[:54] + "\n"),
	} {
		m := telemetry.NewMetrics(never)
		observing(m).Decide(t.Context(), raw)
		if text := accept(m, openMetrics).Body.String(); strings.Contains(text, "trace_id") {
			t.Errorf("%s: expected no exemplar, got %s", name, text)
		}
	}
}

func TestATraceIsShownWithAnyFlagBesideSampledAndWhateverTheCaseOfTheName(t *testing.T) {
	m := telemetry.NewMetrics(never)
	observing(m).Decide(t.Context(), authz.Raw{Headers: []authz.Header{{Name: "Traceparent", Value: sampled[:53] + "03"}}})
	expect(t, accept(m, openMetrics).Body.String(), trace)
}

func TestAFloodOfTracesIsCountedAndShowsFew(t *testing.T) {
	m := telemetry.NewMetrics(never)
	d := observing(m)
	raw := parent(sampled)
	d.Decide(t.Context(), raw)
	if allocated := testing.AllocsPerRun(1000, func() { d.Decide(t.Context(), raw) }); allocated > 0.5 {
		t.Errorf("expected an exemplar a second and bucket, got %v allocations of each request", allocated)
	}
	_, text := get(m.Handler(), "/metrics")
	expect(t, text, `agentauth_decision_duration_seconds_count{decision="allow"} 1002`)
}

func TestARequestThatIsNotSampledCostsNoAllocation(t *testing.T) {
	d := observing(telemetry.NewMetrics(never))
	raw := parent("00-" + trace + "-00f067aa0ba902b7-00")
	d.Decide(t.Context(), raw)
	if allocated := testing.AllocsPerRun(100, func() { d.Decide(t.Context(), raw) }); allocated > 0 {
		t.Errorf("expected no allocation, got %v", allocated)
	}
}

func TestDurationsAreNativeHistogramsBesideTheirBuckets(t *testing.T) {
	m := telemetry.NewMetrics(never)
	observing(m).Decide(t.Context(), authz.Raw{})
	w := accept(m, "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited")
	for {
		var family dto.MetricFamily
		if err := protodelim.UnmarshalFrom(w.Body, &family); err != nil {
			t.Fatalf("expected the durations: %v", err)
		}
		if family.GetName() == "agentauth_decision_duration_seconds" {
			h := family.GetMetric()[0].GetHistogram()
			if h.GetSchema() != 3 || len(h.GetPositiveSpan()) == 0 || len(h.GetBucket()) < 17 {
				t.Errorf("expected native buckets of factor 1.1 and classic ones, got %v", h)
			}
			return
		}
	}
}
