//go:build e2e && linux

package istio

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/test/cases"
	"github.com/agentauth-dev/agentauth/test/parts"
)

func TestMain(m *testing.M) {
	code, err := parts.Private(func() (int, error) { return run(m) })
	if err != nil {
		fmt.Fprintln(os.Stderr, "istio:", err)
		code = 1
	}
	os.Exit(code)
}

// run starts what all tests share, and ends it.
func run(m *testing.M) (code int, err error) {
	cases.Now = time.Now()
	dir, err := parts.NewRunDir("istio")
	if err != nil {
		return 1, err
	}
	s := &stage{dir: dir}
	if err = s.start(context.Background()); err == nil {
		theStage = s
		code = m.Run()
	}
	if err = errors.Join(err, s.stop()); err == nil && code == 0 {
		return code, os.RemoveAll(dir)
	}
	fmt.Fprintln(os.Stderr, "istio: configurations and logs of the parts are in", filepath.Clean(dir))
	return code, err
}
