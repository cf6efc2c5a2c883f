package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

// A contest is a scenario with its servers.
type contest struct {
	*bench
	scenario   scenario
	dir, first string // of the policies, and the one that decides
	product    *server
	contenders []contender
}

// scenario runs all loads of a scenario.
func (b *bench) scenario(ctx context.Context, s scenario) (rows []row, err error) {
	c := &contest{bench: b, scenario: s}
	defer func() { err = errors.Join(err, c.end()) }()
	if err := c.open(ctx); err != nil {
		return nil, err
	}
	if s.touch {
		defer touching(c.first)()
	}
	for _, l := range s.loads {
		group, err := c.rounds(ctx, l)
		if err != nil {
			return nil, err
		}
		rows = append(rows, group...)
	}
	return rows, nil
}

// open writes the policies and starts the servers.
func (c *contest) open(ctx context.Context) (err error) {
	if c.dir, err = c.folder(c.scenario.name); err != nil {
		return err
	}
	if c.first, err = write(c.dir, c.scenario.documents(), c.scenario.policies-1); err != nil {
		return err
	}
	if err := c.enter(ctx, c.scenario.requests(c.scenario.count)); err != nil {
		return err
	}
	if err := c.enterOthers(ctx); err != nil {
		return err
	}
	if err := c.start(ctx); err != nil {
		return err
	}
	for _, one := range c.contenders {
		if one.server == nil && !c.scenario.once {
			if err := prime(ctx, c.product, one); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *contest) end() (err error) {
	for _, one := range c.contenders {
		err = errors.Join(err, end(one.server))
	}
	return errors.Join(err, end(c.product))
}

// start starts agentauth, anew if it runs.
func (c *contest) start(ctx context.Context) (err error) {
	err = end(c.product)
	c.product = nil
	if err != nil {
		return err
	}
	began := time.Now()
	if c.product, err = startProduct(ctx, c.bench.product, c.bench.dir, c.dir, c.scenario.args...); err != nil {
		return err
	}
	fmt.Fprintf(c.progress, "%-16s agentauth with %s policies: ready after %s\n",
		c.scenario.name, thousands(c.scenario.policies), time.Since(began).Round(10*time.Millisecond))
	return nil
}

// rounds has every contender under a load once a round.
func (c *contest) rounds(ctx context.Context, l load) ([]row, error) {
	group := make([]row, len(c.contenders))
	for i, one := range c.contenders {
		group[i] = row{scenario: c.scenario, load: l, name: one.name}
	}
	for r := range c.roundsOf(c.scenario) {
		for i := range c.contenders {
			i = (i + r) % len(c.contenders) // another order each round
			one, err := c.measure(ctx, c.contenders[i], l)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.contenders[i].name, err)
			}
			group[i].samples = append(group[i].samples, one)
			fmt.Fprintf(c.progress, "%-16s %-12s round %d %-22s %6.1f us/check %8.1f allocs %7.0f/s p99 %s, others %.2f cores\n",
				c.scenario.name, l, r+1, group[i].name, one.cpu, one.allocs, one.rate, one.p99.Round(time.Microsecond), one.others)
		}
	}
	for i := range group {
		for r := range group[i].samples {
			group[i].ratios = append(group[i].ratios, group[i].samples[r].cpu/group[0].samples[r].cpu)
		}
	}
	return group, nil
}

// measure has one contender under a load until other processes leave the machine alone, or takes the quietest of
// some tries.
func (c *contest) measure(ctx context.Context, of contender, l load) (best sample, err error) {
	for i := range tries {
		target := of.server
		if target == nil && c.scenario.once {
			if err := c.start(ctx); err != nil {
				return sample{}, err
			}
		}
		if target == nil {
			target = c.product
		}
		one, err := ask(ctx, target, of, l, c.duration)
		if err != nil {
			return sample{}, err
		}
		if i == 0 || one.late < best.late || one.late == best.late && one.others < best.others {
			best = one
		}
		if best.others <= c.quiet && best.late == 0 {
			break
		}
	}
	if best.late > best.checks/2 {
		return sample{}, fmt.Errorf("expected answers in time, got %d that were late of %d: repeat it where the machine has less to do", best.late, best.checks)
	}
	return best, nil
}

func (b *bench) roundsOf(s scenario) int {
	if s.name == "main" {
		return b.rounds
	}
	return fewer(b.rounds)
}

// fewer is how many rounds the other scenarios have.
func fewer(rounds int) int { return (rounds + 1) / 2 }

// doorAlone is agentauth's transport, decoder and encoder: nothing is decided behind it.
const doorAlone = "door alone"

// enter starts the empty server, where the scenario is the main one its copy and the door alone, and has agentauth in each form beside
// them. That has no server here: it may be another one in each round.
func (c *contest) enter(ctx context.Context, requests []request) error {
	s := c.scenario
	copies := []string{"empty"}
	if s.name == "main" {
		copies = append(copies, "empty again", doorAlone)
	}
	plain := encode(requests, headers, s.once)
	for _, name := range copies {
		var args []string
		if name == doorAlone {
			args = []string{"-door"}
		}
		e, err := startEmpty(ctx, c.empty, args...)
		if err != nil {
			return err
		}
		c.contenders = append(c.contenders, contender{name: name, server: e, messages: plain, want: known, timeout: s.timeout})
	}
	for _, f := range s.forms {
		if f == headers {
			c.contenders = append(c.contenders, contender{name: "agentauth", messages: plain, want: s.want, timeout: s.timeout})
			continue
		}
		raw := encode(requests, f, s.once)
		c.contenders = append(c.contenders,
			contender{name: "empty, " + string(f), server: c.contenders[0].server, messages: raw, want: known, timeout: s.timeout},
			contender{name: "agentauth, " + string(f), messages: raw, want: s.want, timeout: s.timeout})
	}
	return nil
}

// own is how this checkout's agentauth is asked first.
func (c *contest) own() contender {
	return c.contenders[slices.IndexFunc(c.contenders, func(one contender) bool { return one.server == nil })]
}

// enterOthers starts and primes other builds of agentauth, which are asked as this checkout's is, but where each round has a new server.
func (c *contest) enterOthers(ctx context.Context) error {
	if c.scenario.once {
		return nil
	}
	for _, other := range c.beside {
		dir, err := c.folder("beside")
		if err != nil {
			return err
		}
		one := c.own()
		one.name = other[0]
		if one.server, err = startProduct(ctx, other[1], dir, c.dir, c.scenario.args...); err != nil {
			return err
		}
		c.contenders = append(c.contenders, one)
		if err := prime(ctx, one.server, one); err != nil {
			return err
		}
	}
	return nil
}
