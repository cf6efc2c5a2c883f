// Command scale measures what policies and API keys cost that are not asked for: their memory, and the time
// that it takes to put them and one change of them in force. `make bench-scale` runs it.
//
// It compiles in its own process, as a cluster's source does: each object is decoded from its own text, and none
// shares memory with another. With -agentauth it also starts `agentauth serve --policies` and reads its memory.
package main

import (
	"context"
	"flag"
	"fmt"
	"math"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
)

func main() {
	policies := flag.String("policies", "1000,10000,100000", "numbers of policies, each measured on its own")
	keys := flag.String("keys", "100000,1000000", "numbers of API keys, each measured on its own")
	targets := flag.String("targets", "1000,10000", "numbers of HTTPRoutes with a policy each")
	binary := flag.String("agentauth", "", "the binary of `make build`; with it the memory of the process is measured too")
	files := flag.String("files", "1000,10000,40000", "numbers of policies in a directory, with -agentauth; a directory has at most 64 MiB")
	flag.BoolVar(&own, "own-rules", own, "each policy has a rule of its own; otherwise all have the same")
	profile := flag.String("heap", "", "write a heap profile of the last in-process measurement to this file")
	time := flag.String("cpu", "", "write a CPU profile to this file")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "scale: expected flags alone, got %q\n", flag.Arg(0))
		os.Exit(1)
	}
	if *profile != "" {
		runtime.MemProfileRate = 4096
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *time != "" {
		f, err := os.Create(*time)
		if err == nil {
			err = pprof.StartCPUProfile(f)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "scale:", err)
			os.Exit(1)
		}
	}
	err := run(ctx, sizes{*policies, *keys, *targets, *files}, *binary, *profile)
	pprof.StopCPUProfile()
	if err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

// mostFiles is how many policies 64 MiB have room for, which is all that a directory may have.
const mostFiles = 70_000

// sizes are lists of numbers, as flags have them.
type sizes struct{ policies, keys, targets, files string }

func run(ctx context.Context, s sizes, binary, profile string) error {
	tables := []struct {
		flag, list string
		most       int
		header     string
		measure    func(context.Context, int) (string, error)
		numbers    []int
	}{
		{flag: "policies", list: s.policies, most: math.MaxInt, header: policyHeader, measure: measurePolicies},
		{flag: "targets", list: s.targets, most: math.MaxInt, header: targetHeader, measure: measureTargets},
		{flag: "keys", list: s.keys, most: math.MaxInt, header: keyHeader, measure: measureKeys},
		{flag: "files", list: s.files, most: mostFiles, header: processHeader, measure: func(ctx context.Context, n int) (string, error) { return measureProcess(ctx, binary, n) }},
	}
	for i := range tables { // before anything is measured
		var err error
		if tables[i].numbers, err = parse(tables[i].list, tables[i].most); err != nil {
			return fmt.Errorf("-%s: %w", tables[i].flag, err)
		}
	}
	for _, table := range tables {
		if len(table.numbers) == 0 || table.header == processHeader && binary == "" {
			continue
		}
		fmt.Printf("\n%s\n", table.header)
		for _, n := range table.numbers {
			row, err := table.measure(ctx, n)
			if err != nil {
				return err
			}
			fmt.Println(row)
		}
	}
	if profile == "" {
		return nil
	}
	heap() // a profile is of the last collection
	f, err := os.Create(profile)
	if err != nil {
		return err
	}
	defer f.Close()
	return pprof.WriteHeapProfile(f)
}

func parse(list string, most int) (out []int, err error) {
	for _, s := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' }) {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("expected numbers from 1 on with commas between them, got %q", list)
		}
		if n > most {
			return nil, fmt.Errorf("expected at most %d, got %d", most, n)
		}
		out = append(out, n)
	}
	return out, nil
}
