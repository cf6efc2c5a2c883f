package telemetry_test

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz/apikey"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/introspect"
	"github.com/agentauth-dev/agentauth/authz/jwks"
	"github.com/agentauth-dev/agentauth/authz/upstream"
	"github.com/agentauth-dev/agentauth/authz/work"
	"github.com/agentauth-dev/agentauth/telemetry"
)

// keyTable is a table of one Secret with keys "<entry>-of-some-robot-and-long", by the
// times at which they end; zero: they do not.
func keyTable(namespace, name string, ends map[string]time.Duration) *apikey.Table {
	data, annotations := map[string][]byte{}, map[string]string{}
	for entry, in := range ends {
		data[entry] = fmt.Appendf(nil, "sha256:%x", sha256.Sum256([]byte(keyOf(name, entry))))
		if in != 0 {
			annotations["expires-at.agentauth.dev/"+entry] = time.Now().Add(in).UTC().Format(time.RFC3339)
		}
	}
	return new(apikey.Index).Table([]*apikey.Secret{apikey.Parse(namespace, name, nil, annotations, data)})
}

func keyOf(name, entry string) string { return entry + "-of-some-robot-and-long-" + name }

func use(t *testing.T, table *apikey.Table, key string, at time.Time) {
	t.Helper()
	_, holder, ok := table.Find(key)
	if !ok {
		t.Fatalf("expected %s to be found", key)
	}
	holder.Used(at)
}

const day = 24 * time.Hour

func TestKeysThatEndSoonAreCountedAndNamed(t *testing.T) {
	m := telemetry.NewMetrics(never)
	table := keyTable("shop", "robot", map[string]time.Duration{"today": time.Hour, "week": 3 * day, "month": 20 * day, "later": 90 * day, "never": 0, "ended": -day})
	m.RegisterKeys(func() []*apikey.Table { return []*apikey.Table{table, nil} })
	_, metrics := get(m.Handler(), "/metrics")
	expect(t, metrics, `agentauth_api_keys_expiring{within="24h"} 1`, `agentauth_api_keys_expiring{within="7d"} 2`, `agentauth_api_keys_expiring{within="30d"} 3`,
		"agentauth_api_keys_ended 1", `agentauth_api_key_end_timestamp_seconds{key="today",secret="shop/robot"}`, `agentauth_api_key_end_timestamp_seconds{key="month",secret="shop/robot"}`)
	expectNot(t, metrics, `key="later"`, `key="never"`, `key="ended"`, "last_used")
}

func TestARotatedKeyThatIsStillUsedIsSeen(t *testing.T) {
	m := telemetry.NewMetrics(never)
	table := keyTable("shop", "robot", map[string]time.Duration{"old": 3 * day, "new": 0, "unused": 0})
	m.RegisterKeys(func() []*apikey.Table { return []*apikey.Table{table} })
	use(t, table, keyOf("robot", "old"), time.Unix(1_700_000_000, 0))
	use(t, table, keyOf("robot", "new"), time.Unix(1_700_000_009, 0))
	_, metrics := get(m.Handler(), "/metrics")
	expect(t, metrics, `agentauth_api_key_last_used_timestamp_seconds{key="old",secret="shop/robot"} 1.7e+09`,
		`agentauth_api_key_last_used_timestamp_seconds{key="new",secret="shop/robot"} 1.700000009e+09`)
	expectNot(t, metrics, `key="unused"`, "of-some-robot")
}

