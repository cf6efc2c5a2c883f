//go:build e2e && !quick

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

var wants = regexp.MustCompile(`^# wants: (.+?): (.+)\n`)

func TestTheAPIServerRefusesWhatTheSchemaRefuses(t *testing.T) {
	k := useKube(t)
	files, err := filepath.Glob("../../testdata/invalid/*.yaml")
	must(t, err)
	if len(files) < 150 {
		t.Fatalf("expected at least 150 files, got %d", len(files))
	}
	k.namespace(t, "shop")
	for _, file := range files {
		data, err := os.ReadFile(file)
		must(t, err)
		var object struct {
			Metadata struct{ Namespace string }
		}
		must(t, yaml.Unmarshal(data, &object))
		namespace := "default"
		if object.Metadata.Namespace != "" {
			namespace = object.Metadata.Namespace
		}
		status, answer, err := k.Do(t.Context(), "POST", "/apis/agentauth.dev/v1alpha1/namespaces/"+namespace+"/agentauthpolicies?dryRun=All&fieldValidation=Strict", "application/yaml", data)
		must(t, err)
		m := wants.FindSubmatch(data)
		if m == nil {
			t.Fatalf("%s: expected a first line with what it wants", file)
		}
		if status < 400 || status >= 500 {
			t.Errorf("%s: expected to be refused, got %d %s", file, status, answer)
			continue
		}
		var refusal struct{ Message string }
		must(t, json.Unmarshal(answer, &refusal))
		if strings.HasPrefix(string(m[1]), "metadata.") {
			continue // the API server's words for these are its own
		}
		if !strings.Contains(refusal.Message, string(m[2])) {
			t.Errorf("%s: expected %q, got %s", filepath.Base(file), m[2], refusal.Message)
		}
	}
}
