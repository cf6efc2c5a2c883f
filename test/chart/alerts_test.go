//go:build e2e

package chart

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/test/parts"
)

const alertsFile = chartDir + "/files/alerts.yaml"

// promtool fails the test where promtool fails.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	if _, err := parts.Promtool(t.Context(), args...); err != nil {
		t.Error(err)
	}
}

func TestPrometheusTakesTheAlertsAndEachFiresOnWhatItIsFor(t *testing.T) {
	promtool(t, "check", "rules", "--lint=all", "--lint-fatal", alertsFile)
	promtool(t, "test", "rules", "test/chart/testdata/alerts.yaml")
	cases, err := os.ReadFile("testdata/alerts.yaml")
	must(t, err)
	for _, name := range alerts(t, readAlerts(t)) {
		for _, want := range []string{name + " fires\n", name + " is silent while all is well\n"} {
			if !strings.Contains(string(cases), "- name: "+want) {
				t.Errorf("expected a test %q", want)
			}
		}
	}
}

func TestThePrometheusRuleHasTheAlertsAndWhatIsAdded(t *testing.T) {
	out, err := render(t, trusting+`
prometheusRule:
  enabled: true
  labels: {release: prometheus}
  disabled: [AgentauthPanics]
  additionalGroups: [{name: mine, rules: [{alert: Mine, expr: up == 0}]}]
`)
	must(t, err)
	rule := find(t, objects(t, out), "PrometheusRule", "")
	if rule.at("metadata.labels.release") != "prometheus" || rule.at("spec.groups.1.name") != "mine" {
		t.Errorf("got %s", text(t, rule))
	}
	got := alerts(t, object{"groups": []any{rule.at("spec.groups.0")}})
	want := slices.DeleteFunc(alerts(t, readAlerts(t)), func(name string) bool { return name == "AgentauthPanics" })
	if !slices.Equal(got, want) {
		t.Errorf("expected %q, got %q", want, got)
	}
	file := filepath.Join(suite.Dir, "rules.yaml")
	must(t, os.WriteFile(file, []byte(text(t, rule["spec"])), 0o600))
	promtool(t, "check", "rules", file)
	if _, err := render(t, trusting+"prometheusRule: {enabled: true, disabled: [AgentauthPanic]}"); err == nil {
		t.Error("expected the name of an alert that there is not to be refused")
	}
}

func readAlerts(t *testing.T) object {
	t.Helper()
	data, err := os.ReadFile("../../" + alertsFile)
	must(t, err)
	return objects(t, string(data))[0]
}

func alerts(t *testing.T, rules object) (names []string) {
	t.Helper()
	for i := 0; ; i++ {
		name := rules.at(fmt.Sprintf("groups.0.rules.%d.alert", i))
		if name == nil {
			break
		}
		names = append(names, fmt.Sprint(name))
	}
	if len(names) == 0 {
		t.Fatal("expected alerts")
	}
	return names
}

func TestTheDashboardIsInAConfigMapAndPrometheusTakesItsExpressions(t *testing.T) {
	out, err := render(t, trusting+"dashboard: {enabled: true, annotations: {grafana_folder: agents}}")
	must(t, err)
	config := find(t, objects(t, out), "ConfigMap", "agentauth-dashboard")
	if config == nil || fmt.Sprint(config.at("metadata.labels.grafana_dashboard")) != "1" || config.at("metadata.annotations.grafana_folder") != "agents" {
		t.Fatalf("got %v", config)
	}
	data, _ := config["data"].(map[string]any)
	var dashboard struct {
		Panels []struct {
			Targets []struct{ Expr string }
		}
	}
	must(t, json.Unmarshal([]byte(fmt.Sprint(data["agentauth.json"])), &dashboard))
	rules := "groups:\n- name: dashboard\n  rules:\n"
	for i, p := range dashboard.Panels {
		for k, target := range p.Targets {
			expr := strings.NewReplacer("$__rate_interval", "5m", "$job", ".*").Replace(target.Expr)
			rules += fmt.Sprintf("  - {record: 'panel:%d:%d', expr: %s}\n", i, k, strconv.Quote(expr))
		}
	}
	file := filepath.Join(suite.Dir, "dashboard.yaml")
	must(t, os.WriteFile(file, []byte(rules), 0o600))
	promtool(t, "check", "rules", file)
	out, err = render(t, trusting)
	must(t, err)
	if all := objects(t, out); find(t, all, "ConfigMap", "agentauth-dashboard") != nil || find(t, all, "PrometheusRule", "") != nil {
		t.Error("expected neither unless asked for")
	}
}

