//go:build e2e

package chart

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// suite is what the tests share: one API server and one binary, started by the first test that wants them.
var suite struct {
	*parts.Run
	cluster *parts.Cluster
	binary  string
}

func TestMain(m *testing.M) {
	parts.Main(m, "chart", parts.Here, func(_ context.Context, run *parts.Run) error {
		suite.Run = run
		return nil
	})
}

func useCluster(t *testing.T) *parts.Cluster {
	t.Helper()
	if suite.cluster == nil {
		c, err := parts.StartCluster(context.WithoutCancel(t.Context()), suite.Dir)
		must(t, err)
		suite.cluster = c
		suite.Ends(c.Stop)
		kubectl(t, stubs(t), "apply", "-f", "-")
		kubectl(t, "", "wait", "--for=condition=Established", "--timeout=30s", "crd", "--all")
	}
	return suite.cluster
}

// stubs are the kinds of others that the chart has objects of, with the fields that it uses.
func stubs(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("testdata/others.yaml")
	must(t, err)
	return string(data)
}

func useBinary(t *testing.T) string {
	t.Helper()
	if suite.binary == "" {
		binary, err := parts.Build(context.WithoutCancel(t.Context()), suite.Dir)
		must(t, err)
		suite.binary = binary
	}
	return suite.binary
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func kubectl(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, err := useCluster(t).Kubectl(t.Context(), stdin, args...)
	must(t, err)
	return out
}

// helm runs helm against the cluster.
func helm(t *testing.T, values string, args ...string) (string, error) {
	t.Helper()
	if slices.Contains([]string{"install", "upgrade", "template"}, args[0]) {
		args = append(args, "-f", imageValues)
	}
	return parts.Helm(t.Context(), suite.Dir, useCluster(t).Kubeconfig, values, args...)
}

const chartDir = "charts/agentauth"

// imageValues name an image: the chart has none.
const imageValues = "test/chart/testdata/image.yaml"

// render is `helm template` with values in YAML.
func render(t *testing.T, values string) (string, error) {
	t.Helper()
	return renderWith(t, values)
}

func renderWith(t *testing.T, values string, args ...string) (string, error) {
	t.Helper()
	args = append([]string{"template", "agentauth", chartDir, "-n", "agentauth-system", "-f", imageValues}, args...)
	return parts.Helm(t.Context(), suite.Dir, "", values, append(args, "-f", "-")...)
}

// object is a manifest.
type object map[string]any

func (o object) name() string { return fmt.Sprint(o.at("metadata.name")) }
func (o object) kind() string { return fmt.Sprint(o["kind"]) }

// at is what is at a path such as spec.ports.0.port, or nil.
func (o object) at(path string) any {
	var v any = map[string]any(o)
	for step := range strings.SplitSeq(path, ".") {
		switch in := v.(type) {
		case map[string]any:
			v = in[step]
		case []any:
			var i int
			if _, err := fmt.Sscan(step, &i); err != nil || i >= len(in) {
				return nil
			}
			v = in[i]
		default:
			return nil
		}
	}
	return v
}

func objects(t *testing.T, manifests string) []object {
	t.Helper()
	var out []object
	for doc := range strings.SplitSeq("\n"+manifests, "\n---") {
		var o object
		if err := yaml.UnmarshalStrict([]byte(doc), &o); err != nil {
			t.Fatalf("expected YAML: %v\n%s", err, doc)
		}
		if len(o) > 0 {
			out = append(out, o)
		}
	}
	return out
}

// find is the one object of a kind, by name where there are several.
func find(t *testing.T, all []object, kind, name string) object {
	t.Helper()
	var found []object
	for _, o := range all {
		if o.kind() == kind && (name == "" || o.name() == name) {
			found = append(found, o)
		}
	}
	if len(found) > 1 {
		t.Fatalf("expected one %s %s, got %d", kind, name, len(found))
	}
	if len(found) == 0 {
		return nil
	}
	return found[0]
}

func text(t *testing.T, v any) string {
	t.Helper()
	data, err := yaml.Marshal(v)
	must(t, err)
	return string(data)
}
