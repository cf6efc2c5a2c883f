package match

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// oneHostEach is the usual shape: a policy for everything on a host of its own.
func oneHostEach(n int) []Entry {
	entries := make([]Entry, n)
	for i := range entries {
		entries[i] = Entry{Hostname: fmt.Sprintf("api-%d.example.com", i), Owner: i}
	}
	return entries
}

// onePrefixEach is the other one: a gateway with one host.
func onePrefixEach(n int) []Entry {
	entries := make([]Entry, n)
	for i := range entries {
		entries[i] = Entry{Hostname: "api.example.com", Owner: i}
		entries[i].Match.Path = pathMatch("PathPrefix", fmt.Sprintf("/teams/team-%d/v1", i))
	}
	return entries
}

func mustBuild(t testing.TB, entries []Entry) *Index {
	t.Helper()
	x, _, err := Build(entries, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func BenchmarkLookup(b *testing.B) {
	for _, n := range []int{10, 1_000, 100_000} {
		b.Run(fmt.Sprintf("hosts=%d", n), func(b *testing.B) {
			x := mustBuild(b, oneHostEach(n))
			hosts := make([]string, min(n, 1<<14))
			for i := range hosts {
				hosts[i] = fmt.Sprintf("api-%d.example.com", i*7919%n)
			}
			v := View{Method: "GET", Path: "/v1/orders/42"}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if r := x.LookupAll(hosts[i%len(hosts)], v); r.found == nil {
					b.Fatal("no match")
				}
			}
		})
	}
	for _, n := range []int{10, 1_000, 10_000} {
		b.Run(fmt.Sprintf("prefixes=%d", n), func(b *testing.B) {
			x := mustBuild(b, onePrefixEach(n))
			views := make([]View, min(n, 1<<14))
			for i := range views {
				views[i] = View{Method: "GET", Path: fmt.Sprintf("/teams/team-%d/v1/orders/42", i*7919%n)}
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if r := x.LookupAll("api.example.com", views[i%len(views)]); r.found == nil {
					b.Fatal("no match")
				}
			}
		})
	}
}

func BenchmarkBuild(b *testing.B) {
	for _, n := range []int{10, 1_000, 100_000} {
		b.Run(fmt.Sprintf("hosts=%d", n), func(b *testing.B) {
			entries := oneHostEach(n)
			b.ReportAllocs()
			for b.Loop() {
				mustBuild(b, entries)
			}
		})
	}
	b.Run("prefixes=10000", func(b *testing.B) {
		entries := onePrefixEach(10_000)
		b.ReportAllocs()
		for b.Loop() {
			mustBuild(b, entries)
		}
	})
}

func TestALookupDoesNotAllocate(t *testing.T) {
	x := mustBuild(t, append(onePrefixEach(100),
		entry(t, "0 *.a.test regex:/[a-z]+/[0-9]+ GET header:x=1 query:q=1"), entry(t, "0 *")))
	for _, line := range []string{
		"GET api.example.com/teams/team-7/v1/orders/42",
		"GET y.x.a.test/orders/42?p=0&q=1&r=2 x=1",
		"GET other.test/",
	} {
		host, v := request(line)
		if r := x.LookupAll(host, v); r.found == nil {
			t.Fatalf("%s: no match", line)
		}
		if n := testing.AllocsPerRun(100, func() { x.LookupAll(host, v) }); n != 0 {
			t.Errorf("%s: %v allocations, want none", line, n)
		}
	}
}

// A host of dots and a path of slashes, each of which would be hashed from
// every dot and slash on if the longest suffix and prefix set no bound: that
// takes many seconds.
func TestALongRequestCostsNoMoreThanTheLongestEntries(t *testing.T) {
	var entries []Entry
	for i := range 20 { // small maps do not hash
		entries = append(entries, entry(t, fmt.Sprintf("0 *.a%d.test prefix:/a%d", i, i)), entry(t, fmt.Sprintf("0 *.a1.test prefix:/b%d", i)))
	}
	x := mustBuild(t, entries)
	v := View{Method: "GET", Path: strings.Repeat("/a", 1<<19)}
	start := time.Now()
	if got := outcome(x.LookupAll(strings.Repeat(".", 1<<20)+"b.a1.test", v)); got != none {
		t.Errorf("got %d, want no match", got)
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("took %v", took)
	}
}
