package webhook

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/policydir"
	"github.com/agentauth-dev/agentauth/test/cases"
)

// Each file of testdata/invalid/compile-only is taken by the schema, and says in
// its first line what is wrong with it.
func TestWhatTheSchemaCannotSeeIsRefusedAtItsField(t *testing.T) {
	files, err := filepath.Glob("../../testdata/invalid/compile-only/*.yaml")
	if err != nil || len(files) < 20 {
		t.Fatalf("expected at least 20 files, got %d, %v", len(files), err)
	}
	flat := strings.NewReplacer("[", ".", "]", "").Replace
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		header, _, _ := strings.Cut(string(data), "\n")
		path, message, _ := strings.Cut(strings.TrimPrefix(header, "# wants: "), ": ")
		r := newAsked(engine.Options{}).answer(t, reviewOf(t, nil, string(data), ""))
		if r.Allowed || len(r.Result.Details.Causes) != 1 {
			t.Errorf("%s: expected one cause, got %+v", filepath.Base(file), r)
			continue
		}
		if cause := r.Result.Details.Causes[0]; !strings.HasPrefix(flat(cause.Field)+".", flat(path)+".") || !strings.Contains(cause.Message, message) {
			t.Errorf("%s: expected %s: %s, got %s: %s", filepath.Base(file), path, message, cause.Field, cause.Message)
		}
	}
}

// What decides and what is asked at apply say the same of a policy, in any
// company.
func TestAPolicyIsRefusedIfItIsInvalidInForce(t *testing.T) {
	files, err := cases.Load("../../testdata")
	if err != nil {
		t.Fatal(err)
	}
	admitted, refused := 0, 0
	for _, f := range files {
		for _, r := range reportsOf(t, f.Policies) {
			answer := newAsked(engine.Options{}).answer(t, reviewOf(t, nil, r.manifest, ""))
			if answer.Allowed == r.invalid {
				t.Errorf("%s: %s: expected allowed %t, got %+v", f.Name, r.Policy, !r.invalid, answer.Result)
			}
			if answer.Allowed {
				admitted++
			} else {
				refused++
			}
		}
	}
	if admitted < 100 || refused < 5 {
		t.Errorf("expected at least 100 policies to be admitted and 5 refused, got %d and %d", admitted, refused)
	}
}

type reported struct {
	engine.Report
	manifest string
	invalid  bool
}

// reportsOf compiles all policies of a file together.
func reportsOf(t *testing.T, manifests string) []reported {
	t.Helper()
	file := filepath.Join(t.TempDir(), "policies.yaml")
	if err := os.WriteFile(file, []byte(manifests), 0o600); err != nil {
		t.Fatal(err)
	}
	tree, problems := policydir.Load(file)
	if tree == nil {
		t.Fatalf("got %v", problems)
	}
	_, reports := engine.New(engine.Deps{Remote: engine.Remote{Keys: func(engine.RemoteSource) engine.RemoteKeys { return noKeys{} }}}, engine.Options{}).Compile(tree.Input)
	var out []reported
	for _, r := range reports {
		for _, p := range tree.Input.Policies {
			if p.Name != r.Policy.Name || p.Namespace != r.Policy.Namespace {
				continue
			}
			data, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			text, err := yaml.JSONToYAML(data)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, reported{r, string(text), slices.ContainsFunc(r.Problems, func(p authz.Problem) bool { return p.Severity == authz.Invalid })})
		}
	}
	return out
}
