package manifest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
)

// canary is what no problem may hold.
const canary = "C4nary+/=of,a secret"

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

// parsed reads one file without a file system.
func parsed(name, text string) (*Tree, []authz.Problem) {
	return Read([]File{{Path: name, Data: []byte(text)}})
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
func wantProblem(t *testing.T, tree *Tree, problems []authz.Problem, parts ...string) {
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
	if strings.Contains(got, canary) {
		t.Error("it holds a secret")
	}
	if t.Failed() {
		t.Log("\n" + got)
	}
}