func TestATenantWithManyKeysHidesNoOthers(t *testing.T) {
	m := telemetry.NewMetrics(never)
	many := map[string]time.Duration{}
	for i := range 5000 {
		many[fmt.Sprintf("k%04d", i)] = time.Duration(i+1) * time.Minute
	}
	flood, shop := keyTable("flood", "f", many), keyTable("shop", "robot", map[string]time.Duration{"old": 20 * day})
	for entry := range many {
		use(t, flood, keyOf("f", entry), time.Unix(1000, 0))
	}
	use(t, shop, keyOf("robot", "old"), time.Unix(1000, 0))
	m.RegisterKeys(func() []*apikey.Table { return []*apikey.Table{flood, shop} })
	_, metrics := get(m.Handler(), "/metrics")
	for _, name := range []string{"agentauth_api_key_end_timestamp_seconds", "agentauth_api_key_last_used_timestamp_seconds"} {
		if n := strings.Count(metrics, "\n"+name+"{"); n != 500 {
			t.Errorf("%s: expected 500 series, got %d", name, n)
		}
		expect(t, metrics, name+`{key="old",secret="shop/robot"}`, name+`{key="k0000",secret="flood/f"}`, name+`{key="k0498",secret="flood/f"}`)
		expectNot(t, metrics, name+`{key="k0499"`)
	}
	expect(t, metrics, `agentauth_api_keys_expiring{within="30d"} 5001`)
}

func TestTheSchedulerIsReadWhenTheMetricsAre(t *testing.T) {
	m := telemetry.NewMetrics(never)
	m.RegisterWork(func() work.Stats {
		return work.Stats{Slots: 2, Running: 1, Waiting: 7, Classes: map[string]work.Class{"bcrypt": {Run: 3, Refused: 4, Busy: 1500 * time.Millisecond, Waited: 2 * time.Second}}}
	})
	_, metrics := get(m.Handler(), "/metrics")
	expect(t, metrics, "agentauth_work_slots 2\n", "agentauth_work_running 1\n", "agentauth_work_waiting 7\n", `agentauth_work_tasks_total{class="bcrypt"} 3`,
		`agentauth_work_refused_total{class="bcrypt"} 4`, `agentauth_work_busy_seconds_total{class="bcrypt"} 1.5`, `agentauth_work_waited_seconds_total{class="bcrypt"} 2`)
}

func TestATenantWithManyProvidersHidesNoOthers(t *testing.T) {
	m := telemetry.NewMetrics(never)
	of := func(tenant, issuer string, status jwks.Status) engine.RemoteStatus {
		return engine.RemoteStatus{RemoteSource: engine.RemoteSource{Issuer: issuer, Tenant: func() string { return tenant }}, Status: status}
	}
	m.RegisterKeySets(func() []engine.RemoteStatus {
		list := []engine.RemoteStatus{of("shop", "https://z.example", jwks.Status{Keys: 2, Success: time.Unix(9, 0), Error: "refused"})}
		for i := range 3000 {
			list = append(list, of("flood", fmt.Sprintf("https://%04d.example", i), jwks.Status{Error: "no such host"}))
		}
		return append(list, of("bank", "https://y.example", jwks.Status{Keys: 1, Success: time.Unix(9, 0)}))
	})
	_, metrics := get(m.Handler(), "/metrics")
	if n := strings.Count(metrics, "\nagentauth_jwks_keys{"); n != 500 {
		t.Errorf("expected 500 series, got %d", n)
	}
	expect(t, metrics, `agentauth_jwks_last_attempt_failed{source="https://z.example"} 1`, `agentauth_jwks_last_attempt_failed{source="https://y.example"} 0`,
		`agentauth_jwks_sources{state="held"} 1`, `agentauth_jwks_sources{state="failing"} 1`, `agentauth_jwks_sources{state="empty"} 3000`)
}

