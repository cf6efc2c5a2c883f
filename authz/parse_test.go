package authz

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// full is a request that fills every field of a Request.
func full() Raw {
	raw := usual()
	raw.ID, raw.Host, raw.Path = "id", raw.Host+":8443", "/a%2Fb//c%2541?a=1&b=2;c=3&d=%zz"
	raw.Body, raw.BodyKnown = []byte("body"), true
	raw.Source = Source{Address: "192.0.2.1", Principal: "p"}
	raw.ContextExtensions = map[string]string{"a": "b"}
	raw.Route = &RouteRef{Name: "r"}
	raw.Headers = append(raw.Headers, Header{"X_Odd", "1"}, Header{"x.odd", "2"}, Header{"cookie", "x=1"}, Header{"x_forwarded_host", "b"}, Header{"connection", "close"})
	return raw
}

func TestAUsedRequestParsedAgainIsAFreshOne(t *testing.T) {
	bare := Raw{Method: "GET", Host: "a", Path: "/"}
	refused := with(full(), func(r *Raw) { r.Headers = append(r.Headers, Header{"x", "\n"}) })
	huge := many(1000, func(i int) string { return fmt.Sprint("x_", i) })
	for _, before := range []Raw{full(), huge, refused} {
		for _, next := range []Raw{bare, usual(), full(), asMap()} {
			var used Request
			_ = used.Parse(before)
			if err := used.Parse(next); err != nil {
				t.Fatal(err)
			}
			fresh, err := NewRequest(next)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "Request", reflect.ValueOf(&used).Elem(), reflect.ValueOf(fresh).Elem())
			used.Reset()
			equal(t, "Request", reflect.ValueOf(&used).Elem(), reflect.ValueOf(Request{}))
			for _, c := range requests {
				_ = used.Parse(c.raw)
			}
			_ = used.Parse(Raw{})
			equal(t, "Request", reflect.ValueOf(&used).Elem(), reflect.ValueOf(Request{}))
		}
	}
}

// equal compares two values of which lists may have been kept, empty: also what stands
// behind the end of a list must be zero.
func equal(t *testing.T, what string, got, want reflect.Value) {
	t.Helper()
	switch got.Kind() {
	case reflect.Struct:
		for i := range got.NumField() {
			equal(t, what+"."+got.Type().Field(i).Name, got.Field(i), want.Field(i))
		}
	case reflect.Slice:
		if got.Len() != want.Len() {
			t.Errorf("%s: expected the length %d, got %d", what, want.Len(), got.Len())
			return
		}
		for i := range got.Len() {
			equal(t, fmt.Sprintf("%s[%d]", what, i), got.Index(i), want.Index(i))
		}
		for i := got.Len(); i < got.Cap(); i++ {
			if rest := got.Slice3(0, got.Cap(), got.Cap()).Index(i); !rest.IsZero() {
				t.Errorf("%s holds something of a request before, behind its end", what)
			}
		}
	default:
		if g, w := fmt.Sprintf("%#v", got), fmt.Sprintf("%#v", want); g != w {
			t.Errorf("%s: expected %s, got %s", what, w, g)
		}
	}
}

func TestAFullRequestFillsEveryField(t *testing.T) {
	r := read(t, func(raw *Raw) { *raw = full() })
	v := reflect.ValueOf(r).Elem()
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; v.Field(i).IsZero() && name != "Metadata" && name != "Recorded" {
			t.Errorf("full leaves %s empty, so no test sees whether it is reset", name)
		}
	}
}

func TestTheMemoryOfAHugeRequestIsNotKept(t *testing.T) {
	raw := many(10_000, func(i int) string { return fmt.Sprint("x_", i/2) })
	raw.Path += strings.Repeat("&a=1", 10_000)
	var r Request
	if err := r.Parse(raw); err != nil {
		t.Fatal(err)
	}
	r.Reset()
	for name, kept := range map[string]int{
		"parameters": cap(r.Query), "fields": cap(r.fields.list), "variants": cap(r.fields.variants), "values": cap(r.fields.values),
		"slots of names": cap(r.fields.names) / 4, "slots of aliases": cap(r.fields.aliases) / 4,
	} {
		if kept > keptFields {
			t.Errorf("%d %s are kept", kept, name)
		}
	}
}

func TestAUsualRequestIsReadWithoutAllocations(t *testing.T) {
	var r Request
	for name, c := range map[string]struct {
		raw         Raw
		reused, new float64
	}{
		"usual": {usual(), 0, 4}, "as a map": {asMap(), 0, 4}, "two cookies": {with(asMap(), func(r *Raw) { r.Headers = append(r.Headers, Header{"cookie", "a=1"}) }), 1, 6},
		"an alias": {with(usual(), func(r *Raw) { r.Headers = append(r.Headers, Header{"x_agent", "1"}) }), 0, 6}, "100 headers": {many(100, func(i int) string { return fmt.Sprint("x-", i) }), 0, 4},
	} {
		if n := testing.AllocsPerRun(100, func() { _ = r.Parse(c.raw); r.Reset() }); n > c.reused {
			t.Errorf("%s: expected %v allocations in a used request, got %v", name, c.reused, n)
		}
		if n := testing.AllocsPerRun(100, func() { _, _ = NewRequest(c.raw) }); n > c.new {
			t.Errorf("%s: expected %v allocations in a new request, got %v", name, c.new, n)
		}
	}
}

func TestAUsualRequestIsAskedWithoutAllocations(t *testing.T) {
	r := read(t, func(raw *Raw) { *raw = usual() })
	variant := read(t, withHeaders(Header{"x_agent", "1"}, Header{"x-forwarded-host", "api.example.com"}))
	names := make([]string, 0, 8)
	for name, ask := range map[string]func(){
		"Header": func() { r.Header("authorization") },
		"Headers": func() {
			for name := range r.Headers() {
				sink += len(name)
			}
		},
		"Read": func() {
			r.Read("authorization")
			r.Read("x_agent_id")
			variant.Read("x-agent")
			variant.Read("x!agent")
		},
		"Misleading": func() { r.Misleading(); variant.Misleading() },
		"AppendAliases": func() {
			names = variant.AppendAliases(names[:0], "x-agent")
			names = r.AppendAliases(names[:0], "x_agent")
		},
		"CookieSightings": func() { r.CookieSightings("session") },
		"Cookie": func() {
			for v := range r.Cookie("session") {
				sink += len(v)
			}
		},
		"Values": func() {
			for p := range r.Query.Values("page") {
				sink += len(p.Value)
			}
		},
		"HaveAlternate": func() { r.Query.HaveAlternate("page") },
		"Alias":         func() { Alias("x-agent") },
		"Lower":         func() { Lower("x-agent") },
		"EqualFold":     func() { _ = EqualFold("X-Agent", "x-agent") },
	} {
		if n := testing.AllocsPerRun(100, ask); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
