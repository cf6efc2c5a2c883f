package parts

import (
	"context"
	"fmt"
	"os"
	"testing"
)

// Here has body run as Private does, but in the network and the mounts of all.
func Here(body func() (int, error)) (int, error) { return body() }

// Main is the TestMain of a package whose tests are run Here, or are Private, and share what start starts.
func Main(m *testing.M, name string, within func(func() (int, error)) (int, error), start func(context.Context, *Run) error) {
	code, err := within(func() (int, error) {
		r, err := NewRun(name)
		if err != nil {
			return 1, err
		}
		if err := start(context.Background(), r); err != nil {
			_ = r.End(false)
			return 1, err
		}
		code := m.Run()
		return code, r.End(code == 0)
	})
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		code = 1
	}
	os.Exit(code)
}
