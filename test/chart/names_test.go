//go:build e2e

package chart

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// names are values of which each is a name of something, with %[1]q for the name.
const names = `
door: {tls: {certManager: {issuerRef: {name: %[1]q}}, clientNames: [%[1]q], clientCA: {secretName: %[1]q, key: %[1]q}}}
networkPolicy: {gatewayNamespaces: [%[1]q], metricsNamespaces: [%[1]q]}
webhook: {enabled: true, %[2]s}
watchNamespaces: [%[1]q]
hostnames: {%[1]q: [%[1]q]}
imagePullSecrets: [{name: %[1]q}]
podLabels: {team: %[1]q}
podAnnotations: {note: %[1]q}
nodeSelector: {kind: %[1]q}
priorityClassName: %[1]q
topologySpreadConstraints: [{topologyKey: %[1]q}]
service: {annotations: {a: %[1]q}}
serviceAccount: {name: %[1]q, annotations: {a: %[1]q}}
serviceMonitor: {enabled: true, labels: {a: %[1]q}}
prometheusRule: {enabled: true, labels: {a: %[1]q}}
dashboard: {enabled: true, labels: {a: %[1]q}, annotations: {a: %[1]q}}
autoscaling: {enabled: true}
crds: {enabled: false}
rbac: {aggregate: true}
nameOverride: %[1]q
fullnameOverride: %[1]q
`

// What a name is rendered as does not depend on what else YAML could take it for.
func TestANameMayBeOfDigitsOrAnotherWordOfYAML(t *testing.T) {
	const plain = "letters"
	for _, certificate := range []string{"", `secretName: %[1]q, caBundle: "1234"`, "certManager: {issuerRef: {name: %[1]q}}"} {
		rendered := func(name string) (all []object, raw string) {
			values := fmt.Sprintf(names, name, strings.ReplaceAll(certificate, "%[1]q", fmt.Sprintf("%q", name)))
			out, err := parts.Helm(t.Context(), suite.Dir, "", values, "template", name, chartDir, "-n", name, "-f", imageValues, "-f", "-")
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			return objects(t, out), out
		}
		_, want := rendered(plain)
		for _, name := range []string{"123", "0123", "1e3", "0x1f", "null", "true", "no", "y", "2027-01-31"} {
			got, _ := rendered(name)
			for i, o := range objects(t, want) {
				// The name is put in where letters were read already, so that YAML does not take it for anything.
				var as any
				must(t, yaml.Unmarshal([]byte(text(t, o)), &as))
				if as = renamed(as, plain, name); !reflect.DeepEqual(map[string]any(got[i]), as) {
					t.Errorf("%s %s, webhook: {%s}: expected\n%s\ngot\n%s", name, o.kind(), certificate, text(t, as), text(t, got[i]))
				}
			}
		}
	}
}

// renamed is v with one name in place of another, in keys and texts.
func renamed(v any, from, to string) any {
	switch v := v.(type) {
	case string:
		return strings.ReplaceAll(v, from, to)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = renamed(v[i], from, to)
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for key := range v {
			out[strings.ReplaceAll(key, from, to)] = renamed(v[key], from, to)
		}
		return out
	}
	return v
}

// What the API server says of the types is what counts in the end.
func TestAReleaseOfDigitsInANamespaceOfDigitsInstalls(t *testing.T) {
	namespaces(t, "123")
	if out, err := helm(t, withWebhook+"crds: {enabled: false}\n", "install", "456", chartDir, "-n", "123", "--dry-run=server", "-f", "-"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
