package main

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/verified"
	"github.com/agentauth-dev/agentauth/test/bench/worker"
)

// raw is what the door makes of a request.
func (r request) raw() authz.Raw {
	out := authz.Raw{
		ID: requestID, Method: "POST", Scheme: "https", Host: r.host, Path: r.path, TLS: true, Joined: true,
		Source: authz.Source{Address: "10.12.33.7", Certificate: r.certificate}, Time: time.Now(), Body: r.body, BodyKnown: len(r.body) > 0,
	}
	for _, f := range r.fields() {
		out.Headers = append(out.Headers, authz.Header{Name: f[0], Value: f[1]})
	}
	return out
}

// benchmarked runs the scenarios that differ in the stages that they go through.
func benchmarked(b *testing.B, run func(b *testing.B, s scenario, requests []request)) {
	for _, s := range scenarios(scale{keys: 10_000, cost: usualCost}) {
		switch s.name {
		case "main", "tokens", "new-es256", "basic", "key", "introspected-1000", "mcp-2k", "mcp-64k", "certificate", "bad-signature", "garbage", "no-credential":
			b.Run(s.name, func(b *testing.B) { run(b, s, s.requests(min(s.count, 1000))) })
		}
	}
}

// BenchmarkRequest is reading a request strictly, before any policy is looked at.
func BenchmarkRequest(b *testing.B) {
	raw := bearers(garbage(1))[0].raw()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := authz.NewRequest(raw); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecision is all of a decision but the wire: from what the door saw to what it answers.
func BenchmarkDecision(b *testing.B) {
	benchmarked(b, func(b *testing.B, s scenario, requests []request) {
		e := kernelOf(b, s, s.policies-1)
		var raws []authz.Raw
		for _, r := range requests {
			raws = append(raws, r.raw())
		}
		if d := e.Decide(b.Context(), raws[0]); (d.Outcome == authz.Allow) != (s.want.Status == 200) {
			b.Fatalf("expected status %d, got %+v", s.want.Status, d)
		}
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			e.Decide(b.Context(), raws[i%len(raws)])
			i++
		}
	})
}

// BenchmarkCall is all of a check over loopback, 64 in flight, in one process: the client's part, which is small,
// is in it.
func BenchmarkCall(b *testing.B) {
	benchmarked(b, func(b *testing.B, s scenario, requests []request) {
		address := door(b, kernelOf(b, s, s.policies-1))
		m := encode(requests, headers, false)
		calls(b, address, m, s.want, 100)
		b.ReportAllocs()
		b.ResetTimer()
		calls(b, address, m, s.want, b.N)
	})
}

// calls asks n times.
func calls(b testing.TB, address string, m *messages, want worker.Verdict, n int) {
	b.Helper()
	sent := 0
	next := func() ([]byte, bool) {
		if sent++; sent > n {
			return nil, false
		}
		return m.next()
	}
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	w, err := worker.Dial(ctx, worker.Config{Address: address, Next: next, Check: worker.Want(want), Timeout: time.Minute})
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	w.Keep(64)
	<-w.Exhausted()
	for {
		if all, _ := w.InFlight(); all == 0 {
			break
		}
		if ctx.Err() != nil {
			b.Fatal(ctx.Err())
		}
		time.Sleep(50 * time.Microsecond)
	}
	if t := w.Take(); t.First != nil || len(t.Latencies) != n {
		b.Fatal(fmt.Errorf("expected %d answers, got %d: %w", n, len(t.Latencies), t.First))
	}
}

// BenchmarkStages is BenchmarkDecision of policies that have a stage more, each among 1,001: the difference of two
// is the cost of a stage.
func BenchmarkStages(b *testing.B) {
	whole := tools()
	before := func(field string) string { return whole[:strings.Index(whole, field)] }
	spec := before("  authentication:")
	token := strings.Replace(before("  authorization:"), "        scopes: [\"tools:call\"]\n", "", 1)
	answer := whole[strings.Index(whole, "  response:"):]
	for _, s := range []struct{ name, policy string }{
		{"public", spec + "  authentication: {methods: [{name: all, anonymous: {}}]}\n"}, // read, found, nothing else
		{"token", token},
		{"token+scopes", before("  authorization:")},
		{"token+rule", token + whole[strings.Index(whole, "  authorization:"):strings.Index(whole, "  response:")]},
		{"token+headers", token + answer},
		{"all", whole},
	} {
		b.Run(s.name, func(b *testing.B) {
			e := kernel(b, []string{s.policy}, 1000)
			raw := bearers(tokens(jose.RS256, 1))[0].raw()
			if d := e.Decide(b.Context(), raw); d.Outcome != authz.Allow {
				b.Fatalf("expected an allowance, got %+v", d)
			}
			b.ReportAllocs()
			for b.Loop() {
				e.Decide(b.Context(), raw)
			}
		})
	}
}

// BenchmarkMemoryOfATokenThatIsKept is what the heap grows by for each token that is kept, beside what the cache counts
// for it. Once says all (-benchtime 1x).
func BenchmarkMemoryOfATokenThatIsKept(b *testing.B) {
	const tokensKept = 2000
	heap := func() float64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	for _, s := range scenarios(scale{}) {
		if s.name != "tokens" && s.name != "introspected-1000" {
			continue
		}
		b.Run(s.name, func(b *testing.B) {
			var raws []authz.Raw
			for _, r := range s.requests(tokensKept) {
				raws = append(raws, r.raw())
			}
			for b.Loop() {
				cache := verified.New(verified.Options{Bytes: 256 << 20})
				e := kernelWith(b, cache, s.documents(), 0)
				e.Decide(b.Context(), raws[0])
				before := heap()
				for _, raw := range raws {
					if d := e.Decide(b.Context(), raw); d.Outcome != authz.Allow {
						b.Fatalf("expected an allowance, got %+v", d)
					}
				}
				b.ReportMetric((heap()-before)/tokensKept, "B/token")
				b.ReportMetric(float64(cache.Stats().Bytes)/tokensKept, "counted-B/token")
			}
		})
	}
}
