//go:build e2e

package chart

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// Helm takes null for "as if this value were not there at all", also not as a default: what it turned on would be
// turned off, and nobody is told.
func TestNoValueMayBeNull(t *testing.T) {
	var defaults map[string]any
	data, err := os.ReadFile("../../charts/agentauth/values.yaml")
	must(t, err)
	must(t, yaml.UnmarshalStrict(data, &defaults))
	n := 0
	var walk func(in map[string]any, path []string)
	walk = func(in map[string]any, path []string) {
		for _, name := range slices.Sorted(maps.Keys(in)) {
			here := append(slices.Clone(path), name)
			n++
			values, err := json.Marshal(nulled(here))
			must(t, err)
			// The choice at the door is made by what is not asked about.
			base := map[bool]string{true: withTLS, false: trusting}[strings.Join(here, ".") == "door.trustNetwork"]
			if out, err := renderBoth(t, base, string(values)); err == nil || !strings.Contains(err.Error(), "missing property '"+name+"'") {
				t.Errorf("%s: expected the schema to want it, got %v\n%.300s", values, err, out)
			}
			if below, ok := in[name].(map[string]any); ok {
				walk(below, here)
			}
		}
	}
	walk(defaults, nil)
	if n < 80 {
		t.Errorf("expected at least 80 values, got %d", n)
	}
	for _, values := range []string{
		"hostnames: {shop: null}", "hostnames: {shop: [null]}", "watchNamespaces: [null]", "networkPolicy: {gatewayNamespaces: [null]}",
		"networkPolicy: {apiServerCIDRs: [null]}", "egress: {allowCIDRs: [null]}", "podLabels: {a: null}", "podAnnotations: {a: null}",
		"nodeSelector: {a: null}", "tolerations: [null]", "imagePullSecrets: [null]", "imagePullSecrets: [{name: null}]",
		"topologySpreadConstraints: [null]", "service: {annotations: {a: null}}", "serviceMonitor: {labels: {a: null}}",
		"prometheusRule: {labels: {a: null}}", "prometheusRule: {disabled: [null]}", "prometheusRule: {additionalGroups: [null]}", "dashboard: {labels: {a: null}}", "global: null",
		"commonLabels: {a: null}", "deploymentAnnotations: {a: null}", "extraArgs: [null]", "extraEnv: [null]", "extraVolumes: [null]", "extraVolumeMounts: [null]",
		"hostnameGrants: {shop: null}", "hostnameGrants: {shop: [null]}",
	} {
		if out, err := renderBoth(t, trusting, values); err == nil || !strings.Contains(err.Error(), "got null") {
			t.Errorf("%s: expected null to be refused, got %v\n%.300s", values, err, out)
		}
	}
}

func nulled(path []string) any {
	var v any
	for _, step := range slices.Backward(path) {
		v = map[string]any{step: v}
	}
	return v
}

// renderBoth renders values over others, as two files of values do.
func renderBoth(t *testing.T, base, values string) (string, error) {
	t.Helper()
	path := suite.Dir + "/base.yaml"
	must(t, os.WriteFile(path, []byte(base), 0o600))
	return renderWith(t, values, "-f", path)
}
