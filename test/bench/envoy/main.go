// Command envoy measures what a check costs where it is paid: in a real Envoy with one worker thread, asked over
// HTTP/1.1, and in the ext_authz server behind it. `make bench-envoy` runs it.
//
// One Envoy has a listener for each variant. The variants are measured in turn, in a new random order each round, and each
// is compared with the same round's empty server, so that a noisy machine spoils a round and not a comparison.
// Each set of variants has a table of its own: sides is agentauth beside what else there is, settings is what of
// Envoy's own cost its configuration saves, bodies is what a request's body costs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// options are the flags.
type options struct {
	agentauth   string
	sets        string
	rounds      int
	duration    time.Duration
	connections int
	policies    int
	busy        float64
	tries       int
	write       bool
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == emptyCommand {
		exit(serveEmpty(os.Args[2]))
	}
	var o options
	flag.StringVar(&o.agentauth, "agentauth", "bin/agentauth", "the binary of `make build`")
	flag.StringVar(&o.sets, "sets", "sides,settings,bodies", "which sets of variants are measured")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds of each set")
	flag.DurationVar(&o.duration, "duration", 2*time.Second, "length of one measurement, after a fifth of it to warm up")
	flag.IntVar(&o.connections, "connections", 32, "connections to Envoy, each with one request under way")
	flag.IntVar(&o.policies, "policies", 1000, "policies beside the one that decides")
	flag.Float64Var(&o.busy, "busy", 0.25, "a measurement is repeated if other programs used more cores than this")
	flag.IntVar(&o.tries, "tries", 3, "how often; the quietest counts")
	flag.BoolVar(&o.write, "write", false, "put the tables into docs/performance.md")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	exit(run(ctx, o))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-envoy:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func run(ctx context.Context, o options) (err error) {
	sets, err := pick(o.sets)
	if err != nil {
		return err
	}
	if o.rounds < 1 || o.connections < 1 || o.tries < 1 || o.policies < 0 || o.duration < 10*time.Millisecond {
		return errors.New("expected 1 or more of -rounds, -connections and -tries, 0 or more -policies, and 10ms or more of -duration")
	}
	if flag.NArg() > 0 {
		return fmt.Errorf("expected flags alone, got %q: sets are named by -sets", flag.Arg(0))
	}
	if o.agentauth, err = filepath.Abs(o.agentauth); err != nil {
		return err
	}
	if _, err := os.Stat(o.agentauth); err != nil {
		return fmt.Errorf("-agentauth: expected the binary of `make build`: %w", err)
	}
	r, err := parts.NewRun("bench-envoy")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.End(err == nil)) }()
	s, err := openStage(ctx, r, o, sets)
	if err != nil {
		return err
	}
	var tables []string
	for _, set := range sets {
		results, err := measure(ctx, s, o, set)
		if err != nil {
			return err
		}
		tables = append(tables, table(set, results))
		fmt.Println(tables[len(tables)-1])
	}
	if !o.write {
		return nil
	}
	root, err := parts.Root()
	if err != nil {
		return err
	}
	page := filepath.Join(root, "docs", "performance.md")
	return writePage(page, strings.Join(append([]string{preamble(o)}, tables...), "\n"))
}
