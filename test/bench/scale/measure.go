package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"syscall"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/password"
	"github.com/agentauth-dev/agentauth/authz/source"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// heap is what is in use when nothing is left to collect. Finalizers and cleanups free more in a second and third
// collection.
func heap() int {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// product is an engine and the keeper that keeps it at an Input, as in a cluster.
type product struct {
	engine *engine.Engine
	keeper *source.Keeper
}

func newProduct() *product {
	scheduler := work.New(work.Options{})
	e := engine.New(engine.Deps{Passwords: password.New(scheduler, password.Options{}), Scheduler: scheduler}, engine.Options{GatewayClasses: []string{"edge"}})
	return &product{e, &source.Keeper{Engine: e, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Loaded: func(source.Load) {}, Ready: func() {}}}
}

// spent is how long something took, and how long processors worked on it, in collecting garbage too. Beside other
// work of the machine the second is the fairer one.
type spent struct{ wall, cpu time.Duration }

func (s spent) String() string { return fmt.Sprintf("%s (CPU %s)", ms(s.wall), ms(s.cpu)) }

func since(began time.Time, before time.Duration) spent {
	return spent{time.Since(began), cpu() - before}
}

// cpu is what the process has used so far.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// load puts an Input in force, all of it, and returns what that took.
func (p *product) load(ctx context.Context, in engine.Input) (spent, error) {
	began, before := time.Now(), cpu()
	for {
		reports, ok := p.keeper.Cluster(ctx, in)
		if _, behind := p.keeper.Behind(); behind {
			<-p.keeper.Again()
			continue
		}
		took := since(began, before)
		for _, r := range reports {
			if c := r.Conditions[0]; !ok || c.Status != "True" {
				return spent{}, fmt.Errorf("expected policy %s to be in force, and it is not: %s: %s", r.Policy, c.Reason, c.Message)
			}
		}
		return took, nil
	}
}

// changes is the mean of some changes, each made by change. Garbage is collected before them and not after each, as
// in a process that runs on.
func (p *product) changes(ctx context.Context, n int, change func(i int) engine.Input) (mean spent, err error) {
	runtime.GC()
	for i := range n {
		in := change(i)
		took, err := p.load(ctx, in)
		if err != nil {
			return spent{}, err
		}
		mean.wall, mean.cpu = mean.wall+took.wall, mean.cpu+took.cpu
	}
	return spent{mean.wall / time.Duration(n), mean.cpu / time.Duration(n)}, nil
}

// decide is what a decision takes, of requests none of which was made just before, and of which each has an outcome.
func (p *product) decide(ctx context.Context, outcome authz.Outcome, ask func(i int) authz.Raw) (time.Duration, error) {
	asks := make([]authz.Raw, 4096)
	for i := range asks {
		asks[i] = ask(i)
		if d := p.engine.Decide(ctx, asks[i]); d.Outcome != outcome || d.Policy == "" {
			return 0, fmt.Errorf("expected %s for %s, got %s %s of policy %q: %s", outcome, asks[i].Host, d.Outcome, d.Reason, d.Policy, d.Detail)
		}
	}
	runtime.GC()
	best := time.Hour
	for range 5 {
		began := time.Now()
		for i := range asks {
			p.engine.Decide(ctx, asks[i])
		}
		best = min(best, time.Since(began)/time.Duration(len(asks)))
	}
	return best, nil
}

func get(host, path string, headers ...authz.Header) authz.Raw {
	return authz.Raw{Method: "GET", Scheme: "https", Host: host, Path: path, TLS: true, Time: time.Now(), Headers: headers}
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }
