package telemetry

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/agentauth-dev/agentauth/authz"
)

// policyCounts are the metrics of the decisions of one policy. Each is looked up by
// its labels once, and shown from then on.
type policyCounts struct {
	policy    string // the label
	decisions atomic.Pointer[[]decisionCount]
	asked     atomic.Pointer[prometheus.Gauge]
}

// decisionCount counts one kind of decision.
type decisionCount struct {
	outcome authz.Outcome
	reason  authz.Reason
	counter prometheus.Counter
}

// count counts a decision that was made at a time.
func (c *policyCounts) count(m *Metrics, d *authz.Decision, at time.Time) {
	c.counter(m, d).Inc()
	if c.policy == "" {
		return
	}
	asked := c.asked.Load()
	if asked == nil {
		gauge := m.asked.WithLabelValues(c.policy)
		asked = &gauge
		c.asked.Store(asked)
	}
	(*asked).Set(float64(at.UnixNano()) / 1e9)
}

// counter finds the counter of a decision. A policy has few kinds of them.
func (c *policyCounts) counter(m *Metrics, d *authz.Decision) prometheus.Counter {
	before := c.decisions.Load()
	if before != nil {
		for i := range *before {
			if one := &(*before)[i]; one.outcome == d.Outcome && one.reason == d.Reason {
				return one.counter
			}
		}
	}
	counter := m.decision.WithLabelValues(c.policy, d.Outcome.String(), string(d.Reason))
	var list []decisionCount
	if before != nil {
		list = append(list, *before...)
	}
	list = append(list, decisionCount{d.Outcome, d.Reason, counter})
	c.decisions.CompareAndSwap(before, &list) // who comes second looks it up once more
	return counter
}

// observer is the histogram of the decisions of an outcome.
func (m *Metrics) observer(o authz.Outcome) prometheus.Observer {
	if int(o) >= len(m.latencies) {
		return m.latency.WithLabelValues(o.String())
	}
	observer := m.latencies[o].Load()
	if observer == nil {
		made := m.latency.WithLabelValues(o.String())
		observer = &made
		m.latencies[o].Store(observer)
	}
	return *observer
}
