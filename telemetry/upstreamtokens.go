package telemetry

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/agentauth-dev/agentauth/authz/upstream"
)

// RegisterUpstreamTokens adds the metric of requests for tokens for upstreams.
func (m *Metrics) RegisterUpstreamTokens(statuses func() []upstream.Status) {
	m.registry.MustRegister(tokenRequests{statuses})
}

// tokenRequests collects the metric whenever it is asked for.
type tokenRequests struct{ statuses func() []upstream.Status }

var tokensAsked = prometheus.NewDesc("agentauth_upstream_token_requests_total",
	"Requests for tokens for upstreams to a token endpoint, by result: issued, denied (the server does not exchange the token of this caller, 403), abandoned (the caller hung up), and refused, malformed, late, failed, crowded, which got no token.",
	[]string{"endpoint", "result"}, nil)

func (r tokenRequests) Describe(ch chan<- *prometheus.Desc) { ch <- tokensAsked }

func (r tokenRequests) Collect(ch chan<- prometheus.Metric) {
	statuses, endpoints := r.statuses(), map[string]*endpoint{}
	for _, s := range statuses {
		requests := uint64(0)
		for _, n := range s.Requests {
			requests += n
		}
		add(endpoints, s.Endpoint, s.Tenants, requests)
	}
	shown := busiest(endpoints)
	for _, s := range statuses {
		if !shown(s.Endpoint) {
			continue
		}
		for _, o := range upstream.Outcomes() {
			ch <- prometheus.MustNewConstMetric(tokensAsked, prometheus.CounterValue, float64(s.Requests[o]), s.Endpoint, string(o))
		}
	}
}

// UpstreamTokenLog says in the log that a token endpoint gives no sound answers: at
// once, and then once a minute while it goes on.
type UpstreamTokenLog struct {
	Log *slog.Logger

	told map[string]toldFailures
}

// Look compares the endpoints in force with those of the last look. It is called every
// second or so, by one goroutine.
func (l *UpstreamTokenLog) Look(endpoints []upstream.Status, now time.Time) {
	told := make(map[string]toldFailures, len(endpoints))
	for _, s := range endpoints {
		last := l.told[s.Endpoint]
		if s.Failures > last.failures && (last.at.IsZero() || now.Sub(last.at) >= betweenLines) {
			l.Log.Warn("a token endpoint gives no sound answers: requests whose upstream needs a token from it are answered 503",
				"endpoint", brief(s.Endpoint), "cause", s.Error, "failures", s.Failures-last.failures)
			last = toldFailures{s.Failures, now}
		}
		told[s.Endpoint] = last
	}
	l.told = told
}
