package telemetry

import "time"

// Built says what this agentauth was built of.
func (m *Metrics) Built(version, revision, goversion string) {
	m.about.WithLabelValues(version, revision, goversion).Set(1)
}

// RegisterLeader adds the metric of which replica writes status, which a directory
// does not have.
func (m *Metrics) RegisterLeader() { m.registry.MustRegister(m.leads) }

// Leads says whether this replica writes the status of policies.
func (m *Metrics) Leads(yes bool) {
	m.leads.Set(0)
	if yes {
		m.leads.Set(1)
	}
}

// Certificate says when a certificate ends that is in use: door, door_client_ca or
// webhook.
func (m *Metrics) Certificate(use string, end time.Time) {
	m.certificates.WithLabelValues(use).Set(float64(end.Unix()))
}

// Agreement says how many policies are not ready, and what replicas that have the same
// policies in force have in common: a number below 1<<48, which a float64 holds.
func (m *Metrics) Agreement(notReady int, hash uint64) {
	m.notReady.Set(float64(notReady))
	m.hash.Set(float64(hash))
}
