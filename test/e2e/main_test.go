//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/test/cases"
	"github.com/agentauth-dev/agentauth/test/parts"
)

// binary is the agentauth that all tests run.
var binary string

func TestMain(m *testing.M) {
	cases.Now = time.Now() // the real parts have the real time
	dir, err := parts.NewRunDir("e2e")
	if err == nil {
		binary, err = parts.Build(context.Background(), dir, buildFlags...)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	evidence = filepath.Join(dir, "evidence")
	code := m.Run()
	code = max(code, suite.end())
	if code = max(code, searchEvidence()); code == 0 {
		err = os.RemoveAll(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
	}
	os.Exit(code)
}
