package telemetry

import (
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/telemetry/audit"
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

// sampledTrace is the trace id of a request that is sampled; "" if it is not.
func sampledTrace(headers []authz.Header) string {
	if id, sampled := audit.TraceOf(headers); sampled {
		return id
	}
	return ""
}
