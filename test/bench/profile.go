package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/google/pprof/profile"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// profiled are the scenarios whose paths the compiler is told of: what is usual, by weight of its time.
const profiled = "main,tokens,basic,key,introspected,certificate,mcp-2k,garbage,no-credential"

// profile writes to a file where agentauth spends its time under the scenarios, for the compiler.
func (b *bench) profile(ctx context.Context, chosen []scenario, file string) error {
	var all []*profile.Profile
	for _, s := range chosen {
		one, err := b.profileOf(ctx, s)
		if err != nil {
			return fmt.Errorf("scenario %s: %w", s.name, err)
		}
		fmt.Fprintf(b.progress, "%-16s %d samples\n", s.name, len(one.Sample))
		all = append(all, one)
	}
	merged, err := profile.Merge(all)
	if err != nil {
		return err
	}
	for _, m := range merged.Mapping {
		m.File = "agentauth" // in place of where this run had it
	}
	out, err := os.Create(file) // #nosec G304 -- the flag's
	if err != nil {
		return err
	}
	return errors.Join(merged.Write(out), out.Close())
}

func (b *bench) profileOf(ctx context.Context, s scenario) (_ *profile.Profile, err error) {
	port, err := parts.FreePort()
	if err != nil {
		return nil, err
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	s.args = append(slices.Clone(s.args), "--pprof-address", address)
	c := &contest{bench: b, scenario: s}
	defer func() { err = errors.Join(err, c.end()) }()
	if err := c.open(ctx); err != nil {
		return nil, err
	}
	type result struct {
		profile *profile.Profile
		err     error
	}
	got := make(chan result, 1)
	go func() {
		p, err := fetchProfile(ctx, address, b.duration)
		got <- result{p, err}
	}()
	_, asked := ask(ctx, c.product, c.own(), s.loads[0], b.duration)
	r := <-got
	return r.profile, errors.Join(asked, r.err)
}

// fetchProfile takes a profile of the CPU, which takes so long.
func fetchProfile(ctx context.Context, address string, d time.Duration) (*profile.Profile, error) {
	seconds := max(1, int(d/time.Second))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", address, seconds), nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("a profile: expected 200, got %s", answer.Status)
	}
	return profile.Parse(answer.Body)
}
