//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/test/cases"
	"github.com/agentauth-dev/agentauth/test/parts"
)

// tester is a *testing.T, or the suite for parts that outlive the test that started them.
type tester interface {
	parts.T
	Context() context.Context
	Errorf(format string, args ...any)
}

// outliving is the test that happens to start the shared parts; they end with the suite.
type outliving struct {
	*testing.T
	s *shared
}

func (o outliving) Name() string                    { return "shared" }
func (o outliving) Failed() bool                    { return o.s.failed }
func (o outliving) Context() context.Context        { return context.Background() }
func (o outliving) Cleanup(f func())                { o.s.cleanups = append(o.s.cleanups, f) }
func (o outliving) Logf(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
func (o outliving) Errorf(format string, args ...any) {
	o.s.failed = true
	o.Logf("FAIL: "+format, args...)
}

func (o outliving) Fatalf(format string, args ...any) {
	o.s.failed = true
	o.T.Fatalf(format, args...)
}

// shared is what outlives a test.
type shared struct {
	started, failed bool
	stage           *stage
	triedMCP        bool
	mcp             *mcpStage
	cleanups        []func()
}

var suite shared

// use returns the shared parts, and starts them for the first who asks.
func (s *shared) use(t *testing.T) *stage {
	t.Helper()
	cases.Now = time.Now()
	if !s.started {
		s.started = true
		s.stage = startStage(outliving{t, s})
	}
	if s.stage == nil {
		t.Fatal("the shared parts did not start")
	}
	if t.Failed() {
		s.failed = true
	}
	t.Cleanup(func() { s.failed = s.failed || t.Failed() })
	return s.stage
}

func (s *shared) end() int {
	for i := len(s.cleanups) - 1; i >= 0; i-- {
		s.cleanups[i]()
	}
	if s.failed {
		return 1
	}
	return 0
}

func must(t tester, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v", err)
	}
}

// within polls until probe returns nil, and fails with its last error when it did not in time.
func within(t tester, limit time.Duration, what string, probe func() error) {
	t.Helper()
	deadline := time.Now().Add(limit)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := probe()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s: %v", limit, what, err)
		}
		<-tick.C
	}
}

func readAll(t tester, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	must(t, err)
	return string(b)
}
