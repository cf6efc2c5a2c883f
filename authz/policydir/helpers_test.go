package policydir

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/manifest"
)

const policyText = `apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: orders, namespace: shop}
spec:
  routes:
  - hostnames: [orders.example.com]
    matches:
    - path: {type: PathPrefix, value: /v1}
  authentication:
    methods:
    - name: keys
      apiKey: {selector: {matchLabels: {team: orders}}}
`

// write makes files below a directory; a name that ends in "->" is a link.
func write(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, strings.TrimSuffix(name, "->"))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if strings.HasSuffix(name, "->") {
			err = os.Symlink(text, path)
		} else {
			err = os.WriteFile(path, []byte(text), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func text(problems []authz.Problem) string {
	var b strings.Builder
	for _, p := range problems {
		fmt.Fprintf(&b, "%s:%d:%d: ", p.File, p.Line, p.Column)
		if !p.Severity.Fatal() {
			b.WriteString("warning: ")
		}
		fmt.Fprintf(&b, "%s: %s: %s\n", p.Object, p.Field, p.Message)
	}
	return b.String()
}

// wantProblem fails unless there is exactly one problem, of these parts.
func wantProblem(t *testing.T, tree *manifest.Tree, problems []authz.Problem, parts ...string) {
	t.Helper()
	if tree != nil {
		t.Error("there is a tree in spite of problems")
	}
	if len(problems) != 1 {
		t.Errorf("got %d problems, want one", len(problems))
	}
	got := text(problems)
	for _, p := range parts {
		if !strings.Contains(got, p) {
			t.Errorf("it does not say %q", p)
		}
	}
	if t.Failed() {
		t.Log("\n" + got)
	}
}

func mustLoad(t *testing.T, paths ...string) *manifest.Tree {
	t.Helper()
	tree, problems := Load(paths...)
	if tree == nil || len(problems) > 0 {
		t.Fatalf("not read:\n%s", text(problems))
	}
	return tree
}
