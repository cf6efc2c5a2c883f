package authz

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// FuzzModel: a Request answers every question as its plain model does, whether it is
// new or was another one before.
func FuzzModel(f *testing.F) {
	f.Add("GET", "api.example.com", "/v1/orders?a=1&b=%20", "accept: a\nx-agent: value\ncookie: a=1; b=2", true)
	f.Add("GET", "API.example.com:443", "/%61dmin;x=1/caf%C3%A9/?a[]=1;b", "Cookie: a=1\ncookie: a=2,a=3\nX_Agent: 1\nx.agent: 2\nx-agent: 3", false)
	f.Add("POST", "[2001:db8::1]:80", "/100%25?x=%zz&&+=", ":path: /100%25?x=%zz&&+=\n:method: POST\n:authority: [2001:DB8::1]\n:scheme: HTTPS\n:other: x", false)
	f.Add("GET", "a.example.com", "/a%2Fb//c/.well-known/..x", "host: a.example.com\nhost: a.example.com\nforwarded: host=b\nx_forwarded_host: a.example.com\nX-Host: b\nx-host: a.example.com", true)
	f.Add("GET", "a", "/", "x-original-url: /\nx-rewrite-url: /?\nx-http-method: GET\nx.http.method: POST\nx-forwarded-host: a,a:1", false)
	f.Add("GET", "a", "/?", "connection: close, Upgrade\nproxy_connection: keep-alive,x-user\nConnection: te", false)
	f.Add("PUT", "a", "/.", "date: a, b\ndate: c\nuser-agent: a, b\naccept: a\naccept: b\nx: a,b", true)
	f.Add("get", "a..b", "//x", "X_Agent_Id: a\rb\n: no name\nx y: 1\nx: \x00", true)
	var used Request
	f.Fuzz(func(t *testing.T, method, host, path, headers string, joined bool) {
		raw := Raw{ID: "id", Method: method, Scheme: "HTTPS", Host: host, Path: path, Joined: joined, Headers: fieldsOf(headers)}
		want, wanted := modelNewRequest(raw)
		got, err := NewRequest(raw)
		again := used.Parse(raw)
		if fmt.Sprint(err) != fmt.Sprint(wanted) || fmt.Sprint(again) != fmt.Sprint(wanted) {
			t.Fatalf("expected the error %v, got %v, and %v of a used request", wanted, err, again)
		}
		if wanted != nil {
			return
		}
		names := asked(raw)
		compare(t, got, want, names)
		compare(t, &used, want, names)
	})
}

// fieldsOf reads a line as a field; a CR at its end stands for the line break itself.
func fieldsOf(lines string) (out []Header) {
	for line := range strings.SplitSeq(lines, "\n") {
		if line == "" {
			continue
		}
		at := strings.IndexByte(line[1:], ':') + 1
		if at == 0 {
			at = len(line)
		}
		out = append(out, Header{line[:at], strings.TrimPrefix(strings.TrimPrefix(line[at:], ":"), " ")})
	}
	return out
}

// asked are the names of headers and parameters that a test asks for.
func asked(raw Raw) []string {
	out := []string{"", "x-agent", "x_agent", "cookie", "accept", "date", "user-agent", "a", "absent", "absent_one", "forwarded"}
	for _, h := range raw.Headers {
		name := Lower(strings.TrimPrefix(h.Name, ":"))
		out = append(out, h.Name, name, modelAlias(name), strings.ReplaceAll(name, "-", "_"), strings.ReplaceAll(name, "-", "."))
	}
	return out
}

func compare(t *testing.T, got *Request, want *model, names []string) {
	t.Helper()
	same := func(what string, got, want any) {
		t.Helper()
		if g, w := fmt.Sprintf("%#v", got), fmt.Sprintf("%#v", want); g != w {
			t.Errorf("%s: expected %s, got %s", what, w, g)
		}
	}
	same("the request line", []string{got.ID, got.Method, got.Scheme, got.Host, got.RawPath, got.Path, got.RawQuery},
		[]string{want.ID, want.Method, want.Scheme, want.Host, want.RawPath, want.Path, want.RawQuery})
	same("the forms", got.PathForms, want.PathForms)
	same("the readings", got.PathReadings, want.PathReadings)
	same("the query", append(Query{}, got.Query...), append(Query{}, want.Query...))
	same("whether there are aliases", got.HasAliases(), want.HasAliases())
	same("what misleads", inOrder(got.Misleading()), inOrder(want.Misleading()))
	all := map[string]string{}
	for name, value := range got.Headers() {
		if _, twice := all[name]; twice {
			t.Errorf("%s is listed twice", name)
		}
		all[name] = value
	}
	wanted := map[string]string{}
	for name, f := range want.headers {
		wanted[name] = f.value
	}
	same("the headers", all, wanted)
	for _, name := range names {
		value, count := got.Header(name)
		wantedValue, wantedCount := want.Header(name)
		same("Header "+name, fmt.Sprint(value, count), fmt.Sprint(wantedValue, wantedCount))
		same("Read "+name, got.Read(name), want.Read(name))
		same("Cookie "+name, slices.Collect(got.Cookie(name)), want.Cookie(name))
		same("CookieSightings "+name, got.CookieSightings(name), want.CookieSightings(name))
		same("AppendAliases "+name, inOrder(got.AppendAliases(nil, name)), inOrder(want.others(name)))
		same("Alias "+name, Alias(name), modelAlias(name))
	}
}

func inOrder(names []string) []string {
	return append([]string{}, slices.Sorted(slices.Values(names))...)
}

// others are the headers that came under another name of the same alias.
func (r *model) others(name string) (out []string) {
	for other := range r.headers {
		if other != name && modelAlias(other) == modelAlias(name) {
			out = append(out, other)
		}
	}
	return out
}
