package telemetry

import (
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/agentauth-dev/agentauth/authz"
)

// durations are the buckets of the durations of decisions.
var durations = []float64{.00001, .000025, .00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5}

// exemplarTimes are when an outcome had its last exemplar in a bucket, in nanoseconds.
type exemplarTimes [4][18]atomic.Int64

// betweenExemplars is how often a bucket gets an exemplar: a caller who says of every
// request that it is traced must not make every request cost more.
const betweenExemplars = time.Second

// observe counts how long a decision took, with the trace of the request as an
// exemplar where it has one that is sampled.
func (m *Metrics) observe(outcome authz.Outcome, raw *authz.Raw, seconds float64, at time.Time) {
	observer := m.observer(outcome)
	if id := sampledTrace(raw.Headers); id != "" && m.exemplars.due(outcome, seconds, at) {
		if traced, ok := observer.(prometheus.ExemplarObserver); ok {
			traced.ObserveWithExemplar(seconds, prometheus.Labels{"trace_id": strings.Clone(id)})
			return
		}
	}
	observer.Observe(seconds)
}

// due says whether the bucket of a duration gets an exemplar now.
func (e *exemplarTimes) due(outcome authz.Outcome, seconds float64, at time.Time) bool {
	bucket, _ := slices.BinarySearch(durations, seconds)
	if int(outcome) >= len(e) || bucket >= len(e[0]) {
		return false
	}
	last := &e[outcome][bucket]
	before := last.Load()
	return at.UnixNano()-before >= int64(betweenExemplars) && last.CompareAndSwap(before, at.UnixNano())
}

// sampledTrace is the trace id of a request whose traceparent says that it is sampled;
// "" if there is none, several, or one that is not as W3C Trace Context has it.
func sampledTrace(headers []authz.Header) string {
	parent := ""
	for i := range headers {
		if h := &headers[i]; len(h.Name) == len("traceparent") && strings.EqualFold(h.Name, "traceparent") {
			if parent != "" {
				return ""
			}
			if parent = h.Value; parent == "" {
				return ""
			}
		}
	}
	const form = "00-00000000000000000000000000000000-0000000000000000-00"
	if len(parent) != len(form) || parent[:2] == "ff" {
		return ""
	}
	for i := range len(form) {
		c := parent[i]
		if form[i] == '-' && c != '-' || form[i] == '0' && !lowerHex(c) {
			return ""
		}
	}
	const none = "00000000000000000000000000000000"
	trace, span, flags := parent[3:35], parent[36:52], parent[54]
	sampled := strings.IndexByte("13579bdf", flags) >= 0
	if trace == none || span == none[:16] || !sampled {
		return ""
	}
	return trace
}

func lowerHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' }
