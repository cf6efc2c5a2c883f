package main

import (
	"bytes"
	"encoding/json"
	"runtime/debug"
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
)

// What SARIF 2.1.0 requires: 3.13 (version, runs), 3.18.2 (name), 3.27.11 (message),
// 3.27.10 (the values of level), 3.30 (lines and columns begin with 1).
func TestSARIFHasWhatItsSpecificationRequires(t *testing.T) {
	problems := []authz.Problem{
		{Severity: authz.Invalid, Position: authz.Position{File: "a b/policy.yaml", Line: 7, Column: 3}, Object: "AgentAuthPolicy shop/a", Field: "spec", Message: "wrong"},
		{Severity: authz.Warning, Position: authz.Position{File: "/etc/policy.yaml"}, Lint: authz.NeverTrue, Message: "odd"},
		{Severity: authz.Unresolved, Message: "missing", Reason: "RefNotFound"},
		{Severity: authz.Invalid, Message: "wrong too"},
	}
	var out bytes.Buffer
	if err := printSARIF(&out, problems); err != nil {
		t.Fatal(err)
	}
	var log map[string]any
	if err := json.Unmarshal(out.Bytes(), &log); err != nil {
		t.Fatal(err)
	}
	run := log["runs"].([]any)[0].(map[string]any)
	driver := run["tool"].(map[string]any)["driver"].(map[string]any)
	rules, results := driver["rules"].([]any), run["results"].([]any)
	if log["version"] != "2.1.0" || driver["name"] != "agentauth" || len(results) != len(problems) || len(rules) != 3 {
		t.Fatalf("got\n%s", out.String())
	}
	for i, r := range results {
		result := r.(map[string]any)
		level := map[bool]string{true: "warning", false: "error"}[i == 1]
		rule := rules[int(result["ruleIndex"].(float64))].(map[string]any)
		if result["message"].(map[string]any)["text"] == "" || result["level"] != level || rule["id"] != result["ruleId"] {
			t.Errorf("got %v", result)
		}
		locations, _ := result["locations"].([]any)
		if (problems[i].File != "") != (len(locations) == 1) {
			t.Errorf("got the locations %v", locations)
		}
		for _, l := range locations {
			physical := l.(map[string]any)["physicalLocation"].(map[string]any)
			uri := physical["artifactLocation"].(map[string]any)["uri"]
			if want := []string{"a%20b/policy.yaml", "file:///etc/policy.yaml"}[i]; uri != want {
				t.Errorf("got the URI %v, want %s", uri, want)
			}
			region, has := physical["region"].(map[string]any)
			if has != (problems[i].Line > 0) || has && (region["startLine"] != 7.0 || region["startColumn"] != 3.0) {
				t.Errorf("got the region %v", region)
			}
		}
	}
}

func TestTheVersionIsTheModulesOrTheRevision(t *testing.T) {
	stamped := func(version string, settings ...debug.BuildSetting) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Version: version}, Settings: settings}
	}
	vcs := []debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789abcdef0123456789abcdef01234567"}, {Key: "vcs.time", Value: "2026-11-01T00:00:00Z"}, {Key: "vcs.modified", Value: "true"}}
	for want, got := range map[string]build{
		"v1.2.3":                   buildOf("v1.2.3", stamped("v0.0.1", vcs...)),
		"v0.0.1":                   buildOf("", stamped("v0.0.1", vcs...)),
		"devel-0123456789ab+dirty": buildOf("", stamped("(devel)", vcs...)),
		"devel-0123456789ab":       buildOf("", stamped("", vcs[:2]...)),
		"(devel)":                  buildOf("", nil),
	} {
		if got.Version != want {
			t.Errorf("got %+v, want %s", got, want)
		}
	}
	b := buildOf("", stamped("(devel)", vcs...))
	if b.Revision != vcs[0].Value || b.Time != vcs[1].Value || !b.Modified || b.Go == "" || b.Platform == "" {
		t.Errorf("got %+v", b)
	}
}

func TestCountsHaveGrammar(t *testing.T) {
	for want, got := range map[string]string{
		"1 policy": counted(1, "policy"), "0 policies": counted(0, "policy"), "2 policies": counted(2, "policy"),
		"1 Secret": counted(1, "Secret"), "2 Secrets": counted(2, "Secret"), "1 policy is": are(1, "policy"), "2 documents were": were(2, "document"),
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
