package authz

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// plain is a request that nobody can read in two ways.
func plain() Raw {
	return Raw{Method: "GET", Scheme: "https", Host: "api.example.com", Path: "/v1/orders?a=1", TLS: true,
		Time: time.Unix(1_800_000_000, 0)}
}

func read(t *testing.T, change func(*Raw)) *Request {
	t.Helper()
	raw := plain()
	change(&raw)
	r, err := NewRequest(raw)
	if err != nil {
		t.Fatalf("expected the request to be accepted, got: %v", err)
	}
	return r
}

// refused wants a *BadRequestError that repeats nothing of the request.
func refused(t *testing.T, change func(*Raw)) {
	t.Helper()
	raw := plain()
	change(&raw)
	r, err := NewRequest(raw)
	var bad *BadRequestError
	if !errors.As(err, &bad) || bad.Problem == "" || r != nil {
		t.Fatalf("expected a *BadRequestError and no request, got %v", err)
	}
}

func TestARequestKeepsWhatTheDoorSaw(t *testing.T) {
	raw := plain()
	raw.ID, raw.Body, raw.BodyKnown = "id-1", []byte("body"), true
	raw.Source = Source{Address: "192.0.2.1", Principal: "spiffe://example.com/a"}
	raw.ContextExtensions = map[string]string{"a": "b"}
	raw.Metadata = MetadataMap{"ns": "v"}
	raw.Route = &RouteRef{Kind: "HTTPRoute", Name: "r"}
	r, err := NewRequest(raw)
	if err != nil {
		t.Fatal(err)
	}
	if r.ID != "id-1" || string(r.Body) != "body" || !r.BodyKnown || r.Source != raw.Source || !r.TLS ||
		r.ContextExtensions["a"] != "b" || !reflect.DeepEqual(r.Metadata, raw.Metadata) || r.Route != raw.Route || !r.Time.Equal(raw.Time) {
		t.Errorf("something was lost: %+v", r)
	}
	if r.Method != "GET" || r.Scheme != "https" || r.Host != "api.example.com" || r.RawPath != "/v1/orders" || r.Path != "/v1/orders" || r.RawQuery != "a=1" {
		t.Errorf("something was changed: %+v", r)
	}
}

func TestAMethodIsATokenInUpperCase(t *testing.T) {
	for _, m := range []string{"GET", "M-SEARCH", "X", "BASELINE-CONTROL", strings.Repeat("A", 64)} {
		if r := read(t, func(raw *Raw) { raw.Method = m }); r.Method != m {
			t.Errorf("expected %q, got %q", m, r.Method)
		}
	}
	for _, m := range []string{"", "get", "Get", "GET ", "G T", "GET\n", "GET,POST", "G:T", "GÉT", strings.Repeat("A", 65)} {
		t.Run(m, func(t *testing.T) { refused(t, func(raw *Raw) { raw.Method = m }) })
	}
}

func TestTheHostIsInLowerCaseAndWithoutPort(t *testing.T) {
	for host, want := range map[string]string{
		"api.example.com":        "api.example.com",
		"API.Example.COM":        "api.example.com",
		"api.example.com:443":    "api.example.com",
		"API.example.com:8080":   "api.example.com",
		"localhost":              "localhost",
		"a_b.example.com":        "a_b.example.com",
		"192.0.2.1:80":           "192.0.2.1",
		"[2001:DB8::1]":          "[2001:db8::1]",
		"[2001:db8::1]:443":      "[2001:db8::1]",
		strings.Repeat("a", 255): strings.Repeat("a", 255),
	} {
		if r := read(t, func(raw *Raw) { raw.Host = host }); r.Host != want {
			t.Errorf("%s: expected %s, got %s", host, want, r.Host)
		}
	}
}

func TestAHostWithMoreThanOneReadingIsRefused(t *testing.T) {
	for name, host := range map[string]string{
		"an empty host":                    "",
		"a port alone":                     ":443",
		"a trailing dot":                   "api.example.com.",
		"a trailing dot before the port":   "api.example.com.:443",
		"a leading dot":                    ".example.com",
		"an empty label":                   "api..example.com",
		"a colon without port":             "api.example.com:",
		"a port that is no number":         "api.example.com:https",
		"a port of six digits":             "api.example.com:000443",
		"a negative port":                  "api.example.com:-1",
		"two ports":                        "api.example.com:80:443",
		"a user":                           "user@api.example.com",
		"two hosts":                        "api.example.com,evil.example.com",
		"a space":                          "api.example.com evil.example.com",
		"a NUL":                            "api.example.com\x00",
		"a line break":                     "api.example.com\r\nx: y",
		"a slash":                          "api.example.com/admin",
		"a backslash":                      `api.example.com\admin`,
		"a percent-encoding":               "api%2eexample.com",
		"a letter beyond ASCII":            "äpi.example.com",
		"an address without brackets":      "2001:db8::1",
		"a bracket that is not closed":     "[2001:db8::1",
		"empty brackets":                   "[]",
		"a zone in brackets":               "[fe80::1%25eth0]",
		"text after the brackets":          "[2001:db8::1]evil",
		"a bracket in the middle":          "a[::1]",
		"a host of more than 255 bytes":    strings.Repeat("a", 256),
		"a question mark":                  "api.example.com?x",
		"a hash":                           "api.example.com#x",
		"a full-width dot that IDNA folds": "api。example.com",
		"a wildcard":                       "*.example.com",
	} {
		t.Run(name, func(t *testing.T) { refused(t, func(raw *Raw) { raw.Host = host }) })
	}
}

