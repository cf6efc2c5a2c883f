package house

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A room that outgrows these is taken apart before something is added to it.
const (
	mostOfAll   = 12 // percent of the product's lines, for any room
	engineLines = 2200
	engineFiles = 20
)

func TestNoRoomIsTooLarge(t *testing.T) {
	lines, files, all := map[string]int{}, map[string]int{}, 0
	for pkg := range imports(t) {
		paths, err := filepath.Glob(filepath.Join("../..", pkg, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if name := filepath.Base(path); strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "zz_generated") {
				continue
			}
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			n := bytes.Count(data, []byte("\n"))
			lines[pkg], all = lines[pkg]+n, all+n
			files[pkg]++
		}
	}
	if all < 10_000 {
		t.Fatalf("only %d lines were found", all)
	}
	for pkg, n := range lines {
		if 100*n > mostOfAll*all {
			t.Errorf("%s has %d of %d lines, expected at most %d percent: take it apart", pkg, n, all, mostOfAll)
		}
	}
	if n, f := lines["authz/engine"], files["authz/engine"]; n > engineLines || f > engineFiles {
		t.Errorf("authz/engine has %d lines in %d files, expected at most %d in %d", n, f, engineLines, engineFiles)
	}
}
