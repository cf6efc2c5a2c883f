package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/agentauth-dev/agentauth/test/bench/worker"
)

// tries is how often a measurement is made that others disturb.
const tries = 3

// A contender is a server, and how it is asked.
type contender struct {
	name     string
	server   *server
	messages *messages
	want     worker.Verdict
	timeout  time.Duration
}

// A row is what the rounds of one contender under one load found.
type row struct {
	scenario scenario
	load     load
	name     string
	samples  []sample
	ratios   []float64 // to the empty server of the same round
}

// scenario runs all loads of a scenario.
func (b *bench) scenario(ctx context.Context, s scenario) (rows []row, err error) {
	dir, err := b.folder(s.name)
	if err != nil {
		return nil, err
	}
	documents := s.documents()
	first, err := write(dir, documents, s.policies-1)
	if err != nil {
		return nil, err
	}
	requests := s.requests(s.count)
	contenders, err := b.contenders(ctx, s, requests)
	if err != nil {
		return nil, err
	}
	start := func() (*server, error) {
		began := time.Now()
		p, err := startProduct(ctx, b.product, b.dir, dir)
		fmt.Fprintf(b.progress, "%-16s agentauth with %s policies: ready after %s\n", s.name, thousands(s.policies), time.Since(began).Round(10*time.Millisecond))
		return p, err
	}
	product, err := start()
	defer func() {
		err = errors.Join(err, end(product))
		for _, c := range contenders {
			if c.server != product {
				err = errors.Join(err, end(c.server))
			}
		}
	}()
	if err != nil {
		return nil, err
	}
	fresh := func() error {
		if !s.once {
			return nil
		}
		if err := end(product); err != nil {
			return err
		}
		product, err = start()
		return err
	}
	for _, c := range contenders {
		if c.server == nil && !s.once {
			if err := prime(ctx, product, c); err != nil {
				return nil, err
			}
		}
	}
	if s.touch {
		defer touching(first)()
	}
	for _, l := range s.loads {
		group := make([]row, len(contenders))
		for i, c := range contenders {
			group[i] = row{scenario: s, load: l, name: c.name}
		}
		for r := range b.roundsOf(s) {
			for i := range contenders {
				i = (i + r) % len(contenders) // another order each round
				c := &contenders[i]
				one, err := b.quietly(func() (sample, error) {
					target := c.server
					if target == nil {
						if err := fresh(); err != nil {
							return sample{}, err
						}
						target = product
					}
					return ask(ctx, target, *c, l, b.duration)
				})
				if err == nil && one.late > one.checks/2 {
					err = fmt.Errorf("expected answers in time, got %d that were late of %d: repeat it where the machine has less to do", one.late, one.checks)
				}
				if err != nil {
					return nil, fmt.Errorf("%s: %w", c.name, err)
				}
				group[i].samples = append(group[i].samples, one)
				fmt.Fprintf(b.progress, "%-16s %-12s round %d %-22s %6.1f us/check %8.1f allocs %7.0f/s p99 %s, others %.2f cores\n",
					s.name, l, r+1, c.name, one.cpu, one.allocs, one.rate, one.p99.Round(time.Microsecond), one.others)
			}
		}
		for i := range group {
			for r := range group[i].samples {
				group[i].ratios = append(group[i].ratios, group[i].samples[r].cpu/group[0].samples[r].cpu)
			}
		}
		rows = append(rows, group...)
	}
	return rows, nil
}

func (b *bench) roundsOf(s scenario) int {
	if s.name == "main" {
		return b.rounds
	}
	return (b.rounds + 1) / 2
}

// contenders are the empty server, where the scenario is the main one its copy, and agentauth in each form. That
// has no server here: it may be another one in each round.
func (b *bench) contenders(ctx context.Context, s scenario, requests []request) (out []contender, err error) {
	copies := []string{"empty"}
	if s.name == "main" {
		copies = append(copies, "empty again")
	}
	plain := encode(requests, headers, s.once)
	for _, name := range copies {
		e, err := startEmpty(ctx, b.empty)
		if err != nil {
			for _, c := range out {
				err = errors.Join(err, end(c.server))
			}
			return nil, err
		}
		out = append(out, contender{name: name, server: e, messages: plain, want: known, timeout: s.timeout})
	}
	for _, f := range s.forms {
		if f == headers {
			out = append(out, contender{name: "agentauth", messages: plain, want: s.want, timeout: s.timeout})
			continue
		}
		raw := encode(requests, f, s.once)
		out = append(out,
			contender{name: "empty, " + string(f), server: out[0].server, messages: raw, want: known, timeout: s.timeout},
			contender{name: "agentauth, " + string(f), messages: raw, want: s.want, timeout: s.timeout})
	}
	return out, nil
}

// quietly measures until other processes leave the machine alone, or takes the quietest of some tries.
func (b *bench) quietly(measure func() (sample, error)) (best sample, err error) {
	for i := range tries {
		one, err := measure()
		if err != nil {
			return sample{}, err
		}
		if i == 0 || one.late < best.late || one.late == best.late && one.others < best.others {
			best = one
		}
		if best.others <= b.quiet && best.late == 0 {
			break
		}
	}
	return best, nil
}
