package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// proofs are the names of all tests and the sentences of all cases.
func proofs(t *testing.T) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	name := regexp.MustCompile(`(?m)^(?:func (Test\w+)\(t \*testing\.T\)|== (.+))$`)
	for _, dir := range []string{"authz", "cmd", "controller", "test", "testdata"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() || !strings.HasSuffix(path, "_test.go") && filepath.Ext(path) != ".txtar" {
				return nil
			}
			for _, m := range name.FindAllStringSubmatch(strings.ReplaceAll(read(t, path), " {\n", "\n"), -1) {
				out[m[1]+m[2]] = true
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func TestWhatIsSaidOfTenantsIsProven(t *testing.T) {
	known := proofs(t)
	n := 0
	for row := range strings.SplitSeq(section(t, read(t, "multi-tenancy.md"), "What proves it"), "\n") {
		cells := strings.Split(row, "|")
		if len(cells) < 4 || strings.HasPrefix(row, "|---") || strings.HasPrefix(row, "| That") {
			continue
		}
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[len(cells)-2], -1) {
			if n++; !known[m[1]] {
				t.Errorf("multi-tenancy.md: there is no test or case %q", m[1])
			}
		}
	}
	if n < 20 {
		t.Errorf("expected at least 20 proofs, found %d", n)
	}
}

// The Gateway and the policy on it are read as serve reads them, and fit each other.
func TestTheGatewayAndThePolicyOfItsOwnerGoTogether(t *testing.T) {
	dir := t.TempDir()
	var all []string
	for _, b := range (document{"multi-tenancy.md", read(t, "multi-tenancy.md")}).blocks("yaml") {
		if strings.Contains(b.text, "namespace: gateways") {
			all = append(all, b.text)
		}
	}
	if len(all) != 2 {
		t.Fatalf("expected a Gateway and a policy, found %d", len(all))
	}
	if err := os.WriteFile(filepath.Join(dir, "all.yaml"), []byte(strings.Join(all, "---\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, code := run(t, "agentauth validate '"+dir+"'"); code != 0 {
		t.Errorf("expected no findings, got exit code %d\n%s", code, out)
	}
}