func TestTheProcessTellsWhatItIs(t *testing.T) {
	m := telemetry.NewMetrics(never)
	m.Built("v1.2.3", "abc", "go1.26.0")
	m.Certificate("door", time.Unix(1000, 0))
	m.CertificateShown(time.Unix(2000, 0))
	m.Agreement(3, 1<<48-1)
	_, metrics := get(m.Handler(), "/metrics")
	expect(t, metrics, `agentauth_build_info{goversion="go1.26.0",revision="abc",version="v1.2.3"} 1`, `agentauth_certificate_end_timestamp_seconds{use="door"} 1000`,
		`agentauth_certificate_end_timestamp_seconds{use="webhook"} 2000`, "agentauth_policies_not_ready 3", "agentauth_config_hash 2.81474976710655e+14")
	expectNot(t, metrics, "agentauth_leader")
	m.RegisterLeader()
	m.Leads(true)
	_, metrics = get(m.Handler(), "/metrics")
	expect(t, metrics, "agentauth_leader 1")
	m.Leads(false)
	_, metrics = get(m.Handler(), "/metrics")
	expect(t, metrics, "agentauth_leader 0")
}

func TestATenantOfManyBusyEndpointsLeavesOthersTheirSeries(t *testing.T) {
	m := telemetry.NewMetrics(never)
	count := func(name, tenant string, requests uint64) (introspect.Count, upstream.Status) {
		name, tenants := "https://"+name+".example", []string{tenant}
		return introspect.Count{Endpoint: name, Tenants: tenants, Outcome: introspect.Active, Requests: requests},
			upstream.Status{Endpoint: name, Tenants: tenants, Requests: map[upstream.Outcome]uint64{upstream.Issued: requests}}
	}
	var counts []introspect.Count
	var statuses []upstream.Status
	add := func(name, tenant string, requests uint64) {
		c, s := count(name, tenant, requests)
		counts, statuses = append(counts, c), append(statuses, s)
	}
	for i := range 2000 {
		add(fmt.Sprintf("hostile-%04d", i), "hostile", 1_000_000+uint64(i))
	}
	add("quiet", "bank", 0)
	for i := range 10 {
		add(fmt.Sprintf("shop-%d", i), "shop", 1)
	}
	add("both", "bank", 1)
	counts[len(counts)-1].Tenants, statuses[len(statuses)-1].Tenants = []string{"bank", "hostile"}, []string{"bank", "hostile"}
	m.RegisterIntrospection(func() []introspect.Count { return counts })
	m.RegisterUpstreamTokens(func() []upstream.Status { return statuses })
	_, metrics := get(m.Handler(), "/metrics")
	for _, name := range []string{"agentauth_introspection_requests_total{", "agentauth_upstream_token_requests_total{"} {
		for _, shown := range []string{"quiet", "both", "shop-0", "shop-9", "hostile-1999"} {
			expect(t, metrics, name+`endpoint="https://`+shown+`.example"`)
		}
		expectNot(t, metrics, name+`endpoint="https://hostile-0000.example"`)
	}
	if n := strings.Count(metrics, "\nagentauth_introspection_requests_total{"); n != 500 {
		t.Errorf("expected 500 series, got %d", n)
	}
}

func TestOfManyEndpointsThoseThatAreAskedMostAreShown(t *testing.T) {
	m := telemetry.NewMetrics(never)
	m.RegisterIntrospection(func() (out []introspect.Count) {
		for i := range 2000 {
			out = append(out, introspect.Count{Endpoint: fmt.Sprintf("https://%04d.example", i), Outcome: introspect.Active, Requests: uint64(i)})
		}
		return out
	})
	m.RegisterUpstreamTokens(func() (out []upstream.Status) {
		for i := range 2000 {
			out = append(out, upstream.Status{Endpoint: fmt.Sprintf("https://%04d.example", i), Requests: map[upstream.Outcome]uint64{upstream.Issued: uint64(i)}})
		}
		return out
	})
	_, metrics := get(m.Handler(), "/metrics")
	for name, series := range map[string]int{"agentauth_introspection_requests_total{": 500, "agentauth_upstream_token_requests_total{": 500 * len(upstream.Outcomes())} {
		if n := strings.Count(metrics, "\n"+name); n != series {
			t.Errorf("%s: expected %d series, got %d", name, series, n)
		}
		expect(t, metrics, name+`endpoint="https://1999.example"`)
		expectNot(t, metrics, name+`endpoint="https://1499.example"`)
	}
}