// What is broken here lets its alert fire on the metrics of a real agentauth: they are taken before, and twice after
// it was broken; Prometheus' own engine goes on with each series as it went between the last two.
func TestWhatBreaksLetsItsAlertFire(t *testing.T) {
	w := newBreakable(t)
	w.ask(0, "api.test", "x-api-key: "+newTestKey)
	w.ask(0, "users.test", "authorization: Basic cm9ib3Q6dGhlLXBhc3N3b3JkLW9mLXRoZS1yb2JvdA==")
	before := w.scrape()

	w.write("provider.yaml", jwtPolicy)                    // of a provider that nobody can reach
	must(t, os.Remove(filepath.Join(w.dir, "users.yaml"))) // a Secret that a policy needs
	w.certificate(time.Hour)
	w.until("agentauth_jwks_keys", func(v float64) bool { return v == 0 })
	w.until("agentauth_policies_not_ready", func(v float64) bool { return v == 1 })
	w.until("agentauth_certificate_end_timestamp_seconds", func(v float64) bool { return v < float64(time.Now().Add(2*time.Hour).Unix()) })
	w.write("bad.yaml", "kind: Nothing\n")
	w.until("agentauth_config_last_reload_successful", func(v float64) bool { return v == 0 })
	w.provoke()
	first, at := w.scrape(), time.Now()
	w.until("agentauth_config_age_seconds", func(v float64) bool { return v > first["agentauth_config_age_seconds"]+0.5 })
	w.provoke()
	second, went := w.scrape(), time.Since(at)

	fires := []string{
		"AgentauthConfigRefused", "AgentauthConfigStale", "AgentauthCannotDecide", "AgentauthNoKeys", "AgentauthPoliciesNotReady",
		"AgentauthDoorRefuses", "AgentauthCertificateEnds", "AgentauthKeyEndsAndIsUsed",
	}
	test := fmt.Sprintf("rule_files: [%s]\nevaluation_interval: 1m\ntests:\n", filepath.Join(w.root, alertsFile))
	test += group("all is well", before, before, before, time.Minute, "  - {expr: 'count(ALERTS) or vector(0)', eval_time: 40m, exp_samples: [{labels: '{}', value: 0}]}\n")
	expect := ""
	for _, name := range fires {
		expect += fmt.Sprintf("  - {expr: 'count(ALERTS{alertname=\"%s\",alertstate=\"firing\"}) > bool 0', eval_time: 40m, exp_samples: [{labels: '{}', value: 1}]}\n", name)
	}
	expect += fmt.Sprintf("  - {expr: 'count(ALERTS{alertname!~\"%s\"}) or vector(0)', eval_time: 40m, exp_samples: [{labels: '{}', value: 0}]}\n", strings.Join(fires, "|"))
	test += group("what broke fires, and nothing else", before, first, second, went, expect)
	file := filepath.Join(w.dir+"-test", "alerts.yaml")
	must(t, os.MkdirAll(filepath.Dir(file), 0o700))
	must(t, os.WriteFile(file, []byte(test), 0o600))
	promtool(t, "test", "rules", file)
}

