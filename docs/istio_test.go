package docs_test

import (
	"strings"
	"testing"
)

// The end-to-end test applies its own files, with more in them: what the page shows must be in there.
func TestWhatThePageOnIstioShowsIsWhatIsTested(t *testing.T) {
	tested := map[any]map[string]any{}
	for _, file := range []string{"mesh.yaml", "istio.yaml", "doors.yaml", "workload.yaml", "gateway-api.yaml"} {
		for text := range strings.SplitSeq(read(t, root+"/test/istio/testdata/"+file), "\n---\n") {
			object := parsed(t, strings.ReplaceAll(text, "@", ""))
			tested[identity(object)] = object
		}
	}
	blocks := document{"istio.md", read(t, "istio.md")}.blocks("yaml")
	if len(blocks) != 9 {
		t.Fatalf("expected 9 objects on the page, found %d", len(blocks))
	}
	for _, b := range blocks {
		object := parsed(t, b.text)
		if !within(object, tested[identity(object)]) {
			t.Errorf("%s: not in what is tested:\n%s", b.where, b.text)
		}
	}
}
