package telemetry_test

import (
	"testing"

	"github.com/agentauth-dev/agentauth/authz/verified"
	"github.com/agentauth-dev/agentauth/telemetry"
)

func TestWhatIsKeptIsReadWhenTheMetricsAre(t *testing.T) {
	m := telemetry.NewMetrics(never)
	s := verified.Stats{}
	m.RegisterVerified(func() verified.Stats { return s })
	s = verified.Stats{Hits: 7, Misses: 6, Evictions: 5, Entries: 4, Bytes: 3000}
	_, metrics := get(m.Handler(), "/metrics")
	expect(t, metrics, "agentauth_verified_credentials_hits_total 7\n", "agentauth_verified_credentials_misses_total 6\n",
		"agentauth_verified_credentials_evicted_total 5\n", "agentauth_verified_credentials 4\n", "agentauth_verified_credentials_bytes 3000\n")
}
