package main

import (
	"cmp"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/engine"
)

// metrics are what /metrics shows. No label holds anything of a request.
type metrics struct {
	registry *prometheus.Registry
	decision *prometheus.CounterVec
	latency  *prometheus.HistogramVec
	asked    *prometheus.GaugeVec
	reloads  *prometheus.CounterVec
	policies prometheus.Gauge
	problems prometheus.Gauge
	good     prometheus.Gauge
	panics   prometheus.Counter
	schema   prometheus.Gauge // registered in a cluster only
	reviews  *prometheus.CounterVec
	expiry   prometheus.Gauge
}

func newMetrics(age func() float64) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		decision: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "agentauth_decisions_total",
			Help: "Decisions by policy (namespace/name, empty if none was found), decision and reason.",
		}, []string{"policy", "decision", "reason"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "agentauth_decision_duration_seconds",
			Help:    "How long decisions took, without the transport.",
			Buckets: []float64{.00001, .000025, .00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5},
		}, []string{"decision"}),
		asked: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "agentauth_policy_last_decision_timestamp_seconds",
			Help: "When a proxy last asked about a request of the policy.",
		}, []string{"policy"}),
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "agentauth_config_reloads_total",
			Help: "Loads of policies by result: ok, or refused (the last good state stays in force).",
		}, []string{"result"}),
		policies: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "agentauth_policies", Help: "Policies in force.",
		}),
		problems: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "agentauth_policy_problems", Help: "Problems of what is in force: references that do not resolve, conflicts, warnings.",
		}),
		good: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "agentauth_config_last_reload_successful", Help: "1 if the last load of policies is in force, 0 if it was refused.",
		}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "agentauth_panics_total", Help: "Checks answered 503 because of a defect of agentauth; the log has the stack.",
		}),
		schema: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "agentauth_schema_matches", Help: "1 if the CRD of policies is the one that this agentauth is built for; 0 if it is not, or not there.",
		}),
		reviews: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "agentauth_webhook_reviews_total",
			Help: "Policies the webhook was asked about, by result: allowed, refused, or failed (the API server goes by failurePolicy).",
		}, []string{"result"}),
		expiry: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "agentauth_webhook_certificate_expiry_timestamp_seconds",
			Help: "When the certificate ends that the webhook showed last; 0 if it showed none.",
		}),
	}
	m.registry.MustRegister(m.decision, m.latency, m.asked, m.reloads, m.policies, m.problems, m.good, m.panics, m.reviews, m.expiry,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "agentauth_config_age_seconds",
			Help: "For how long what is in force has not been what its source says; 0 while it is.",
		}, age),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) decided(d *authz.Decision, took time.Duration) {
	outcome := d.Outcome.String()
	m.decision.WithLabelValues(d.Policy, outcome, string(d.Reason)).Inc()
	m.latency.WithLabelValues(outcome).Observe(took.Seconds())
	if d.Policy != "" {
		m.asked.WithLabelValues(d.Policy).SetToCurrentTime()
	}
}

// forget drops what is told of a policy that is there no more, but for what was
// counted.
func (m *metrics) forget(policy string) { m.asked.DeleteLabelValues(policy) }

// keySets shows how the key sets are doing that policies name.
type keySets struct{ of func() []engine.RemoteStatus }

var (
	keysHeld = prometheus.NewDesc("agentauth_jwks_keys", "Keys held of a key set that is fetched; source is the policy's issuer or URL.", []string{"source"}, nil)
	keysAge  = prometheus.NewDesc("agentauth_jwks_last_success_timestamp_seconds", "When a key set was last fetched; 0 is never.", []string{"source"}, nil)
)

func (k keySets) Describe(ch chan<- *prometheus.Desc) { ch <- keysHeld; ch <- keysAge }

// Collect takes the best of sets that differ in their certificates only.
func (k keySets) Collect(ch chan<- prometheus.Metric) {
	best := map[string]engine.RemoteStatus{}
	for _, s := range k.of() {
		source := cmp.Or(s.Issuer, s.URL)
		if old, ok := best[source]; !ok || s.Success.After(old.Success) {
			best[source] = s
		}
	}
	for source, s := range best {
		ch <- prometheus.MustNewConstMetric(keysHeld, prometheus.GaugeValue, float64(s.Keys), source)
		age := 0.0
		if !s.Success.IsZero() {
			age = float64(s.Success.Unix())
		}
		ch <- prometheus.MustNewConstMetric(keysAge, prometheus.GaugeValue, age, source)
	}
}
