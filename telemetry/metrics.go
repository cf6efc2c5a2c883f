package telemetry

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/listen"
	"github.com/agentauth-dev/agentauth/authz/verified"
)

// Metrics are what /metrics shows. No label holds anything of a request.
type Metrics struct {
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
	refused  *prometheus.CounterVec
	shadow   *shadowCounts

	certificates *prometheus.GaugeVec
	about        *prometheus.GaugeVec
	leads        prometheus.Gauge // registered in a cluster only
	notReady     prometheus.Gauge
	hash         prometheus.Gauge

	latencies [4]atomic.Pointer[prometheus.Observer] // by outcome
	exemplars exemplarTimes
	// inForce are the policies in force by their names, "" for no policy, and others
	// for those without series of their own. The map does not change.
	inForce atomic.Pointer[map[string]*policyCounts]
	mu      sync.Mutex // is held while inForce becomes another
	leaving leaving    // under mu
}

// NewMetrics makes the metrics of a process. age is for how long what is in
// force has not been what its source says: [Readiness.Age].
func NewMetrics(age func() time.Duration) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		decision: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "agentauth_decisions_total",
			Help: "Decisions by policy (namespace/name, empty if none was found, (others) for those without series of their own), decision and reason.",
		}, []string{"policy", "decision", "reason"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "agentauth_decision_duration_seconds",
			Help:    "How long decisions took, without the transport.",
			Buckets: durations,
			// Beside the buckets, for a Prometheus that scrapes native histograms.
			NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 160, NativeHistogramMinResetDuration: time.Hour,
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
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "agentauth_door_refused_total",
			Help: "Clients that the door refused before they could ask, by cause: TLS, certificates, or a protocol that is not HTTP/2.",
		}, []string{"cause"}),
		certificates: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "agentauth_certificate_end_timestamp_seconds",
			Help: "When a certificate ends, by use: door, door_client_ca (the first authority that ends) or webhook.",
		}, []string{"use"}),
		about: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "agentauth_build_info", Help: "1, with what this agentauth was built of.",
		}, []string{"version", "revision", "goversion"}),
		leads: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "agentauth_leader", Help: "1 if this replica writes the status of policies, else 0.",
		}),
		notReady: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "agentauth_policies_not_ready", Help: "Policies whose condition Ready is False.",
		}),
		hash: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "agentauth_config_hash", Help: "A hash of the policies in force: replicas that have the same show the same.",
		}),
		shadow: newShadowCounts(),
	}
	m.inForce.Store(&map[string]*policyCounts{"": {}, others: {policy: others}})
	for _, cause := range listen.Causes() {
		m.refused.WithLabelValues(cause) // 0, so that the first one is an increase
	}
	m.registry.MustRegister(m.decision, m.latency, m.asked, m.reloads, m.policies, m.problems, m.good, m.panics, m.reviews, m.expiry, m.refused,
		m.certificates, m.about, m.notReady, m.hash, m.shadow.decisions, m.shadow.differences,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "agentauth_config_age_seconds",
			Help: "For how long what is in force has not been what its source says; 0 while it is.",
		}, func() float64 { return age().Seconds() }),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler answers with the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{EnableOpenMetrics: true, MaxRequestsInFlight: maxScrapes})
}

// maxScrapes is how many scrapes are answered at once.
const maxScrapes = 8

// decided counts a decision, which ended at a time.
func (m *Metrics) decided(d *authz.Decision, raw *authz.Raw, took time.Duration, at time.Time) {
	counts := (*m.inForce.Load())[d.Policy]
	if counts == nil { // by a policy that is gone: it was in force when the check began
		counts = m.stray(d.Policy)
	}
	counts.count(m, d, at)
	m.observe(d.Outcome, raw, took.Seconds(), at)
	if d.Shadow != nil {
		m.shadow.count(m, d, at)
	}
}

// InForce counts a load that came in force: the names of its policies, and how
// many problems they have. Loads come one after the other.
func (m *Metrics) InForce(policies []string, problems int) {
	m.reloads.WithLabelValues("ok").Inc()
	m.good.Set(1)
	m.policies.Set(float64(len(policies)))
	m.problems.Set(float64(problems))
	m.mu.Lock()
	defer m.mu.Unlock()
	m.show(policies)
}

// Refused counts a load that did not come in force.
func (m *Metrics) Refused() {
	m.reloads.WithLabelValues("refused").Inc()
	m.good.Set(0)
}

// RegisterSchema adds the metric of the CRD of policies, which a directory does
// not have.
func (m *Metrics) RegisterSchema() { m.registry.MustRegister(m.schema) }

// RegisterUnreadable adds the metric of the objects of a cluster that are left
// out.
func (m *Metrics) RegisterUnreadable(objects func() int) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "agentauth_unreadable_objects",
		Help: "Objects of the cluster that cannot be read and are left out; /readyz?verbose names them.",
	}, func() float64 { return float64(objects()) }))
}

// SchemaMatches says whether the CRD is the one that this agentauth is built
// for.
func (m *Metrics) SchemaMatches(yes bool) {
	m.schema.Set(0)
	if yes {
		m.schema.Set(1)
	}
}

// Reviewed counts a review of the webhook.
func (m *Metrics) Reviewed(result string) { m.reviews.WithLabelValues(result).Inc() }

// CertificateShown says when the certificate ends that the webhook showed.
func (m *Metrics) CertificateShown(end time.Time) {
	m.expiry.Set(float64(end.Unix()))
	m.Certificate("webhook", end)
}

// RegisterVerified adds the metrics of the cache of verified credentials.
func (m *Metrics) RegisterVerified(stats func() verified.Stats) {
	m.registry.MustRegister(keptCredentials{stats})
}

// keptCredentials collects the metrics of the cache whenever they are asked for.
type keptCredentials struct{ stats func() verified.Stats }

var (
	keptEntries = prometheus.NewDesc("agentauth_verified_credentials", "Verified credentials that are kept.", nil, nil)
	keptBytes   = prometheus.NewDesc("agentauth_verified_credentials_bytes", "What the verified credentials take that are kept, about.", nil, nil)
	keptHits    = prometheus.NewDesc("agentauth_verified_credentials_hits_total", "Credentials that were verified before.", nil, nil)
	keptMisses  = prometheus.NewDesc("agentauth_verified_credentials_misses_total", "Credentials that were not kept, bad ones too.", nil, nil)
	keptEvicted = prometheus.NewDesc("agentauth_verified_credentials_evicted_total", "Kept credentials that gave way to others.", nil, nil)
)

func (k keptCredentials) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(k, ch) }

func (k keptCredentials) Collect(ch chan<- prometheus.Metric) {
	s := k.stats()
	ch <- prometheus.MustNewConstMetric(keptEntries, prometheus.GaugeValue, float64(s.Entries))
	ch <- prometheus.MustNewConstMetric(keptBytes, prometheus.GaugeValue, float64(s.Bytes))
	ch <- prometheus.MustNewConstMetric(keptHits, prometheus.CounterValue, float64(s.Hits))
	ch <- prometheus.MustNewConstMetric(keptMisses, prometheus.CounterValue, float64(s.Misses))
	ch <- prometheus.MustNewConstMetric(keptEvicted, prometheus.CounterValue, float64(s.Evictions))
}