func TestThePathIsDecodedOnceAndCutAtSemicolons(t *testing.T) {
	for name, c := range map[string]struct{ sent, want string }{
		"a path as it is":                    {"/v1/orders", "/v1/orders"},
		"the root":                           {"/", "/"},
		"a slash at the end stays":           {"/v1/", "/v1/"},
		"an encoded letter":                  {"/%61dmin", "/admin"},
		"an encoded space":                   {"/a%20b", "/a b"},
		"letters beyond ASCII":               {"/caf%C3%A9", "/café"},
		"letters beyond ASCII that came raw": {"/café", "/café"},
		"a parameter of a segment is cut":    {"/admin;v=1/x", "/admin/x"},
		"a parameter of the last segment":    {"/admin;jsessionid=1", "/admin"},
		"an encoded semicolon is cut too":    {"/admin%3bx", "/admin"},
		"only the first semicolon counts":    {"/a;b;c", "/a"},
		"a parameter alone at the end":       {"/a/;x", "/a/"},
		"an encoded percent":                 {"/100%25", "/100%"},
		"an encoded percent before no hex":   {"/100%25zz", "/100%zz"},
		"an encoded question mark":           {"/a%3Fb", "/a?b"},
		"an encoded hash":                    {"/a%23b", "/a#b"},
		"three dots are a name":              {"/.../x", "/.../x"},
		"a name that begins with a dot":      {"/.well-known/x", "/.well-known/x"},
		"a name that ends in dots":           {"/a../x", "/a../x"},
		"a plus is a plus":                   {"/a+b", "/a+b"},
		"a colon and an at sign":             {"/a:b@c", "/a:b@c"},
		"an asterisk below the root":         {"/*", "/*"},
	} {
		t.Run(name, func(t *testing.T) {
			r := read(t, func(raw *Raw) { raw.Path = c.sent })
			if r.Path != c.want || r.RawPath != c.sent {
				t.Errorf("expected %q of %q, got %q of %q", c.want, c.sent, r.Path, r.RawPath)
			}
		})
	}
}

func TestAPathWithMoreThanOneReadingIsRefused(t *testing.T) {
	for name, path := range map[string]string{
		"no path":                                  "",
		"a query alone":                            "?a=1",
		"an asterisk":                              "*",
		"no slash at the beginning":                "v1",
		"the absolute form":                        "https://api.example.com/v1",
		"a dot segment":                            "/v1/./orders",
		"a dot segment at the end":                 "/v1/.",
		"a dot-dot segment":                        "/public/../admin",
		"a dot-dot segment at the end":             "/v1/..",
		"an encoded dot-dot segment":               "/public/%2e%2e/admin",
		"a half encoded dot-dot segment":           "/public/.%2E/admin",
		"a dot-dot segment with a parameter":       "/public/..;/admin",
		"a dot-dot segment, encoded parameter":     "/public/..%3b/admin",
		"an encoded dot-dot segment and parameter": "/public/%2e%2e;x=1/admin",
		"a dot segment with a parameter":           "/.;x/admin",
		"a backslash":                              `/public\admin`,
		"an encoded backslash":                     "/public%5cadmin",
		"an encoded backslash in upper case":       "/public%5Cadmin",
		"a double encoding of a dot":               "/%252e%252e/admin",
		"half a percent-encoding":                  "/a%2",
		"a percent at the end":                     "/a%",
		"a percent-encoding that is no hex":        "/%zz",
		"a percent-encoding with a plus":           "/%+1",
		"a NUL":                                    "/a\x00b",
		"an encoded NUL":                           "/a%00b",
		"a line break":                             "/a\r\nb",
		"an encoded line break":                    "/a%0d%0ab",
		"an encoded tab":                           "/a%09b",
		"an encoded DEL":                           "/a%7fb",
		"a DEL":                                    "/a\x7fb",
		"an encoded control of Latin-1":            "/a%C2%85b",
		"a space":                                  "/a b",
		"a fragment":                               "/a#b",
		"a fragment behind the query":              "/a?b#c",
		"bytes that are no UTF-8":                  "/a%ff",
		"raw bytes that are no UTF-8":              "/a\xff",
		"an overlong slash":                        "/a%c0%afb",
		"half a surrogate":                         "/%ed%a0%80",
	} {
		t.Run(name, func(t *testing.T) { refused(t, func(raw *Raw) { raw.Path = path }) })
	}
}

