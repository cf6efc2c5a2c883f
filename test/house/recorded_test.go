package house

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A recorded identity stands in place of a credential. Only the command that compares
// policies makes one: no door and no source can.
func TestOnlyDiffDecidesByARecordedIdentity(t *testing.T) {
	found := 0
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && entry.Name() != "..", entry.IsDir() && entry.Name() == "node_modules":
			if path != "../.." {
				return fs.SkipDir
			}
			return nil
		case entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if strings.Contains(string(text), "authz.Recorded{") || strings.Contains(string(text), "new(authz.Recorded)") {
			if found++; !strings.HasPrefix(filepath.Base(path), "diff") {
				t.Errorf("%s makes an authz.Recorded", path)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found == 0 {
		t.Error("nobody makes an authz.Recorded: is it another type now?")
	}
}
