package policydir

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/manifest"
)

func policyNamed(name string) string {
	return strings.Replace(policyText, "name: orders", "name: "+name, 1)
}

func names(tree *manifest.Tree) string {
	var b strings.Builder
	for _, p := range tree.Input.Policies {
		fmt.Fprintf(&b, "%s ", p.Name)
	}
	return strings.TrimSpace(b.String())
}

func TestManifestsOfADirectoryAndThoseBelowAreRead(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"b.yaml": policyNamed("b"), "a.yml": policyNamed("a"), "sub/deep/c.yaml": policyNamed("c"),
		"README.md": "not a manifest", "script.yaml.bak": "not one", ".hidden.yaml": "{", ".git/x.yaml": "{",
		"d.json": `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "d"}}`,
	})
	tree := mustLoad(t, dir)
	if got := names(tree); got != "a b c" || len(tree.Input.ConfigMaps) != 1 {
		t.Errorf("read %s and %d ConfigMaps", got, len(tree.Input.ConfigMaps))
	}
	if at := tree.Locate("AgentAuthPolicy", "shop", "c", "spec"); at.File != filepath.Join(dir, "sub/deep/c.yaml") || at.Line != 4 {
		t.Errorf("c is at %v", at)
	}
}

func TestFilesThatAreNamedAreReadWhateverTheirName(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a.policy": policyNamed("a"), "sub/b.yaml": policyNamed("b")})
	// The second way to b is the same file.
	tree := mustLoad(t, filepath.Join(dir, "a.policy"), filepath.Join(dir, "sub"), filepath.Join(dir, "sub/b.yaml"))
	if got := names(tree); got != "a b" {
		t.Errorf("read %s", got)
	}
}

func TestAMountedConfigMapIsReadOnce(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"..2026_01_01/orders.yaml": policyNamed("orders"), "..2026_01_01/sub/more.yaml": policyNamed("more"),
		"..data->": "..2026_01_01", "orders.yaml->": "..data/orders.yaml", "sub->": "..data/sub",
	})
	if got := names(mustLoad(t, dir)); got != "orders more" {
		t.Errorf("read %s", got)
	}
}

func TestLoopsOfSymbolicLinksEnd(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"a.yaml": policyNamed("a"), "loop->": ".", "sub/up->": "..", "sub/b.yaml": policyNamed("b"), "self->": "self", "sub/again->": "../sub",
	})
	if got := names(mustLoad(t, dir)); got != "a b" {
		t.Errorf("read %s", got)
	}
}

func TestWhatCannotBeReadIsAProblem(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "pipe"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe/a.yaml"), 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, dir, map[string]string{
		"dangling/a.yaml->": "nowhere", "loop/a.yaml->": "a.yaml", "large/a.yaml": "# " + strings.Repeat("x", maxFile),
	})
	for path, want := range map[string]string{
		"missing":  "missing:0:0: : : cannot be read: no such file or directory",
		"dangling": "dangling/a.yaml:0:0: : : cannot be read: no such file or directory",
		"loop":     "loop/a.yaml:0:0: : : cannot be read: too many levels of symbolic links",
		"pipe":     "pipe/a.yaml:0:0: : : expected a regular file",
		"large":    "large/a.yaml:0:0: : : expected at most 1 MiB",
	} {
		t.Run(path, func(t *testing.T) {
			tree, problems := Load(filepath.Join(dir, path))
			wantProblem(t, tree, problems, want)
		})
	}
}

func TestADirectoryWithoutManifestsIsWorthAWarning(t *testing.T) {
	tree, problems := Load(t.TempDir())
	if tree == nil || len(problems) != 1 || problems[0].Severity != authz.Warning || !strings.Contains(problems[0].Message, "every request is denied, or let through where --unmatched says so") {
		t.Errorf("got %v:\n%s", tree, text(problems))
	}
}

// Parsing that much would take half a minute, so what is read is looked at.
func TestAllFilesTogetherAreBounded(t *testing.T) {
	dir := t.TempDir()
	filling := "#" + strings.Repeat("x", maxFile-1)
	for i := range maxTotal / maxFile {
		write(t, dir, map[string]string{fmt.Sprintf("%02d.yaml", i): filling})
	}
	if c := readNow([]string{dir}); len(c.files) != maxTotal/maxFile || len(c.problems) != 0 {
		t.Fatalf("at the bound: %d files and\n%s", len(c.files), text(c.problems))
	}
	write(t, dir, map[string]string{"99.yaml": "#"})
	c := readNow([]string{dir})
	if len(c.problems) != 1 || !strings.HasSuffix(c.problems[0].File, "99.yaml") || !strings.Contains(c.problems[0].Message, "at most 64 MiB in all files") {
		t.Errorf("one byte more: %d files and\n%s", len(c.files), text(c.problems))
	}
}

func TestTheNumberOfFilesIsBounded(t *testing.T) {
	l := &listing{seen: map[string]bool{}}
	for i := range maxFiles {
		l.seen[fmt.Sprint(i)] = true
	}
	dir := t.TempDir()
	write(t, dir, map[string]string{"a.yaml": policyText, "b.yaml": policyText})
	l.walk(dir, dir)
	if c := read(l); len(c.files) != 0 || len(c.problems) != 1 || !strings.Contains(c.problems[0].Message, "at most 20,000") {
		t.Errorf("got %d files and %s", len(c.files), text(c.problems))
	}
}

func TestAllMistakesAreToldAtOnceInTheOrderOfTheFiles(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"b.yaml": "kind: x\n", "a.yaml": policyText + "extra: 1\nmore: 2\n", "c.yaml": ""})
	tree, problems := Load(dir)
	var at []string
	for _, p := range problems {
		at = append(at, fmt.Sprintf("%s:%d", filepath.Base(p.File), p.Line))
	}
	if got := strings.Join(at, " "); tree != nil || got != "a.yaml:13 a.yaml:14 b.yaml:1 c.yaml:1" {
		t.Errorf("got %s", got)
	}
}

func TestTheSamplesAreFlawless(t *testing.T) {
	if got := mustLoad(t, "../../config/samples"); len(got.Input.Policies) == 0 {
		t.Error("there are none")
	}
}
