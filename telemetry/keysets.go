package telemetry

import (
	"cmp"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/agentauth-dev/agentauth/authz/engine"
)

// RegisterKeySets adds the metrics of the key sets that policies name.
func (m *Metrics) RegisterKeySets(of func() []engine.RemoteStatus) {
	m.registry.MustRegister(keySets{of})
}

// keySets collects the metrics of key sets whenever they are asked for.
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
