// Package house holds the structure of the code to what docs/architecture.md
// says of it.
package house

import (
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/agentauth-dev/agentauth/"

// rank orders the rooms: a package imports only packages of a lower rank.
var rank = []struct {
	prefix string
	rank   int
}{
	{"cmd/", 50},
	{"telemetry/audit/otlp", 39}, {"telemetry/audit", 38},
	{"authz/extauthz", 40}, {"authz/forward", 40}, {"authz/policydir", 40}, {"authz/source", 40}, {"controller", 40}, {"telemetry", 40},
	{"authz/manifest", 35},
	{"authz/engine", 30},
	{"authz/trial", 29},
	{"authz/find", 28}, {"authz/report", 28},
	{"authz/reviews", 24},
	{"authz/validate", 25},
	{"authz/attach", 25}, {"authz/policy", 25},
	{"authz/upstream", 23},
	{"authz/verified", 22}, {"authz/introspect", 22},
	{"authz/expr/lint", 18},
	{"authz/authn", 20}, {"authz/expr", 20}, {"authz/listen", 20},
	{"authz/revoke", 10}, {"authz/mcp", 15}, {"authz/hostgrant", 15}, {"authz/pool", 10}, {"authz/objects", 15},
	{"authz/apikey", 10}, {"authz/jwks", 10}, {"authz/egress", 10}, {"authz/password", 10}, {"authz/match", 10},
	{"authz/store/redis", 10}, {"authz/store", 5},
	{"authz/work", 5}, {"authz/keyed", 5}, {"authz/signing", 5}, {"authz/certs", 5}, {"api/", 5}, {"config/crd", 5},
	{"authz", 0},
}

// world is what the kernel may only be handed, never reach for.
var world = []string{
	"os", "net/http", "k8s.io/client-go", "sigs.k8s.io/controller-runtime", "github.com/envoyproxy", "google.golang.org/grpc",
	"go.opentelemetry.io",
}

func rankOf(pkg string) (int, bool) {
	for _, r := range rank {
		if pkg == strings.TrimSuffix(r.prefix, "/") || strings.HasPrefix(pkg, strings.TrimSuffix(r.prefix, "/")+"/") {
			return r.rank, true
		}
	}
	return 0, false
}

func imports(t *testing.T) map[string][]string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		if pkg, ours := strings.CutPrefix(words[0], module); ours && !strings.HasPrefix(pkg, "test/") && pkg != "docs" {
			all[pkg] = words[1:]
		}
	}
	if len(all) < 10 {
		t.Fatalf("only %d packages were found", len(all))
	}
	return all
}

func TestImportsPointDown(t *testing.T) {
	for pkg, list := range imports(t) {
		mine, ok := rankOf(pkg)
		if !ok {
			t.Errorf("%s has no rank: say in this test where it stands", pkg)
		}
		for _, imported := range list {
			if ours, ok := strings.CutPrefix(imported, module); ok {
				if theirs, _ := rankOf(ours); theirs >= mine {
					t.Errorf("%s imports %s, which does not stand below it", pkg, ours)
				}
			}
		}
	}
}

func TestTheKernelDoesNotReachForTheWorld(t *testing.T) {
	for pkg, list := range imports(t) {
		switch pkg {
		case "authz", "authz/manifest", "authz/engine", "authz/trial", "authz/find", "authz/report", "authz/objects", "authz/validate", "authz/attach", "authz/policy", "authz/apikey", "authz/authn", "authz/expr", "authz/expr/lint", "authz/match", "authz/jwks", "authz/password", "authz/keyed", "authz/verified", "authz/introspect", "authz/pool", "authz/mcp", "authz/reviews", "authz/upstream", "authz/store", "authz/signing", "authz/revoke":
		default:
			continue
		}
		for _, imported := range list {
			for _, w := range world {
				if imported == w || strings.HasPrefix(imported, w+"/") {
					t.Errorf("%s imports %s", pkg, imported)
				}
			}
		}
	}
}

func TestOnlyTheDoorKnowsEnvoysTypes(t *testing.T) {
	for pkg, list := range imports(t) {
		for _, imported := range list {
			if strings.HasPrefix(imported, "github.com/envoyproxy/go-control-plane") && pkg != "authz/extauthz" {
				t.Errorf("%s imports %s", pkg, imported)
			}
		}
	}
}

func TestDoorsKnowDecisionsAndNoPolicies(t *testing.T) {
	all := imports(t)
	for _, door := range []string{"authz/extauthz", "authz/forward"} {
		if len(all[door]) == 0 {
			t.Errorf("there is no %s", door)
		}
		for _, imported := range all[door] {
			if strings.HasPrefix(imported, module+"api/") {
				t.Errorf("%s imports %s", door, imported)
			}
		}
	}
}