// group is a test of promtool: five minutes of before, and then on from second as from first to second.
func group(name string, before, first, second map[string]float64, went time.Duration, expect string) string {
	out := fmt.Sprintf("- name: %s\n  interval: 1m\n  start_timestamp: %d\n  input_series:\n", name, time.Now().Unix())
	for series, last := range second {
		begins := "_x4"
		if v, ok := before[series]; ok {
			begins = fmt.Sprintf("%sx4", number(v))
		}
		step := 0.0
		if v, ok := first[series]; ok {
			step = (last - v) * time.Minute.Seconds() / went.Seconds()
		}
		out += fmt.Sprintf("  - {series: '%s', values: '%s %s%sx40'}\n", strings.ReplaceAll(series, "'", "''"), begins, number(last), signed(step))
	}
	return out + "  promql_expr_test:\n" + expect
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', 6, 64) }

func signed(v float64) string {
	if v < 0 {
		return number(v)
	}
	return "+" + number(v)
}

// breakable is an agentauth that follows a directory, behind a door with TLS.
type breakable struct {
	*testing.T
	*parts.Agentauth
	root, dir string
	ca        *parts.CA
}

const (
	oldTestKey, newTestKey = "the-key-that-is-rotated-away", "the-key-that-comes-after-it"

	alertPolicies = `
apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: keys, namespace: shop}
spec:
  routes: [{hostnames: [api.test]}]
  authentication: {methods: [{name: keys, apiKey: {selector: {matchLabels: {team: a}}}}]}
---
apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: users, namespace: shop}
spec:
  routes: [{hostnames: [users.test]}]
  authentication: {methods: [{name: users, basic: {users: {secretRef: {name: users}}, allowPlaintext: true}}]}
`
	alertUsers = `
apiVersion: v1
kind: Secret
metadata: {name: users, namespace: shop, labels: {agentauth.dev/use: basic}}
type: kubernetes.io/basic-auth
stringData: {username: robot, password: the-password-of-the-robot}
`
	jwtPolicy = `
apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: tokens, namespace: shop}
spec:
  routes: [{hostnames: [tokens.test]}]
  authentication: {methods: [{name: tokens, jwt: {issuer: "https://127.0.0.1:1", audiences: [api]}}]}
`
)

func newBreakable(t *testing.T) *breakable {
	t.Helper()
	root, err := parts.Root()
	must(t, err)
	dir, err := os.MkdirTemp(suite.Dir, "alerts-")
	must(t, err)
	ca, err := parts.NewCA("alerts")
	must(t, err)
	w := &breakable{T: t, root: root, dir: filepath.Join(dir, "policies"), ca: ca}
	must(t, os.MkdirAll(w.dir, 0o700))
	w.certificate(90 * 24 * time.Hour)
	w.write("policies.yaml", alertPolicies)
	w.write("users.yaml", alertUsers)
	w.write("keys.yaml", fmt.Sprintf(`
apiVersion: v1
kind: Secret
metadata:
  name: robot
  namespace: shop
  labels: {agentauth.dev/use: api-key, team: a}
  annotations: {agentauth.dev/plain-keys: "*", expires-at.agentauth.dev/old: %q}
stringData: {old: %s, new: %s}
`, time.Now().Add(72*time.Hour).UTC().Format(time.RFC3339), oldTestKey, newTestKey))
	w.Agentauth, err = parts.StartAgentauth(t.Context(), parts.AgentauthConfig{
		Dir: dir, Binary: useBinary(t), Args: []string{"--policies", w.dir, "--tls-cert", w.dir + ".crt", "--tls-key", w.dir + ".key"},
	})
	must(t, err)
	t.Cleanup(func() { _ = w.Stop() })
	return w
}

func (w *breakable) write(name, content string) {
	w.Helper()
	file := filepath.Join(w.dir, name)
	must(w.T, os.WriteFile(w.dir+".new", []byte(content), 0o600))
	must(w.T, os.Rename(w.dir+".new", file))
}

func (w *breakable) certificate(lifetime time.Duration) {
	w.Helper()
	pair, err := w.ca.Issue(parts.Leaf{DNSNames: []string{"localhost"}, Lifetime: lifetime})
	must(w.T, err)
	must(w.T, os.WriteFile(w.dir+".crt", pair.Cert, 0o600))
	must(w.T, os.WriteFile(w.dir+".key", pair.Key, 0o600))
	must(w.T, os.WriteFile(w.dir+".ca", w.ca.PEM, 0o600))
}

// provoke asks with a key that ends soon, and what cannot be decided, and without TLS.
func (w *breakable) provoke() {
	w.Helper()
	w.ask(0, "api.test", "x-api-key: "+oldTestKey)
	w.ask(3, "users.test", "authorization: Basic cm9ib3Q6dGhlLXBhc3N3b3JkLW9mLXRoZS1yb2JvdA==")
	request, err := http.NewRequestWithContext(w.Context(), http.MethodGet, "http://"+w.GRPCAddress, nil)
	must(w.T, err)
	if answer, err := http.DefaultClient.Do(request); err == nil {
		_ = answer.Body.Close()
	}
}

// ask asks the door as agentauth check does, and wants its exit code.
func (w *breakable) ask(code int, host, header string) {
	w.Helper()
	out, got := w.check(w.Context(), "--server", w.GRPCAddress, "--ca", w.dir+".ca", "--server-name", "localhost", "-H", header, "https://"+host+"/")
	if got != code {
		w.Fatalf("expected exit code %d, got %d\n%s", code, got, out)
	}
}

func (w *breakable) check(ctx context.Context, args ...string) (string, int) {
	cmd := exec.CommandContext(ctx, useBinary(w.T), append([]string{"check"}, args...)...)
	out, _ := cmd.CombinedOutput() // the exit code says it
	return string(out), cmd.ProcessState.ExitCode()
}

var sample = regexp.MustCompile(`(?m)^(agentauth_\w+(?:\{.*\})?) (\S+)$`)

// scrape are the metrics of agentauth, by series.
func (w *breakable) scrape() map[string]float64 {
	w.Helper()
	body, err := w.Get(w.Context(), "/metrics")
	must(w.T, err)
	out := map[string]float64{}
	for _, m := range sample.FindAllStringSubmatch(string(body), -1) {
		v, err := strconv.ParseFloat(m[2], 64)
		must(w.T, err)
		if !strings.Contains(m[1], "_bucket{") {
			out[m[1]] = v
		}
	}
	return out
}

// until waits until a series of a metric is as wanted.
func (w *breakable) until(name string, wanted func(float64) bool) {
	w.Helper()
	parts.Within(w.T, 30*time.Second, func() error {
		all := w.scrape()
		for series, v := range all {
			if of, _, _ := strings.Cut(series, "{"); of == name && wanted(v) {
				return nil
			}
		}
		return fmt.Errorf("%s is not as wanted", name)
	})
}
