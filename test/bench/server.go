package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// readyWithin is how long 100,001 policies may take.
const readyWithin = 10 * time.Minute

// A server is a process under load.
type server struct {
	pid           int
	checks, pages string // its addresses
	stop          func() error
}

// A reading is what a server has used so far.
type reading struct {
	cpu            time.Duration
	mallocs, bytes float64
	at             time.Time
	others         time.Duration // CPU time of other processes
}

// clocks reads the times.
func (s *server) clocks(r *reading) (err error) {
	if r.cpu, err = cpuOf(s.pid); err != nil {
		return err
	}
	r.at, r.others = time.Now(), allCPU()-ownCPU()-r.cpu
	return nil
}

// startEmpty runs the unit of all ratios.
func startEmpty(ctx context.Context, binary string, args ...string) (*server, error) {
	cmd := exec.CommandContext(ctx, binary, args...) // #nosec G204 -- built a moment ago
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := parts.StartGroup(cmd); err != nil {
		return nil, err
	}
	s := &server{pid: cmd.Process.Pid, stop: func() error {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
		return nil
	}}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("empty: expected its addresses, got %w", err), s.stop())
	}
	s.checks, s.pages, _ = strings.Cut(strings.TrimSpace(line), " ")
	return s, nil
}

// startProduct runs `agentauth serve` as users do, and returns when it is ready.
func startProduct(ctx context.Context, binary, dir, policies string, args ...string) (*server, error) {
	args = slices.Clone(args)
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "$DIR", dir)
	}
	a, err := parts.LaunchAgentauth(parts.AgentauthConfig{Dir: dir, Binary: binary, Args: append([]string{"--policies", policies}, args...)})
	if err != nil {
		return nil, err
	}
	s := &server{pid: a.Pid(), checks: a.GRPCAddress, pages: a.MetricsAddress, stop: a.Stop}
	deadline := time.Now().Add(readyWithin)
	for {
		_, err := a.Get(ctx, "/readyz")
		if err == nil {
			return s, nil
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), a.Stop())
		case <-a.Exited():
			return nil, fmt.Errorf("agentauth ended: see %s", a.Log)
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return nil, errors.Join(fmt.Errorf("agentauth was not ready within %s: %w: see %s", readyWithin, err, a.Log), a.Stop())
		}
	}
}

// read reads what the server has used. At the end of a round the CPU time is read first, so that asking for the
// rest is no part of it.
func (s *server) read(ctx context.Context, end bool) (r reading, err error) {
	if end {
		if err := s.clocks(&r); err != nil {
			return r, err
		}
	}
	for name, value := range s.metrics(ctx) {
		switch name {
		case "go_memstats_mallocs_total":
			r.mallocs = value
		case "go_memstats_alloc_bytes_total":
			r.bytes = value
		}
	}
	if !end {
		err = s.clocks(&r)
	}
	return r, err
}

// metrics are those without labels; none if the server does not answer.
func (s *server) metrics(ctx context.Context) map[string]float64 {
	out := map[string]float64{}
	ask, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.pages+"/metrics", nil)
	if err != nil {
		return out
	}
	answer, err := http.DefaultClient.Do(ask)
	if err != nil {
		return out
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			out[name] = n
		}
	}
	_, _ = io.Copy(io.Discard, answer.Body)
	return out
}

// memory is the resident memory of the server in MiB.
func (s *server) memory() float64 {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(s.pid), "status"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); len(words) > 1 && words[0] == "VmRSS:" {
			kib, _ := strconv.ParseFloat(words[1], 64)
			return kib / 1024
		}
	}
	return 0
}

// build makes a program of this checkout.
func build(ctx context.Context, dir, name, pkg string) (string, error) {
	root, err := parts.Root()
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, name)
	cmd := exec.CommandContext(ctx, "go", "build", "-pgo=auto", "-trimpath", "-o", binary, pkg) // #nosec G204 -- constants
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build %s: %w\n%s", pkg, err, out)
	}
	return binary, nil
}
