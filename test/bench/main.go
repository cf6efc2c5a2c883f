// Command bench measures `agentauth serve` as users run it against an ext_authz server that does nothing, in the
// same run, in interleaved rounds: CPU time a check, allocations, memory, latencies. See docs/performance.md.
//
//	go run ./test/bench                        # the default set, about a quarter of an hour on two cores
//	go run ./test/bench -scenarios main        # some
//	go run ./test/bench -scenarios all -write  # all, into docs/performance.md and docs/performance.svg
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/agentauth-dev/agentauth/test/parts"
)

type options struct {
	scenarios string
	rounds    int
	duration  time.Duration
	keys      int
	quiet     float64
	write     bool
	profile   string
	beside    others
}

// others are other builds of agentauth: the name in the table, and the binary.
type others [][2]string

// String implements flag.Value.
func (o *others) String() string { return fmt.Sprint([][2]string(*o)) }

// Set implements flag.Value.
func (o *others) Set(text string) error {
	name, binary, ok := strings.Cut(text, "=")
	if !ok || name == "" || binary == "" {
		return fmt.Errorf("expected NAME=BINARY as in before=/tmp/agentauth, got %q", text)
	}
	if slices.Contains([]string{"empty", "empty again", doorAlone, "agentauth"}, name) || slices.ContainsFunc(*o, func(other [2]string) bool { return other[0] == name }) {
		return fmt.Errorf("expected a name that no other row of the table has, got %s", name)
	}
	binary, err := filepath.Abs(binary) // it runs in another directory
	if err == nil {
		_, err = exec.LookPath(binary)
	}
	if err != nil {
		return fmt.Errorf("expected a build of agentauth: %w", err)
	}
	*o = append(*o, [2]string{name, binary})
	return nil
}

