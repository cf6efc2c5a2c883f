// Command demo shows agentauth at work: a real Envoy asks it about the requests of real clients, and a
// table says who called, with what, what was decided, and why. `make demo` runs it.
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
	"syscall"
)

func main() {
	binary := flag.String("agentauth", "bin/agentauth", "the binary of `make build`")
	keep := flag.Bool("keep", false, "leave everything up until Ctrl-C, to try with curl")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, *binary, *keep); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, binary string, keep bool) (err error) {
	s, err := open(ctx, binary)
	defer func() {
		if failed := s.close(err == nil); err == nil {
			err = failed
		}
	}()
	if err != nil {
		return err
	}
	if err := s.play(ctx, out, scenes(s)); err != nil {
		return err
	}
	if keep {
		s.tryThis(out)
		<-ctx.Done()
	}
	return nil
}
