package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"time"
)

// result is one measurement of a variant.
type result struct {
	rate          float64       // requests a second
	envoy, server time.Duration // CPU of one request
	p50, p99      time.Duration
	others        float64 // cores that other programs used meanwhile
}

func (r result) both() time.Duration { return r.envoy + r.server }

// measure is the results of each variant of a set, round by round.
func measure(ctx context.Context, s *stage, o options, set set) ([][]result, error) {
	results := make([][]result, len(set.variants))
	for range o.rounds {
		for _, turn := range rand.Perm(len(set.variants)) { // #nosec G404 -- an order; what comes before a variant is no part of it
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			r, err := quietest(s, o, set, &set.variants[turn])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", set.variants[turn].name, err)
			}
			results[turn] = append(results[turn], r)
		}
	}
	return results, nil
}

// quietest repeats a measurement that other programs disturbed.
func quietest(s *stage, o options, set set, v *variant) (best result, err error) {
	for try := range max(o.tries, 1) {
		r, err := once(s, o, set, v)
		if err != nil {
			return best, err
		}
		if try == 0 || r.others < best.others {
			best = r
		}
		if best.others <= o.busy {
			break
		}
	}
	return best, nil
}

func once(s *stage, o options, set set, v *variant) (result, error) {
	l, err := newLoad(s.ports[set.name+"/"+v.name], o.connections, requestBytes(s.token, v.body))
	if err != nil {
		return result{}, err
	}
	defer l.close()
	if err := l.start(); err != nil {
		return result{}, err
	}
	if err := l.run(o.duration / 5); err != nil {
		return result{}, err
	}
	l.begin()
	before, err := s.clocks(v)
	if err != nil {
		return result{}, err
	}
	if err := l.run(o.duration); err != nil {
		return result{}, err
	}
	after, err := s.clocks(v)
	if err != nil {
		return result{}, err
	}
	return after.since(before, l.done, l.took), nil
}

// clocks is the times at one moment.
type clocks struct {
	now                             time.Time
	envoy, server, ourselves, whole time.Duration
}

func (s *stage) clocks(v *variant) (c clocks, err error) {
	if c.envoy, err = cpuOf(s.envoy); err != nil {
		return c, err
	}
	if v.server != nobody {
		if c.server, err = cpuOf(s.pids[v.server]); err != nil {
			return c, err
		}
	}
	if c.ourselves, err = cpuOf(os.Getpid()); err != nil {
		return c, err
	}
	c.whole, err = cpuOfAll()
	c.now = time.Now()
	return c, err
}

func (c clocks) since(before clocks, done int, took []time.Duration) result {
	elapsed := c.now.Sub(before.now).Seconds()
	envoy, server := c.envoy-before.envoy, c.server-before.server
	others := c.whole - before.whole - envoy - server - (c.ourselves - before.ourselves)
	slices.Sort(took)
	n := time.Duration(max(done, 1))
	return result{
		rate: float64(done) / elapsed, envoy: envoy / n, server: server / n,
		p50: quantile(took, 50), p99: quantile(took, 99), others: max(others.Seconds()/elapsed, 0),
	}
}

func quantile(sorted []time.Duration, percent int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)*percent/100, len(sorted)-1)]
}