func main() {
	var o options
	flag.StringVar(&o.scenarios, "scenarios", "default", "default (all but policies-100001 and what is about opaque tokens by the thousand, MCP, certificates and DPoP), all, floods, or names with commas between: "+names(scenarios(scale{}), floods()))
	flag.IntVar(&o.rounds, "rounds", 5, "rounds of the main scenario; the others have half as many, rounded up, and floods three at most; each has every server once")
	flag.DurationVar(&o.duration, "duration", 2*time.Second, "of one measurement")
	flag.IntVar(&o.keys, "keys", 100_000, "API keys of the scenario key; a directory has room for 800,000")
	flag.Float64Var(&o.quiet, "quiet", 0.3, "repeat a measurement in which other processes used more cores than this, three times at most")
	flag.BoolVar(&o.write, "write", false, "write the result into docs/performance.md and docs/performance.svg, in place of all figures there; with -scenarios all")
	flag.StringVar(&o.profile, "profile", "", "in place of figures, write to this file where agentauth spends its time, for the compiler (cmd/agentauth/default.pgo); default scenarios: "+profiled)
	flag.Var(&o.beside, "beside", "`NAME=BINARY` of another build of agentauth, which is measured in the same rounds as this checkout's (not where each round starts servers anew); may be repeated")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := o.check(flag.Args())
	if err == nil {
		err = run(ctx, os.Stdout, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// mostKeys is how many digests 64 MiB of manifests have room for.
const mostKeys = 800_000

// check says what is wrong with the flags, before ten minutes have passed.
func (o options) check(rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("expected flags alone, got %q: scenarios are named by -scenarios", rest[0])
	case o.rounds < 1:
		return fmt.Errorf("-rounds: expected 1 or more, got %d", o.rounds)
	case o.duration < 10*time.Millisecond:
		return fmt.Errorf("-duration: expected 10ms or more, got %s", o.duration)
	case o.write && len(o.beside) > 0:
		return errors.New("-beside: expected no -write, since docs/performance.md is about this checkout alone")
	case o.write && o.profile != "":
		return errors.New("-profile: expected no -write, since it makes no figures")
	case o.write && o.scenarios != "all":
		return fmt.Errorf("-write: expected -scenarios all, since it takes the place of all figures of docs/performance.md, got %s", o.scenarios)
	case o.write && setting() != "":
		return fmt.Errorf("-write: expected no %s in the environment, as the servers obey it", setting())
	case o.keys < 1 || o.keys > mostKeys:
		return fmt.Errorf("-keys: expected 1 to %d, got %d", mostKeys, o.keys)
	}
	return nil
}

// setting is a setting of Go's runtime in the environment, if there is one.
func setting() string {
	for _, name := range []string{"GOGC", "GOMEMLIMIT", "GOMAXPROCS"} {
		if _, is := os.LookupEnv(name); is {
			return name
		}
	}
	return ""
}

func run(ctx context.Context, out io.Writer, o options) (err error) {
	chosen, flooded, err := choose(o)
	if err != nil {
		return err
	}
	if len(o.beside) > 0 && !slices.ContainsFunc(chosen, func(s scenario) bool { return !s.once }) {
		return errors.New("-beside: expected a scenario that has other builds, as main has: floods and scenarios where each round starts servers anew have none")
	}
	dir, err := parts.NewRunDir("bench")
	if err != nil {
		return err
	}
	defer func() {
		if ctx.Err() != nil {
			err = errors.New("interrupted: nothing is left running, and no files")
		}
		if err == nil || ctx.Err() != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		} else {
			fmt.Fprintln(os.Stderr, "bench: policies and logs are in", dir)
		}
	}()
	b := &bench{options: o, dir: dir, progress: os.Stderr}
	if err := b.build(ctx); err != nil {
		return err
	}
	if o.profile != "" {
		return b.profile(ctx, chosen, o.profile)
	}
	r := report{options: o, machine: machine(), at: time.Now()}
	for _, s := range chosen {
		rows, err := b.scenario(ctx, s)
		if err != nil {
			return fmt.Errorf("scenario %s: %w", s.name, err)
		}
		r.rows = append(r.rows, rows...)
	}
	for _, f := range flooded {
		row, err := b.flood(ctx, f)
		if err != nil {
			return fmt.Errorf("flood %s: %w", f.name, err)
		}
		r.floods = append(r.floods, row)
	}
	if o.write {
		root, err := parts.Root()
		if err != nil {
			return err
		}
		return r.write(filepath.Join(root, "docs"))
	}
	return r.print(out)
}

// choose returns the scenarios and floods that -scenarios names.
func choose(o options) (chosen []scenario, flooded []flood, err error) {
	all, allFloods := scenarios(scale{keys: o.keys, cost: usualCost}), floods()
	if o.profile != "" && o.scenarios == "default" {
		o.scenarios = profiled
	}
	switch o.scenarios {
	case "all":
		return all, allFloods, nil
	case "floods":
		return nil, allFloods, nil
	case "default":
		return slices.DeleteFunc(all, func(s scenario) bool { return s.slow }), slices.DeleteFunc(allFloods, func(f flood) bool { return f.slow }), nil
	}
	for name := range strings.SplitSeq(o.scenarios, ",") {
		name = strings.TrimSpace(name)
		i := slices.IndexFunc(all, func(s scenario) bool { return s.name == name })
		j := slices.IndexFunc(allFloods, func(f flood) bool { return f.name == name })
		switch {
		case i >= 0:
			chosen = append(chosen, all[i])
		case j >= 0:
			flooded = append(flooded, allFloods[j])
		default:
			return nil, nil, fmt.Errorf("-scenarios: expected default, all or floods alone, or some of %s, got %q", names(all, allFloods), name)
		}
	}
	return chosen, flooded, nil
}

func names(all []scenario, flooded []flood) string {
	var out []string
	for _, s := range all {
		out = append(out, s.name)
	}
	for _, f := range flooded {
		out = append(out, f.name)
	}
	return strings.Join(out, ",")
}

// bench is the programs and the directory of a run.
type bench struct {
	options
	dir            string
	product, empty string
	progress       io.Writer
	made           int
}

func (b *bench) build(ctx context.Context) (err error) {
	b.product, err = build(ctx, b.dir, "agentauth", "./cmd/agentauth")
	if err != nil {
		return err
	}
	b.empty, err = build(ctx, b.dir, "empty", "./test/bench/empty")
	return err
}

// folder makes a directory of its own.
func (b *bench) folder(name string) (string, error) {
	b.made++
	path := filepath.Join(b.dir, fmt.Sprintf("%s-%d", name, b.made))
	return path, os.MkdirAll(path, 0o700)
}

// end ends servers.
func end(servers ...*server) (err error) {
	for _, s := range servers {
		if s != nil {
			err = errors.Join(err, s.stop())
		}
	}
	return err
}