func TestAPathThatServersReadInTwoWaysSaysSo(t *testing.T) {
	for sent, c := range map[string]struct {
		read     string
		forms    PathForms
		readings []string
	}{
		"/a/b":                  {"/a/b", 0, nil},
		"/a%2Fb":                {"/a%2Fb", EncodedSlash, []string{"/a/b"}},
		"/a%2fb/%63":            {"/a%2Fb/c", EncodedSlash, []string{"/a/b/c"}},
		"/a%2F":                 {"/a%2F", EncodedSlash, []string{"/a/"}},
		"//evil.example.com/v1": {"//evil.example.com/v1", EmptySegment, []string{"/evil.example.com/v1"}},
		"/v1//":                 {"/v1//", EmptySegment, []string{"/v1/"}},
		"/v1///x":               {"/v1///x", EmptySegment, []string{"/v1/x"}},
		"/a/;x/b":               {"/a//b", EmptySegment, []string{"/a/b"}},
		"/f/100%25de.pdf":       {"/f/100%25de.pdf", EncodedPercent, []string{"/f/100%DE.pdf"}},
		"/f/100%25zz.pdf":       {"/f/100%zz.pdf", 0, nil},
		"/f/100%2541.pdf":       {"/f/100%2541.pdf", EncodedPercent, []string{"/f/100A.pdf"}},
		"/%25%36%31dmin":        {"/%2561dmin", EncodedPercent, []string{"/admin"}},
		"/%256%31dmin":          {"/%2561dmin", EncodedPercent, []string{"/admin"}},
		"/a%2F%2Fb":             {"/a%2F%2Fb", EncodedSlash | EmptySegment, []string{"/a//b", "/a/b"}},
		"/a%252Fb":              {"/a%252Fb", EncodedPercent | EncodedSlash, []string{"/a%2Fb", "/a/b"}},
	} {
		r := read(t, func(raw *Raw) { raw.Path = sent })
		if r.Path != c.read || r.PathForms != c.forms || !slices.Equal(r.PathReadings, c.readings) {
			t.Errorf("%s: expected %q %d %q, got %q %d %q", sent, c.read, c.forms, c.readings, r.Path, r.PathForms, r.PathReadings)
		}
	}
}

func TestNoFormOfAPathHidesADotSegmentOrAControl(t *testing.T) {
	for _, path := range []string{
		"/a%2F..%2Fb", "/a%2F%2e%2e", "/%2e%2e%2Fa", "/a/..%2Fb", "/%252e%252e/x", "/a%252F..%252Fb", "/%252e%252e%252fb", "/a//../b", "/a%2F.;x%2Fb",
		"/a%255cb", "/a%2500b", "/a%250ab", "/a%25252Fb", "/a%5Cb%2Fc",
	} {
		refused(t, func(raw *Raw) { raw.Path = path })
	}
}

func TestAQueryIsNoPartOfThePath(t *testing.T) {
	r := read(t, func(raw *Raw) { raw.Path = "/v1?next=/admin/../x?y" })
	if r.Path != "/v1" || r.RawQuery != "next=/admin/../x?y" {
		t.Errorf("got path %q and query %q", r.Path, r.RawQuery)
	}
}

func TestTheZeroDecisionDenies(t *testing.T) {
	var d Decision
	if d.Outcome != Deny || d.Outcome.String() != "deny" {
		t.Errorf("expected a denial, got %s", d.Outcome)
	}
	for o, want := range map[Outcome]string{Deny: "deny", Allow: "allow", Error: "error", Respond: "respond", Outcome(200): "deny"} {
		if o.String() != want {
			t.Errorf("%d: expected %s, got %s", o, want, o)
		}
	}
}

func TestReasonsAreListedOnce(t *testing.T) {
	seen := map[Reason]bool{}
	for _, r := range Reasons() {
		if seen[r] || r == "" {
			t.Errorf("%q is empty or listed twice", r)
		}
		seen[r] = true
	}
	if len(seen) < 20 {
		t.Errorf("only %d reasons are listed", len(seen))
	}
}
