package authz

import (
	"fmt"
	"strings"
	"testing"
)

// usual is a request as Envoy sends most.
func usual() Raw {
	raw := plain()
	raw.Path, raw.Joined = "/v1/orders/4711/lines?page=2&limit=50", true
	raw.Headers = []Header{
		{"accept", "application/json"}, {"accept-encoding", "gzip, deflate, br"}, {"accept-language", "en"},
		{"authorization", "Bearer " + strings.Repeat("eyJhbGciOi", 70)}, {"cache-control", "no-cache"},
		{"content-length", "0"}, {"content-type", "application/json"}, {"cookie", "session=abcdef; theme=dark"},
		{"origin", "https://app.example.com"}, {"referer", "https://app.example.com/orders"},
		{"sec-fetch-dest", "empty"}, {"sec-fetch-mode", "cors"}, {"sec-fetch-site", "same-site"},
		{"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}, {"user-agent", "agent/1.2 (linux; amd64)"},
		{"x-agent-session", "s-1"}, {"x-envoy-expected-rq-timeout-ms", "15000"}, {"x-forwarded-for", "192.0.2.1"},
		{"x-forwarded-proto", "https"}, {"x-request-id", "7d1a7f3e-8b0f-4f0e-9a53-1f6e0e4b2f6a"},
	}
	return raw
}

// asMap is the usual request as it comes with encode_raw_headers.
func asMap() Raw {
	raw := usual()
	raw.Joined = false
	raw.Headers = append([]Header{{":authority", raw.Host}, {":method", raw.Method}, {":path", raw.Path}, {":scheme", "https"}}, raw.Headers...)
	return raw
}

func many(n int, name func(i int) string) Raw {
	raw := usual()
	raw.Headers = nil
	for i := range n {
		raw.Headers = append(raw.Headers, Header{name(i), "value"})
	}
	return raw
}

func with(raw Raw, change func(*Raw)) Raw {
	change(&raw)
	return raw
}

var requests = []struct {
	name string
	raw  Raw
}{
	{"usual", usual()},
	{"header map", asMap()},
	{"header map with two cookies", with(asMap(), func(r *Raw) { r.Headers = append(r.Headers, Header{"cookie", "a=1"}, Header{"cookie", "b=2"}) })},
	{"capitals and an alias", with(usual(), func(r *Raw) { r.Headers = append(r.Headers, Header{"X-Agent", "1"}, Header{"x_agent", "2"}) })},
	{"an encoded path", with(usual(), func(r *Raw) { r.Path = "/v1/caf%C3%A9/lines;v=1?name=J%C3%BCrgen" })},
	{"100 headers", many(100, func(i int) string { return fmt.Sprint("x-header-", i) })},
	{"1000 headers", many(1000, func(i int) string { return fmt.Sprint("x-header-", i) })},
	{"1000 equal headers", many(1000, func(int) string { return "x-header" })},
	{"1000 aliases of one name", many(1000, func(i int) string {
		return "x" + strings.NewReplacer("0", "-", "1", "_").Replace(fmt.Sprintf("%010b", i)) + "x"
	})},
	{"a bad method", with(usual(), func(r *Raw) { r.Method = "get" })},
	{"a bad path", with(usual(), func(r *Raw) { r.Path = "/a/../b" })},
	{"a bad header", with(usual(), func(r *Raw) { r.Headers = append(r.Headers, Header{"x", "a\nb"}) })},
}

func BenchmarkNewRequest(b *testing.B) {
	for _, c := range requests {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = NewRequest(c.raw)
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	for _, c := range requests {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			var r Request
			for b.Loop() {
				_ = r.Parse(c.raw)
				r.Reset()
			}
		})
	}
}

var sink int

func BenchmarkRequest(b *testing.B) {
	r, err := NewRequest(usual())
	if err != nil {
		b.Fatal(err)
	}
	for name, do := range map[string]func(){
		"Header":      func() { _, sink = r.Header("authorization") },
		"Read":        func() { sink = len(r.Read("x-request-id").Value) },
		"Read absent": func() { sink = len(r.Read("x-agent-id").Value) },
		"Headers": func() {
			for n := range r.Headers() {
				sink += len(n)
			}
		},
		"Misleading":    func() { sink = len(r.Misleading()) },
		"AppendAliases": func() { sink = len(r.AppendAliases(nil, "x-agent-id")) },
		"Cookie": func() {
			for v := range r.Cookie("session") {
				sink += len(v)
			}
			sink += r.CookieSightings("session")
		},
		"no Cookie": func() {
			for v := range r.Cookie("other") {
				sink += len(v)
			}
			sink += r.CookieSightings("other")
		},
		"query": func() {
			for p := range r.Query.Values("page") {
				sink += len(p.Value)
			}
		},
		"alternates": func() {
			if r.Query.HaveAlternate("page") {
				sink++
			}
		},
		"Alias":     func() { sink = len(Alias("x-agent-session")) },
		"Alias odd": func() { sink = len(Alias("x_agent_session")) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				do()
			}
		})
	}
}
