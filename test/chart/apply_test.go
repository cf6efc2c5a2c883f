//go:build e2e

package chart

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// namespaces makes those that are not there; they do not end here.
func namespaces(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		kubectl(t, fmt.Sprintf(`{apiVersion: v1, kind: Namespace, metadata: {name: %q, labels: {
			pod-security.kubernetes.io/enforce: restricted, pod-security.kubernetes.io/warn: restricted}}}`, name), "apply", "-f", "-")
	}
}

// A warning would be of a deprecated field, or of what the restricted Pod Security Standard forbids.
func TestTheAPIServerTakesEveryRenderingWithoutAWarning(t *testing.T) {
	namespaces(t, "agentauth-system", "shop", "bank")
	for _, values := range []string{trusting, withTLS, withCerts, withWebhook, everything, trusting + "watchNamespaces: [shop]\nautoscaling: {enabled: true}\n"} {
		out, err := render(t, values)
		must(t, err)
		kubectl(t, out, "apply", "--server-side", "--dry-run=server", "--validate=strict", "--warnings-as-errors", "-f", "-")
	}
}

func TestPodSecurityAdmissionTakesThePods(t *testing.T) {
	namespaces(t, "agentauth-system")
	for _, values := range []string{trusting, withCerts} {
		out, err := render(t, values)
		must(t, err)
		pod := find(t, objects(t, out), "Deployment", "").at("spec.template").(map[string]any)
		pod["apiVersion"], pod["kind"] = "v1", "Pod"
		pod["metadata"].(map[string]any)["name"] = "one"
		kubectl(t, text(t, pod), "create", "-n", "agentauth-system", "--dry-run=server", "-f", "-")

		pod["spec"].(map[string]any)["hostNetwork"] = true
		if _, err := useCluster(t).Kubectl(t.Context(), text(t, pod), "create", "-n", "agentauth-system", "--dry-run=server", "-f", "-"); err == nil {
			t.Error("expected the admission that judges pods to be there")
		}
	}
}

// pages are those whose commands and manifests are tried here.
var pages = []string{"install.md", "upgrade.md", "multi-tenancy.md"}

// yamlBlock is the one block of YAML of the pages that has these words.
func yamlBlock(t *testing.T, words string) string {
	t.Helper()
	blocks := slices.DeleteFunc(documented(t, "yaml"), func(b string) bool { return !strings.Contains(b, words) })
	if len(blocks) != 1 {
		t.Fatalf("%q: expected one block with %q, found %d", pages, words, len(blocks))
	}
	return blocks[0]
}

// documented are the blocks of the pages in a language, each once.
func documented(t *testing.T, language string) []string {
	t.Helper()
	var out []string
	for _, page := range pages {
		data, err := os.ReadFile("../../docs/" + page)
		must(t, err)
		for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllSubmatch(data, -1) {
			if block := string(m[1]); !slices.Contains(out, block) {
				out = append(out, block)
			}
		}
	}
	return out
}

// overlay renders a kustomization of the checkout's config.
func overlay(t *testing.T, content string) []object {
	t.Helper()
	root, err := parts.Root()
	must(t, err)
	resolved, err := filepath.EvalSymlinks(suite.Dir)
	must(t, err)
	config, err := filepath.Rel(resolved, filepath.Join(root, "config"))
	must(t, err)
	dir, err := os.MkdirTemp(suite.Dir, "overlay-")
	must(t, err)
	content = strings.ReplaceAll(content, "../../config", filepath.Join("..", config))
	must(t, os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(content), 0o600))
	return objects(t, kubectl(t, "", "kustomize", dir))
}

// meaning is what two ways of installing have to agree in: not in what Helm notes of itself, nor in the names of
// roles, nor in the order of flags.
func meaning(all []object) map[string]object {
	out := map[string]object{}
	for _, o := range all {
		name := o.name()
		role := strings.HasPrefix(o.kind(), "Role") || strings.HasPrefix(o.kind(), "ClusterRole")
		if o.kind() == "Namespace" {
			continue
		}
		o["metadata"] = map[string]any{"namespace": o.at("metadata.namespace")}
		if role {
			name, _, _ = strings.Cut(name, ":")
			if ref, ok := o["roleRef"].(map[string]any); ok {
				ref["name"], _, _ = strings.Cut(ref["name"].(string), ":")
			}
		}
		if o.kind() == "Deployment" {
			labels := o.at("spec.template.metadata.labels").(map[string]any)
			for label := range labels {
				if o.at("spec.selector.matchLabels").(map[string]any)[label] == nil {
					delete(labels, label)
				}
			}
			args := o.at("spec.template.spec.containers.0.args").([]any)
			slices.SortFunc(args, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
		}
		out[o.kind()+" "+name] = o
	}
	return out
}

func TestKustomizeMeansWhatTheChartMeans(t *testing.T) {
	const head = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [../../config/default]\nimages: [{name: ghcr.io/agentauth-dev/agentauth, newName: registry.example.com/agentauth}]\n"
	for _, c := range []struct{ kustomization, values string }{
		{head + "components: [../../config/door/trust-network]\n", trusting},
		{head + "components: [../../config/door/trust-network, ../../config/webhook]\n", withWebhook},
		{yamlBlock(t, "kind: Kustomization"), `
image: {repository: registry.example.com/agentauth}
door: {tls: {secretName: agentauth-door, clientNames: [envoy.gateways.example.com]}}
networkPolicy: {gatewayNamespaces: [envoy-gateway-system]}
`},
	} {
		out, err := render(t, c.values)
		must(t, err)
		want, got := meaning(objects(t, out)), meaning(overlay(t, c.kustomization))
		if policy := want["NetworkPolicy agentauth"]; policy.at("spec.ingress") != nil { // the same in other words
			selector := policy.at("spec.ingress.0.from.0.namespaceSelector").(map[string]any)
			delete(selector, "matchExpressions")
			selector["matchLabels"] = map[string]any{"kubernetes.io/metadata.name": "envoy-gateway-system"}
		}
		for name, o := range want {
			if !reflect.DeepEqual(got[name], o) {
				t.Errorf("%s: expected\n%s\ngot\n%s", name, text(t, o), text(t, got[name]))
			}
			delete(got, name)
		}
		for name := range got {
			t.Errorf("the chart has no %s", name)
		}
	}
}

func TestTheAPIServerTakesWhatKustomizeMakes(t *testing.T) {
	namespaces(t, "agentauth-system")
	var manifests strings.Builder
	for _, o := range overlay(t, yamlBlock(t, "kind: Kustomization")) {
		manifests.WriteString("---\n" + text(t, o))
	}
	kubectl(t, manifests.String(), "apply", "--server-side", "--dry-run=server", "--validate=strict", "--warnings-as-errors", "-f", "-")
}

func TestTheDocumentsOtherExamplesAreTaken(t *testing.T) {
	if _, err := render(t, yamlBlock(t, "certManager")); err != nil {
		t.Error(err)
	}
	for _, role := range []string{"kind: ClusterRole\n", "kind: Role\n"} {
		namespaces(t, "shop")
		kubectl(t, yamlBlock(t, role), "apply", "--dry-run=server", "--validate=strict", "--warnings-as-errors", "-f", "-")
	}
}
