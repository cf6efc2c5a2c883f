package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/agentauth-dev/agentauth/test/bench/worker"
)

// A sample is what one server did in one round.
type sample struct {
	checks, late  int
	cpu           float64 // µs a check
	allocs, bytes float64 // a check
	rate          float64 // checks a second
	p50, p99      time.Duration
	p999          time.Duration
	rss           float64 // MiB
	others        float64 // cores that other processes kept busy
}

// ask has a server under a load for a while, and says what it used. An answer that is not wanted is an error.
func ask(ctx context.Context, s *server, c contender, l load, d time.Duration) (sample, error) {
	c.messages.sent = 0
	w, err := worker.Dial(ctx, worker.Config{Address: s.checks, Next: c.messages.next, Check: worker.Want(c.want), Timeout: c.timeout})
	if err != nil {
		return sample{}, err
	}
	defer w.Close()
	stop := begin(ctx, w, l)
	defer stop()
	warm := d // a heap that grows costs more than one that has its size
	if c.messages.once {
		warm = d / 5 // what is sent once does not last
	}
	if err := wait(ctx, w, warm); err != nil {
		return sample{}, err
	}
	before, err := s.read(ctx, false)
	if t := w.Take(); err != nil || t.Wrong > 0 {
		return sample{}, errors.Join(err, t.First)
	}
	if err := wait(ctx, w, d); err != nil {
		return sample{}, err
	}
	t := w.Take()
	after, err := s.read(ctx, true)
	if err != nil || t.Wrong > 0 {
		return sample{}, errors.Join(err, t.First)
	}
	if len(t.Latencies) == 0 {
		return sample{}, errors.New("expected answers, got none")
	}
	out := summary(t.Latencies, before, after)
	out.late = t.Late
	out.rss = s.memory()
	return out, nil
}

// prime sends each message twice: what can be remembered is remembered then.
func prime(ctx context.Context, s *server, c contender) error {
	all := &messages{list: append(slices.Clone(c.messages.list), c.messages.list...), once: true}
	w, err := worker.Dial(ctx, worker.Config{Address: s.checks, Next: all.next, Check: worker.Want(c.want), Timeout: c.timeout})
	if err != nil {
		return err
	}
	defer w.Close()
	w.Keep(64)
	for {
		if err := wait(ctx, w, 10*time.Millisecond); err != nil {
			return err
		}
		if n, _ := w.InFlight(); n == 0 {
			return w.Take().First
		}
		sleep(time.Millisecond)
	}
}

func summary(latencies []time.Duration, before, after reading) sample {
	n := float64(len(latencies))
	slices.Sort(latencies)
	at := func(p float64) time.Duration { return latencies[min(len(latencies)-1, int(p*n))] }
	return sample{
		checks: len(latencies), cpu: float64((after.cpu - before.cpu).Nanoseconds()) / 1000 / n,
		allocs: (after.mallocs - before.mallocs) / n, bytes: (after.bytes - before.bytes) / n,
		others: max(0, (after.others-before.others).Seconds()/after.at.Sub(before.at).Seconds()),
		rate:   n / after.at.Sub(before.at).Seconds(),
		p50:    at(.5), p99: at(.99), p999: at(.999),
	}
}

// begin starts the load; what it returns ends it.
func begin(ctx context.Context, w *worker.Worker, l load) (stop func()) {
	if l.rate == 0 {
		w.Keep(l.inFlight)
		return w.Stop
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		// Callers do not know of each other: the time between two is exponential. The seed makes rounds alike.
		random := rand.New(rand.NewPCG(1, 2)) // #nosec G404 -- no secret
		at := time.Now()
		for ctx.Err() == nil {
			if d := time.Until(at); d > 0 {
				sleep(d)
			}
			w.Ask(at)
			at = at.Add(time.Duration(random.ExpFloat64() / l.rate * float64(time.Second)))
		}
	}()
	return func() { cancel(); <-done }
}

// wait returns after d, or when all requests that there are were sent.
func wait(ctx context.Context, w *worker.Worker, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-w.Exhausted():
	case <-w.Ended():
		t := w.Take()
		return fmt.Errorf("expected a connection, got its end: %w", t.First)
	case <-time.After(d):
	}
	return nil
}

// changed is the main policy with something else to tell, so that it is compiled anew.
func changed(policy []byte, n int) []byte {
	return fmt.Appendf(slices.Clone(policy), "    metadata: {change: '\"%d\"'}\n", n)
}

// touching changes a policy each second.
func touching(file string) (stop func()) {
	text, err := os.ReadFile(file)
	must(err)
	ended, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for n := 0; ; n++ {
			select {
			case <-ended:
				return
			case <-time.After(touchEvery):
				must(os.WriteFile(file, changed(text, n), 0o600))
			}
		}
	}()
	return func() { close(ended); <-done; must(os.WriteFile(file, text, 0o600)) }
}
