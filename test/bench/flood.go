package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/agentauth-dev/agentauth/test/bench/worker"
)

// A flood is what a stranger does while good traffic goes on.
type flood struct {
	name, about string
	documents   func() []string // beside the policy of the good traffic
	requests    func() []request
	load        load
	timeout     time.Duration
	fetched     bool // the key set is fetched from a server, not in the policy
	opaque      bool // good tokens are opaque, 1,000 in turn, and a server is asked about all
	slow        bool // only in the set of all, which may take longer
	idle, deaf  int  // connections that ask nothing, and that ask and never read
}

// good is the traffic whose latency counts.
var good = load{rate: 500}

// floodRounds is how often quiet and flood take turns.
const floodRounds = 3

func floods() []flood {
	return []flood{
		{name: "flood-garbage", about: "garbage tokens, 4,000/s",
			requests: func() []request { return bearers(garbage(many)) }, load: load{rate: 4000}},
		{name: "flood-bad-signature", about: "tokens with another's signature, 4,000/s",
			requests: func() []request { return bearers(forged(many)) }, load: load{rate: 4000}},
		{name: "flood-unknown-kid", about: "tokens of unknown keys, 2,000/s, of a provider whose keys are fetched", fetched: true,
			requests: func() []request { return bearers(unknown(many)) }, load: load{rate: 2000}},
		{name: "flood-passwords", about: "wrong passwords (bcrypt), 64 in flight", timeout: 2 * time.Second,
			documents: func() []string { return []string{staff(usualCost)} }, requests: guesses, load: closed64},
		{name: "flood-headers", about: "60 KB of header fields and a garbage token, 500/s", requests: huge, load: load{rate: 500}},
		{name: "flood-opaque", about: "opaque tokens that no server gave, 2,000/s, beside good ones", opaque: true, slow: true, timeout: 2 * time.Second,
			requests: func() []request { return bearers(strange(many)) }, load: load{rate: 2000}},
		{name: "flood-connections", about: "10,000 connections that ask nothing", idle: 10_000},
		{name: "flood-deaf", about: "100 connections with 100 checks each, that take no answer", deaf: 100, timeout: time.Minute,
			requests: func() []request { return bearers(tokens(jose.RS256, 1)) }},
	}
}

func guesses() []request {
	out := make([]request, many)
	for i := range out {
		out[i] = login("alice", fmt.Sprint("guess ", i))
	}
	return out
}

func huge() []request {
	r := bearers(garbage(100))
	for i := range r {
		for j := range 15 {
			r[i].more = append(r[i].more, [2]string{fmt.Sprint("x-filler-", j), strings.Repeat("0123456789abcdef", 256)})
		}
	}
	return r
}

// A floodRow is what good traffic saw without and with a flood at agentauth, and, at the same load, at the empty server:
// what is left then is the machine's and the client's.
type floodRow struct {
	flood          flood
	product, empty side
	fetches        int64 // of the key set
}

// A side is what one server did.
type side struct {
	quiet, under       []sample  // of good traffic
	answers            []float64 // to the flood, a second
	rss, most          float64   // MiB: quiet, and the most
	routines, routMost float64
}

func (b *bench) flood(ctx context.Context, f flood) (out floodRow, err error) {
	out.flood = f
	dir, err := b.folder(f.name)
	if err != nil {
		return out, err
	}
	policy, args := tools(), []string(nil)
	if f.fetched {
		keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			atomic.AddInt64(&out.fetches, 1)
			fmt.Fprint(w, keySet())
		}))
		defer keys.Close()
		policy = strings.Replace(policy, fmt.Sprintf("{inline: %q}", keySet()), fmt.Sprintf("{uri: %q}", keys.URL+"/keys"), 1)
		args = toLoopback
	}
	documents, tokensOfGood := []string{policy}, tokens(jose.RS256, 1)
	if f.opaque {
		documents, tokensOfGood, args = introspected(), opaqueTokens(1000), toLoopback
	}
	if f.documents != nil {
		documents = append(documents, f.documents()...)
	}
	if _, err := write(dir, documents, 1001-len(documents)); err != nil {
		return out, err
	}
	s, err := startProduct(ctx, b.product, b.dir, dir, args...)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, end(s)) }()
	e, err := startEmpty(ctx, b.empty)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, end(e)) }()
	c := contender{name: "agentauth", messages: encode(bearers(tokensOfGood), headers, false), want: allowed}
	if f.opaque {
		if err := prime(ctx, s, c); err != nil {
			return out, err
		}
	}
	var bad *messages
	if f.requests != nil {
		bad = encode(f.requests(), headers, false)
	}
	control := contender{name: "empty", messages: c.messages, want: known}
	for range min(floodRounds, b.rounds) {
		if err := out.product.round(ctx, f, s, c, bad, 2*b.duration); err != nil {
			return out, err
		}
		fmt.Fprintf(b.progress, "%-20s agentauth: %s\n", f.name, &out.product)
		if f.load.rate == 0 && bad != nil {
			continue // as many as there is time for: the empty server would answer another number
		}
		if err := out.empty.round(ctx, f, e, control, bad, 2*b.duration); err != nil {
			return out, err
		}
		fmt.Fprintf(b.progress, "%-20s empty: %s\n", f.name, &out.empty)
	}
	return out, nil
}

