package docs_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

var metricName = regexp.MustCompile(`\bagentauth_[a-z0-9_]+`)

// ofOthers are metrics that are named before the table of operations.md has them.
var ofOthers = []string{"agentauth_shadow_differences_total", "agentauth_audit_dropped_total"}

// exists fails the test where an expression has a metric that there is not.
func exists(t *testing.T, where, expr string) {
	t.Helper()
	known := append(quoted(firstCells(read(t, "operations.md"))), ofOthers...)
	for _, name := range metricName.FindAllString(expr, -1) {
		if !slices.Contains(known, name) && !slices.Contains(known, strings.TrimSuffix(name, "_bucket")) {
			t.Errorf("%s: there is no metric %s", where, name)
		}
	}
}

func TestEachAlertHasItsSectionAndItsMetricsExist(t *testing.T) {
	var rules struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Annotations, Labels map[string]string
			}
		}
	}
	if err := yaml.UnmarshalStrict([]byte(read(t, root+"/charts/agentauth/files/alerts.yaml")), &rules); err != nil {
		t.Fatal(err)
	}
	doc := read(t, "alerts.md")
	var names []string
	for _, r := range rules.Groups[0].Rules {
		names = append(names, r.Alert)
		exists(t, r.Alert, r.Expr)
		_, section, _ := strings.Cut(doc, "\n## "+r.Alert+"\n")
		section, _, _ = strings.Cut(section, "\n## ")
		if !strings.Contains(section, "```promql\n"+r.Expr+"\n```") {
			t.Errorf("alerts.md: expected a section %s with its expression", r.Alert)
		}
		after := "at once"
		if r.For != "" {
			after = "after " + r.For
		}
		if want := strings.ToUpper(r.Labels["severity"][:1]) + r.Labels["severity"][1:] + ", " + after; !strings.Contains(section, want) {
			t.Errorf("alerts.md: expected %q of %s", want, r.Alert)
		}
		if url := r.Annotations["runbook_url"]; url != "https://github.com/agentauth-dev/agentauth/blob/main/docs/alerts.md#"+strings.ToLower(r.Alert) {
			t.Errorf("%s: got %s", r.Alert, url)
		}
	}
	var sections []string
	for _, m := range regexp.MustCompile(`(?m)^## (Agentauth\w+)$`).FindAllStringSubmatch(doc, -1) {
		sections = append(sections, m[1])
	}
	if !slices.Equal(sections, names) {
		t.Errorf("alerts.md: expected the sections %q, got %q", names, sections)
	}
	var schema struct {
		Properties struct {
			PrometheusRule struct {
				Properties struct {
					Disabled struct{ Items struct{ Enum []string } }
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(read(t, root+"/charts/agentauth/values.schema.json")), &schema); err != nil {
		t.Fatal(err)
	}
	if got := schema.Properties.PrometheusRule.Properties.Disabled.Items.Enum; !slices.Equal(got, names) {
		t.Errorf("values.schema.json: prometheusRule.disabled: expected %q, got %q", names, got)
	}
}

func TestTheMetricsOfTheDashboardExist(t *testing.T) {
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, root+"/charts/agentauth/files/dashboard.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	shown := 0
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			shown++
			exists(t, p.Title, target.Expr)
		}
	}
	if shown < 30 {
		t.Errorf("expected the dashboard's expressions, got %d", shown)
	}
}
