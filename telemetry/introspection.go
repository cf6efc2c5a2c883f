package telemetry

import (
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/introspect"
	"github.com/agentauth-dev/agentauth/authz/reviews"
)

// RegisterIntrospection adds the metric of requests about tokens.
func (m *Metrics) RegisterIntrospection(counts func() []introspect.Count) {
	m.registry.MustRegister(questions{counts, questionsAsked})
}

// RegisterReviews adds the metric of questions to the API server.
func (m *Metrics) RegisterReviews(counts func() []introspect.Count) {
	m.registry.MustRegister(questions{counts, reviewsAsked})
}

// questions collects the metric whenever it is asked for.
type questions struct {
	counts func() []introspect.Count
	desc   *prometheus.Desc
}

var questionsAsked = prometheus.NewDesc("agentauth_introspection_requests_total",
	"Requests about tokens to an introspection endpoint, by result: active, inactive, abandoned (the caller hung up), and refused, malformed, late, failed, crowded, which are answered 503.",
	[]string{"endpoint", "result"}, nil)

var reviewsAsked = prometheus.NewDesc("agentauth_kubernetes_reviews_total",
	"Questions to the API server, by review (TokenReview, SubjectAccessReview) and result: active (yes), inactive (no), abandoned (the caller hung up), and refused, malformed, late, failed, crowded, which are answered 503.",
	[]string{"review", "result"}, nil)

func (q questions) Describe(ch chan<- *prometheus.Desc) { ch <- q.desc }

func (q questions) Collect(ch chan<- prometheus.Metric) {
	counts, endpoints := q.counts(), map[string]*endpoint{}
	for _, c := range counts {
		add(endpoints, c.Endpoint, c.Tenants, c.Requests)
	}
	shown := busiest(endpoints)
	for _, c := range counts {
		if !shown(c.Endpoint) {
			continue
		}
		ch <- prometheus.MustNewConstMetric(q.desc, prometheus.CounterValue, float64(c.Requests), c.Endpoint, string(c.Outcome))
	}
}

// IntrospectionLog says in the log that an introspection endpoint gives no sound
// answers: at once, and then once a minute while it goes on.
type IntrospectionLog struct {
	Log *slog.Logger

	told map[[32]byte]toldFailures
}

// toldFailures is how many failures there were when the last line was written.
type toldFailures struct {
	failures uint64
	at       time.Time
}

// betweenLines is the time between two lines on one endpoint.
const betweenLines = time.Minute

// Look compares the servers in force with those of the last look. It is called every
// second or so, by one goroutine.
func (l *IntrospectionLog) Look(servers []engine.IntrospectorStatus, now time.Time) {
	told := make(map[[32]byte]toldFailures, len(servers))
	for _, s := range servers {
		last := l.told[s.ID]
		if s.Failures > last.failures && (last.at.IsZero() || now.Sub(last.at) >= betweenLines) {
			l.Log.Warn(noSoundAnswers(s.Endpoint),
				"endpoint", brief(s.Endpoint), "cause", s.Error, "failures", s.Failures-last.failures, "methods", strings.Join(s.Methods, ", "))
			last = toldFailures{s.Failures, now}
		}
		told[s.ID] = last
	}
	l.told = told
}

func noSoundAnswers(endpoint string) string {
	if endpoint == reviews.TokenReview || endpoint == reviews.SubjectAccessReview {
		return "the API server gives no sound answers: requests that it would be asked about are answered 503"
	}
	return "an introspection endpoint gives no sound answers: tokens that it would be asked about are answered 503"
}
