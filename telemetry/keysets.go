package telemetry

import (
	"cmp"
	"slices"

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
	keysHeld   = prometheus.NewDesc("agentauth_jwks_keys", "Keys held of a key set that is fetched; source is the policy's issuer or URL.", []string{"source"}, nil)
	keysAge    = prometheus.NewDesc("agentauth_jwks_last_success_timestamp_seconds", "When a key set was last fetched; 0 is never.", []string{"source"}, nil)
	keysFailed = prometheus.NewDesc("agentauth_jwks_last_attempt_failed", "1 if the last attempt to fetch a key set failed, else 0.", []string{"source"}, nil)
	keySources = prometheus.NewDesc("agentauth_jwks_sources", "Key sets that are fetched, those without series of their own too, by state: held, failing (keys are held, and the last attempt failed), or empty.", []string{"state"}, nil)
)

// maxSources is how many key sets have series of their own.
const maxSources = 500

func (k keySets) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{keysHeld, keysAge, keysFailed, keySources} {
		ch <- d
	}
}

// Collect takes the best of sets that differ in their certificates only.
func (k keySets) Collect(ch chan<- prometheus.Metric) {
	best := map[string]engine.RemoteStatus{}
	for _, s := range k.of() {
		source := cmp.Or(s.Issuer, s.URL)
		if old, ok := best[source]; !ok || s.Success.After(old.Success) {
			best[source] = s
		}
	}
	states := map[string]int{"held": 0, "failing": 0, "empty": 0}
	tenants, wanted := map[string][]string{}, map[string]int{}
	for source, s := range best {
		states[stateOf(s)]++
		tenant := tenantOf(s)
		tenants[tenant] = append(tenants[tenant], source)
		wanted[tenant]++
	}
	for state, n := range states {
		ch <- prometheus.MustNewConstMetric(keySources, prometheus.GaugeValue, float64(n), state)
	}
	for tenant, n := range shares(wanted, maxSources) {
		slices.Sort(tenants[tenant])
		for _, source := range tenants[tenant][:n] {
			show(ch, source, best[source])
		}
	}
}

func stateOf(s engine.RemoteStatus) string {
	switch {
	case s.Keys == 0:
		return "empty"
	case s.Error != "":
		return "failing"
	}
	return "held"
}

// tenantOf is the namespace that a key set belongs to.
func tenantOf(s engine.RemoteStatus) string {
	if s.Tenant == nil {
		return ""
	}
	return s.Tenant()
}

func show(ch chan<- prometheus.Metric, source string, s engine.RemoteStatus) {
	age, failed := 0.0, 0.0
	if !s.Success.IsZero() {
		age = float64(s.Success.Unix())
	}
	if s.Error != "" {
		failed = 1
	}
	ch <- prometheus.MustNewConstMetric(keysHeld, prometheus.GaugeValue, float64(s.Keys), source)
	ch <- prometheus.MustNewConstMetric(keysAge, prometheus.GaugeValue, age, source)
	ch <- prometheus.MustNewConstMetric(keysFailed, prometheus.GaugeValue, failed, source)
}
