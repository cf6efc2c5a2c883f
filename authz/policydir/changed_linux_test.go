package policydir

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// cp -p, tar and touch -r give a file the time that it had somewhere else.
func TestARewriteThatSetsTheTimeOfAFileBackIsRead(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.yaml")
	old := time.Unix(1, 0)
	put := func(name string) {
		write(t, dir, map[string]string{"a.yaml": policyNamed(name)})
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	put("a")
	states := watching(t, Options{Dir: dir, Interval: often})
	until(t, states, "a")
	written := time.Now()
	for time.Since(written) < timeStep+10*often { // until the file is read for the last time
		time.Sleep(often)
	}
	put("b")
	until(t, states, "b")
}
