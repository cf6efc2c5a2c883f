// Command demo shows agentauth at work: a real Envoy asks it about the requests of real clients, and a
// table says who called, with what, what was decided, and why. `make demo` runs it. With -cluster the policies
// come from a real API server, and Envoy's configuration from a real Envoy Gateway: `make demo-cluster`.
//
// It exits with 1 if any decision is not the expected one, and leaves nothing running; with -keep it
// leaves everything up until it is interrupted, and says what to try.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/agentauth-dev/agentauth/test/parts"
)

func main() {
	binary := flag.String("agentauth", "bin/agentauth", "the binary of `make build`")
	inCluster := flag.Bool("cluster", false, "with an API server and Envoy Gateway, in a network of their own")
	keep := flag.Bool("keep", false, "leave everything up until Ctrl-C, to try with curl")
	flag.Parse()
	which, within := proxy, parts.Here
	if *inCluster {
		which, within = cluster, parts.Private
	}
	body := func() (int, error) {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		return 0, run(ctx, os.Stdout, which, *binary, *keep)
	}
	code, err := within(body)
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		code = 1
	}
	os.Exit(code)
}

// demo is one of the two.
type demo struct {
	open    func(*stage, context.Context, string) error // after stage.open, with the binary
	scenes  func(*stage) []scene
	ends    func(*stage, context.Context) error // after the table
	tryThis func(*stage) error
}

var (
	proxy   = demo{(*stage).openProxy, scenes, (*stage).nameSamples, (*stage).tryThis}
	cluster = demo{(*stage).openCluster, clusterScenes, (*stage).showPolicies, (*stage).tryThisInCluster}
)

func run(ctx context.Context, out io.Writer, d demo, binary string, keep bool) (err error) {
	if binary, err = filepath.Abs(binary); err != nil {
		return err
	}
	r, err := parts.NewRun("demo")
	if err != nil {
		return err
	}
	s := &stage{Run: r, out: out, binary: binary}
	defer func() {
		if failed := s.End(err == nil); err == nil {
			err = failed
		}
	}()
	if err := s.open(ctx); err != nil {
		return err
	}
	if err := d.open(s, ctx, binary); err != nil {
		return err
	}
	if err := s.play(ctx, d); err != nil {
		return err
	}
	if keep {
		if err := d.tryThis(s); err != nil {
			return err
		}
		<-ctx.Done()
	}
	return nil
}
