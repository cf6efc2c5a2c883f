package authz

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// modelElement is a parameter of Forwarded as RFC 7239 4 writes it.
var modelElement = regexp.MustCompile(`(?i)(?:^|[;,][ \t]*)host=(?:"((?:[^"\\]|\\.)*)"|([^;,\s"]*))`)

// Whatever a reader by the grammar, or one that splits at every ';' and ',', takes for
// the host is the request's, or the header is removed.
func FuzzForwarded(f *testing.F) {
	f.Add("for=192.0.2.1;host=api.example.com;proto=https")
	f.Add(`host="API.example.com:443", for="[2001:db8::1]:1";HOST=evil.example.com`)
	f.Add(`for="a;host=evil.example.com`)
	f.Add("host = x, Host\t=api.example.com")
	f.Add("x-host=a;hosthost=b;host")
	f.Fuzz(func(t *testing.T, value string) {
		r, err := NewRequest(Raw{Method: "GET", Scheme: "https", Host: "api.example.com", Path: "/", Headers: []Header{{"forwarded", value}}})
		if err != nil || slices.Contains(r.Misleading(), "forwarded") {
			return
		}
		for _, m := range modelElement.FindAllStringSubmatch(value, -1) {
			if host := m[1] + m[2]; !r.isHost(host) {
				t.Errorf("%q stays, and its host is %q", value, host)
			}
		}
		for part := range strings.FieldsFuncSeq(value, func(c rune) bool { return c == ';' || c == ',' }) {
			name, host, is := strings.Cut(strings.Trim(part, " \t"), "=")
			if is && EqualFold(strings.Trim(name, " \t"), "host") && !r.isHost(strings.Trim(host, "\" \t")) {
				t.Errorf("%q stays, and its host is %q", value, host)
			}
		}
	})
}

// The alternates of a query are those of its parameters.
func FuzzAlternates(f *testing.F) {
	f.Add("a[]=1&b=2&a=3", "a")
	f.Add("a.b=1&[c]&]d&e]f", "a_b")
	f.Add("a%5B0%5D=1&a%5B%zz=2&+a=3;a[b][c]=4", "a[b]")
	f.Add("0&0&+;", " ")
	f.Fuzz(func(t *testing.T, query, name string) {
		q, err := parseQuery(nil, query)
		if err != nil || strings.Count(query, "[")+strings.Count(query, "]")+strings.Count(query, "%") >= maxParts {
			return
		}
		if have := q.Alternates().Have(name); have != q.HaveAlternate(name) {
			t.Errorf("%q has an alternate of %q: %v and %v", query, name, have, !have)
		}
	})
}
