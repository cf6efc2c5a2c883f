package docs_test

import (
	"reflect"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// An end-to-end test applies its own files, with more in them: what the page shows must be in there.
func shows(t *testing.T, page string, objects int, tests string, files ...string) {
	t.Helper()
	tested := map[any]map[string]any{}
	for _, file := range files {
		for text := range strings.SplitSeq(read(t, root+tests+"/testdata/"+file+".yaml"), "\n---\n") {
			object := parsed(t, strings.ReplaceAll(text, "@", ""))
			tested[identity(object)] = object
		}
	}
	blocks := document{page, read(t, page)}.blocks("yaml")
	if len(blocks) != objects {
		t.Fatalf("expected %d objects on the page, found %d", objects, len(blocks))
	}
	for _, b := range blocks {
		object := parsed(t, b.text)
		if !within(object, tested[identity(object)]) {
			t.Errorf("%s: not in what is tested:\n%s", b.where, b.text)
		}
	}
}

func TestWhatThePageOnEnvoyGatewayShowsIsWhatIsTested(t *testing.T) {
	shows(t, "envoy-gateway.md", 14, "/test/gateway", "gateway", "limits", "targets", "attached", "later")
}

func TestWhatThePageOnIstioShowsIsWhatIsTested(t *testing.T) {
	shows(t, "istio.md", 9, "/test/istio", "mesh", "istio", "doors", "workload", "gateway-api")
}

func parsed(t *testing.T, text string) map[string]any {
	t.Helper()
	var object map[string]any
	if err := yaml.Unmarshal([]byte(text), &object); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return object
}

func identity(object map[string]any) any {
	metadata, _ := object["metadata"].(map[string]any)
	return [4]any{object["apiVersion"], object["kind"], metadata["namespace"], metadata["name"]}
}

// within says whether all of a is in b: members of maps, and of lists, whose order counts for nothing here.
func within(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		for name, value := range a {
			ok = ok && within(value, b[name])
		}
		return ok
	case []any:
		b, ok := b.([]any)
		for _, value := range a {
			found := false
			for _, other := range b {
				found = found || within(value, other)
			}
			ok = ok && found
		}
		return ok
	}
	return reflect.DeepEqual(a, b)
}
