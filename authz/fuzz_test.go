package authz

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func FuzzNewRequest(f *testing.F) {
	f.Add("GET", "api.example.com", "/v1/orders?a=1&b=%20", "x-agent", "value")
	f.Add("GET", "API.example.com:443", "/%61dmin;x=1/caf%C3%A9/", "Cookie", "a=1; b=2")
	f.Add("POST", "[2001:db8::1]:80", "/100%25?x=%zz", ":path", "/100%25?x=%zz")
	f.Add("GET", "a.example.com.", "/public/..;/admin", "host", "a.example.com")
	f.Add("GET", "a.example.com", "/%25%36%31dmin/%25zz/%25", "x", "y")
	f.Add("get", "a..b", "//x", "X_Agent_Id", "a\r\nb")
	f.Add("GET", "a", "/%2e%2e/%2f/%5c/%00#", "", "")
	f.Fuzz(func(t *testing.T, method, host, path, name, value string) {
		raw := Raw{Method: method, Scheme: "https", Host: host, Path: path, Headers: []Header{{name, value}}}
		r, err := NewRequest(raw)
		if err != nil {
			var bad *BadRequestError
			if !errors.As(err, &bad) || r != nil {
				t.Fatalf("expected a *BadRequestError and no request, got %T and %v", err, r)
			}
			return
		}
		if r.Method == "" || strings.ToUpper(r.Method) != r.Method {
			t.Errorf("the method is %q", r.Method)
		}
		checkHost(t, r.Host)
		if r.PathForms != 0 {
			checkForms(t, r)
			return
		}
		checkPath(t, r.Path)
		for n, v := range r.Headers() {
			if !ValidFieldName(n) || n != strings.ToLower(n) || strings.ContainsAny(v, "\r\n\x00") {
				t.Errorf("header %q: %q", n, v)
			}
		}
		if r.RawPath+"?"+r.RawQuery != path && r.RawPath != path {
			t.Errorf("path %q and query %q are not what came: %q", r.RawPath, r.RawQuery, path)
		}
		again, err := NewRequest(Raw{Method: r.Method, Scheme: r.Scheme, Host: r.Host, Path: encodePath(r.Path)})
		if err != nil {
			t.Fatalf("%q was read as %q on %q, which is refused: %v", path, r.Path, r.Host, err)
		}
		if again.Path != r.Path || again.Host != r.Host {
			t.Errorf("%q on %q is read as %q on %q", r.Path, r.Host, again.Path, again.Host)
		}
	})
}

func checkHost(t *testing.T, host string) {
	t.Helper()
	bare := host == "" || strings.HasSuffix(host, ".") || host != strings.ToLower(host) ||
		strings.ContainsAny(host, "/\\@%,# \x00") || host[0] != '[' && strings.Contains(host, ":")
	if bare {
		t.Errorf("the host is %q", host)
	}
}

// checkForms: each other reading is a path that can be read, and has no form that is
// not told.
func checkForms(t *testing.T, r *Request) {
	t.Helper()
	for _, reading := range r.PathReadings {
		other, err := NewRequest(Raw{Method: r.Method, Scheme: r.Scheme, Host: r.Host, Path: reading})
		if err == nil && other.PathForms&^r.PathForms != 0 {
			t.Errorf("%q has the forms %d, and its reading %q %d", r.RawPath, r.PathForms, reading, other.PathForms)
		}
		if r.PathForms&EncodedPercent == 0 && err != nil {
			t.Errorf("%q has the reading %q, which is refused: %v", r.RawPath, reading, err)
		}
	}
}

func checkPath(t *testing.T, path string) {
	t.Helper()
	if !strings.HasPrefix(path, "/") || !utf8.ValidString(path) || strings.ContainsAny(path, "\\;") || strings.ContainsFunc(path, unicode.IsControl) {
		t.Errorf("the path is %q", path)
	}
	segments := strings.Split(path, "/")[1:]
	for i, s := range segments {
		if s == "." || s == ".." || s == "" && i < len(segments)-1 {
			t.Errorf("the path %q has the segment %q", path, s)
		}
	}
}

// encodePath writes a decoded path so that it can be sent.
func encodePath(path string) string {
	var b strings.Builder
	for i := range len(path) {
		if c := path[i]; c == '/' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func FuzzAlias(f *testing.F) {
	f.Add("X_Agent.Id")
	f.Add("x-agent-id")
	f.Fuzz(func(t *testing.T, name string) {
		alias := Alias(name)
		if len(alias) != len(name) || Alias(alias) != alias {
			t.Errorf("%q has the alias %q", name, alias)
		}
		if strings.Trim(alias, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			t.Errorf("the alias %q has something else than letters, digits and '-'", alias)
		}
		if isASCII(name) && (Alias(strings.ToUpper(name)) != alias || Alias(strings.ToLower(name)) != alias) {
			t.Errorf("the letter case of %q changes its alias", name)
		}
	})
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
}

func FuzzValidFieldValue(f *testing.F) {
	f.Add("a b")
	f.Add(" a\r\n")
	f.Fuzz(func(t *testing.T, value string) {
		if ValidFieldValue(value) && (strings.Trim(value, " \t\r\n\x00") != value || strings.ContainsAny(value, "\r\n\x00\x7f")) {
			t.Errorf("%q is taken for a field value", value)
		}
	})
}