// String says what the last round found.
func (r *side) String() string {
	q, u := r.quiet[len(r.quiet)-1], r.under[len(r.under)-1]
	return fmt.Sprintf("good traffic p99 %s quiet, %s under the flood; %0.f goroutines, %.0f MiB, others %.2f cores",
		q.p99.Round(time.Microsecond), u.p99.Round(time.Microsecond), r.routMost, r.most, q.others)
}

// round measures good traffic without and with the flood.
func (r *side) round(ctx context.Context, f flood, s *server, c contender, bad *messages, d time.Duration) error {
	quiet, err := ask(ctx, s, c, good, d)
	if err != nil {
		return err
	}
	r.quiet = append(r.quiet, quiet)
	if r.rss == 0 {
		r.rss, r.routines = quiet.rss, s.metrics(ctx)["go_goroutines"]
	}
	stop, err := f.begin(ctx, s, c, bad)
	if err != nil {
		return err
	}
	watched, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for watched.Err() == nil {
			r.routMost = max(r.routMost, s.metrics(ctx)["go_goroutines"])
			r.most = max(r.most, s.memory())
			select {
			case <-watched.Done():
			case <-time.After(d / 8):
			}
		}
	}()
	began := time.Now()
	under, err := ask(ctx, s, c, good, d)
	cancel()
	<-done
	r.answers = append(r.answers, float64(stop())/time.Since(began).Seconds())
	if err != nil {
		return err
	}
	r.under = append(r.under, under)
	return nil
}

// begin starts the flood; what it returns ends it, and says how many answers it got.
func (f flood) begin(ctx context.Context, s *server, c contender, bad *messages) (stop func() int, err error) {
	var opened []func()
	stop = func() int {
		for _, c := range opened {
			c()
		}
		return 0
	}
	for range f.idle {
		conn, err := worker.Idle(ctx, s.checks)
		if err != nil {
			stop()
			return nil, err
		}
		opened = append(opened, func() { conn.Close() })
	}
	for range f.deaf {
		w, err := worker.Dial(ctx, worker.Config{Address: s.checks, Next: bad.next, Timeout: f.timeout, Deaf: true})
		if err != nil {
			stop()
			return nil, err
		}
		opened = append(opened, w.Close)
		w.Keep(100)
	}
	if f.idle > 0 || f.deaf > 0 {
		return stop, nil
	}
	check := isRefused
	if c.name == "empty" {
		check = worker.Want(known) // it decides nothing
	}
	w, err := worker.Dial(ctx, worker.Config{Address: s.checks, Next: bad.next, Timeout: f.timeout, Check: check})
	if err != nil {
		return nil, err
	}
	end := begin(ctx, w, f.load)
	return func() int {
		end()
		n := len(w.Take().Latencies)
		w.Close()
		return n
	}, nil
}

// isRefused wants a refusal, whatever its status: a server that is too busy for a flood says so.
func isRefused(answer []byte) error {
	v, err := worker.Read(answer)
	if err == nil && v.Status == http.StatusOK {
		return errors.New("expected a refusal, got an allowance")
	}
	return err
}

func (f floodRow) line() string {
	of := func(list []sample, f func(sample) time.Duration) float64 {
		out := make([]float64, len(list))
		for i, s := range list {
			out[i] = float64(f(s).Microseconds())
		}
		slices.Sort(out)
		return median(out)
	}
	p50 := func(s sample) time.Duration { return s.p50 }
	r, e := &f.product, &f.empty
	p99 := func(s sample) time.Duration { return s.p99 }
	about := f.flood.about
	if f.flood.fetched {
		about += fmt.Sprintf(" (%d fetches in all)", f.fetches)
	}
	control := ""
	if len(e.under) > 0 {
		control = fmt.Sprintf("%.0f, %.0f: %.1f", of(e.quiet, p99), of(e.under, p99), of(e.under, p99)/of(e.quiet, p99))
	}
	return fmt.Sprintf("| %s | %s | %.0f, %.0f | %.0f, %.0f | %.1f | %s | %.1f, %.1f | %.0f, %.0f | %.0f, %.0f |\n", about,
		thousands(int(median(slices.Sorted(slices.Values(r.answers))))), of(r.quiet, p50), of(r.under, p50), of(r.quiet, p99), of(r.under, p99),
		of(r.under, p99)/of(r.quiet, p99), control, late(r.quiet), late(r.under), r.rss, r.most, r.routines, r.routMost)
}

// late is how many of a thousand checks were late.
func late(list []sample) float64 {
	late, all := 0, 0
	for _, s := range list {
		late, all = late+s.late, all+s.checks
	}
	return float64(late) / float64(max(all, 1)) * 1000
}
