package match

import (
	"strings"
	"testing"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/authz"
)

// headers is the test's request header source, by name in lower case.
type headers map[string]string

func (h headers) Read(name string) authz.Reading {
	v, ok := h[name]
	return authz.Reading{Value: v, Came: ok}
}

// entry makes an entry from a line such as
//
//	"api.test prefix:/v1 POST header:x-tier=gold header~:x-id=[0-9]+ query:page=2 query~:q=a.*"
//
// with the owner in front: "3 api.test …". Paths are exact:, prefix: or regex:.
func entry(t testing.TB, line string) Entry {
	t.Helper()
	fields := strings.Fields(line)
	e := Entry{Hostname: fields[1]}
	for _, digit := range fields[0] {
		e.Owner = e.Owner*10 + int(digit-'0')
	}
	for _, f := range fields[2:] {
		kind, rest, found := strings.Cut(f, ":")
		name, value, _ := strings.Cut(rest, "=")
		switch kind {
		case "exact":
			e.Match.Path = pathMatch(gatewayv1.PathMatchExact, rest)
		case "prefix":
			e.Match.Path = pathMatch(gatewayv1.PathMatchPathPrefix, rest)
		case "regex":
			e.Match.Path = pathMatch(gatewayv1.PathMatchRegularExpression, rest)
		case "header":
			e.Match.Headers = append(e.Match.Headers, gatewayv1.HTTPHeaderMatch{Name: gatewayv1.HTTPHeaderName(name), Value: value})
		case "header~":
			e.Match.Headers = append(e.Match.Headers, gatewayv1.HTTPHeaderMatch{Type: new(gatewayv1.HeaderMatchRegularExpression), Name: gatewayv1.HTTPHeaderName(name), Value: value})
		case "query":
			e.Match.QueryParams = append(e.Match.QueryParams, gatewayv1.HTTPQueryParamMatch{Name: gatewayv1.HTTPHeaderName(name), Value: value})
		case "query~":
			e.Match.QueryParams = append(e.Match.QueryParams, gatewayv1.HTTPQueryParamMatch{Type: new(gatewayv1.QueryParamMatchRegularExpression), Name: gatewayv1.HTTPHeaderName(name), Value: value})
		default:
			if found {
				t.Fatalf("bad entry %q", line)
			}
			e.Match.Method = new(gatewayv1.HTTPMethod(f))
		}
	}
	return e
}

func pathMatch(kind gatewayv1.PathMatchType, value string) *gatewayv1.HTTPPathMatch {
	return &gatewayv1.HTTPPathMatch{Type: &kind, Value: &value}
}

func entriesOf(t testing.TB, lines []string) []Entry {
	t.Helper()
	entries := make([]Entry, len(lines))
	for i, line := range lines {
		entries[i] = entry(t, line)
	}
	return entries
}

func build(t testing.TB, opts Options, lines ...string) *Index {
	t.Helper()
	x, _, err := Build(entriesOf(t, lines), opts)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

const (
	none      = -1 // known host, no match
	unknown   = -2 // unknown host
	ambiguous = -3
)

// outcome is the entry's number, or one of the above.
func outcome(r Result) int {
	switch n, ok := r.Entry(); {
	case r.Ambiguous && ok:
		panic("an ambiguous result gives an entry")
	case r.Ambiguous != (r.Cause != ""):
		panic("an ambiguous result has a cause, and no other has")
	case r.Ambiguous:
		return ambiguous
	case ok && !r.HostKnown:
		panic("a match on an unknown host")
	case ok:
		return n
	case r.HostKnown:
		return none
	}
	return unknown
}

// request makes a lookup's arguments from "POST api.test/v1?a=b x-tier=gold".
func request(line string) (string, View) {
	fields := strings.Fields(line)
	h := headers{}
	for _, f := range fields[2:] {
		name, value, _ := strings.Cut(f, "=")
		h[name] = value
	}
	target, query, _ := strings.Cut(fields[1], "?")
	host, rest, _ := strings.Cut(target, "/")
	return host, View{Method: fields[0], Path: "/" + rest, Query: query, Headers: h}
}

func TestTheIndexFinds(t *testing.T) {
	for _, tc := range []struct {
		name    string
		entries []string
		opts    Options
		want    map[string]int // request: entry
	}{
		// Hosts.
		{"the exact host before any wildcard, whatever their age", []string{"0 *", "0 *.test", "0 *.a.test", "9 x.a.test"}, Options{}, map[string]int{
			"GET x.a.test/": 3, "GET y.a.test/": 2, "GET b.test/": 1, "GET example.com/": 0,
		}},
		{"a wildcard for one or more labels, but not for none", []string{"0 *.a.test"}, Options{}, map[string]int{
			"GET x.a.test/": 0, "GET y.x.a.test/": 0, "GET a.test/": unknown, "GET .a.test/": unknown, "GET xa.test/": unknown,
		}},
		{"no wider host once the most specific one is chosen", []string{"0 *", "0 *.test", "1 a.test prefix:/v1", "1 *.b.test POST"}, Options{}, map[string]int{
			"GET a.test/v1": 2, "GET a.test/v2": none, "GET x.b.test/": none, "POST x.b.test/": 3, "GET b.test/": 1,
		}},
		{"nothing for a host that no entry names", []string{"0 a.test"}, Options{}, map[string]int{"GET b.test/": unknown}},

		// Paths.
		{"everything below the prefix / which is the default", []string{"0 a.test"}, Options{}, map[string]int{
			"GET a.test/": 0, "GET a.test/x/y": 0,
		}},
		{"prefixes by whole segments", []string{"0 a.test prefix:/v1"}, Options{}, map[string]int{
			"GET a.test/v1": 0, "GET a.test/v1/": 0, "GET a.test/v1/x": 0, "GET a.test/v1x": none, "GET a.test/v": none, "GET a.test/": none, "GET a.test/V1": none,
		}},
		{"a prefix with a final slash as one without", []string{"0 a.test prefix:/v1/"}, Options{}, map[string]int{
			"GET a.test/v1": 0, "GET a.test/v1/": 0, "GET a.test/v1/x": 0, "GET a.test/v1x": none,
		}},
		{"exact paths to the letter", []string{"0 a.test exact:/v1", "0 a.test exact:/v2/"}, Options{}, map[string]int{
			"GET a.test/v1": 0, "GET a.test/v1/": none, "GET a.test/v2": none, "GET a.test/v2/": 1,
		}},
		{"an exact path, then a regular expression, then the longest prefix, whatever their age", []string{
			"0 a.test", "1 a.test prefix:/v1", "2 a.test prefix:/v1/users", "3 a.test regex:/v1/(users|groups).*", "4 a.test exact:/v1/users",
		}, Options{}, map[string]int{
			"GET a.test/v1/users": 4, "GET a.test/v1/users/7": 3, "GET a.test/v1/orders": 1, "GET a.test/v2": 0, "GET a.test/v1/groups": 3,
		}},
		{"an exact path, then the longest prefix, then a regular expression for routes of Gateway API", []string{
			"0 a.test regex:/.*", "1 a.test", "2 a.test prefix:/v1", "3 a.test prefix:/v1/users", "4 a.test exact:/v1/users",
		}, Options{Regex: LongestFirst}, map[string]int{
			"GET a.test/v1/users": 4, "GET a.test/v1/users/7": 3, "GET a.test/v1/orders": 2, "GET a.test/v2": 1,
		}},
		{"HEAD by a match for GET, but not where an equal match names HEAD", []string{
			"0 a.test", "1 a.test prefix:/v1 GET", "2 a.test prefix:/v2 GET", "3 a.test prefix:/v2 HEAD", "4 a.test prefix:/v3 GET", "5 a.test prefix:/v3 HEAD header:x=1",
		}, Options{}, map[string]int{
			"HEAD a.test/v1": 1, "GET a.test/v1": 1, "POST a.test/v1": 0, "HEAD a.test/v2": 3, "GET a.test/v2": 2, "HEAD a.test/v3": 4, "HEAD a.test/v3 x=1": 5, "GET a.test/v3 x=1": 4,
		}},
		{"HEAD by no match for GET among routes of Gateway API", []string{"0 a.test", "1 a.test prefix:/v1 GET"}, Options{Regex: LongestFirst}, map[string]int{
			"HEAD a.test/v1": 0,
		}},
		{"a regular expression where no prefix matches", []string{"0 a.test prefix:/v1", "1 a.test regex:/v[23](/.*)?"}, Options{}, map[string]int{
			"GET a.test/v2/x": 1, "GET a.test/v1": 0, "GET a.test/v4": none,
		}},
		{"regular expressions on the whole path", []string{"0 a.test regex:/v1|/v2"}, Options{}, map[string]int{
			"GET a.test/v1": 0, "GET a.test/v2": 0, "GET a.test/v1/x": none, "GET a.test/x/v2": none,
		}},
		{"the older owner's regular expression first, then the earlier", []string{
			"1 a.test regex:/a.*/long GET", "1 a.test regex:/a.*", "0 a.test regex:/ab.*",
		}, Options{}, map[string]int{
			"GET a.test/ab/long": 2, "GET a.test/ac/long": 0, "POST a.test/ac/long": 1,
		}},
		{"the longest regular expression first, if so told", []string{
			"0 a.test regex:/ab.*", "1 a.test regex:/a.*/long", "2 a.test regex:/ab.* POST", "3 a.test regex:/a..*",
		}, Options{Regex: LongestFirst}, map[string]int{
			"GET a.test/ab/long": 1, "GET a.test/ab": 0, "POST a.test/ab": 2, "GET a.test/ax": 3,
		}},

		{"a final slash makes a prefix longer for Envoy Gateway", []string{"0 a.test prefix:/v1 GET", "1 a.test prefix:/v1/"}, Options{EnvoyGateway: true}, map[string]int{
			"GET a.test/v1": 1, "GET a.test/v1/x": 1, "GET a.test/v1x": none,
		}},
		{"and is nothing otherwise", []string{"0 a.test prefix:/v1", "1 a.test prefix:/v1/"}, Options{}, map[string]int{
			"GET a.test/v1": 0, "GET a.test/v1/x": 0,
		}},

		// Method, headers, query parameters.
		{"a method before none, and methods by letter case", []string{"0 a.test", "1 a.test POST"}, Options{}, map[string]int{
			"POST a.test/": 1, "GET a.test/": 0, "post a.test/": 0,
		}},
		{"a method before headers", []string{"0 a.test header:a=1 header:b=2", "1 a.test POST"}, Options{}, map[string]int{
			"POST a.test/ a=1 b=2": 1, "GET a.test/ a=1 b=2": 0,
		}},
		{"a method like a header for Envoy Gateway", []string{"0 a.test POST", "1 a.test header:a=1 header:b=2", "2 a.test header:c=1"}, Options{EnvoyGateway: true}, map[string]int{
			"POST a.test/ a=1 b=2": 1, "POST a.test/ c=1": 0,
		}},
		{"of as many conditions exact ones for Envoy Gateway", []string{
			"0 a.test header~:a=1 query:q=1", "1 a.test header:b=1", "2 a.test exact:/q query~:q=1", "3 a.test exact:/q query:r=1",
		}, Options{EnvoyGateway: true}, map[string]int{
			"GET a.test/?q=1 a=1 b=1": 1, "GET a.test/?q=1 a=1": 0, "GET a.test/q?q=1&r=1": 3, "GET a.test/q?q=1": 2,
		}},
		{"more headers before fewer, and before query parameters", []string{
			"0 a.test query:q=1 query:r=1", "1 a.test header:a=1", "2 a.test header:a=1 header:b=2",
		}, Options{}, map[string]int{
			"GET a.test/?q=1&r=1 a=1 b=2": 2, "GET a.test/?q=1&r=1 a=1": 1, "GET a.test/?q=1&r=1": 0, "GET a.test/": none,
		}},
		{"more query parameters before fewer", []string{"0 a.test query:q=1", "1 a.test query:q=1 query:r=1"}, Options{}, map[string]int{
			"GET a.test/?q=1&r=1": 1, "GET a.test/?r=1&q=1": 1, "GET a.test/?q=1": 0, "GET a.test/?q=2": none,
		}},
		{"the older owner of two that match alike", []string{"1 a.test header:a=1", "0 a.test header:b=1"}, Options{}, map[string]int{
			"GET a.test/ a=1 b=1": 1, "GET a.test/ a=1": 0,
		}},
		{"the earlier entry of one owner's two", []string{"0 a.test header:a=1", "0 a.test header:b=1"}, Options{}, map[string]int{
			"GET a.test/ a=1 b=1": 0,
		}},
		{"the next path of the same host where conditions fail", []string{
			"0 a.test", "1 a.test prefix:/v1 header:x=1", "2 a.test exact:/v1/a POST", "3 a.test regex:/.* PUT",
		}, Options{}, map[string]int{
			"POST a.test/v1/a": 2, "GET a.test/v1/a x=1": 1, "GET a.test/v1/a": 0, "PUT a.test/v1/a": 3,
		}},
		{"header names in any letter case, values to the letter", []string{"0 a.test header:X-Tier=gold"}, Options{}, map[string]int{
			"GET a.test/ x-tier=gold": 0, "GET a.test/ x-tier=Gold": none, "GET a.test/ x-tier=gold,gold": none, "GET a.test/": none,
		}},
		{"only the first of one header's matches", []string{"0 a.test header:X-A=1 header:x-a=2", "1 a.test header:b=1"}, Options{}, map[string]int{
			"GET a.test/ x-a=1 b=1": 0, "GET a.test/ x-a=2": none,
		}},
		{"headers by regular expression on the whole value, never an absent one", []string{"0 a.test header~:x=.*7|8"}, Options{}, map[string]int{
			"GET a.test/ x=17": 0, "GET a.test/ x=8": 0, "GET a.test/ x=18": none, "GET a.test/ x=78": none, "GET a.test/": none,
		}},
		{"an empty header if the expression admits it, not an absent one", []string{"0 a.test header~:x=.*"}, Options{}, map[string]int{
			"GET a.test/ x=": 0, "GET a.test/": none,
		}},
		{"only the first of one query parameter's matches", []string{"0 a.test query:q=1 query:q=2"}, Options{}, map[string]int{
			"GET a.test/?q=1": 0, "GET a.test/?q=2": none,
		}},
		{"query parameters by name in its own letter case", []string{"0 a.test query:Q=1"}, Options{}, map[string]int{
			"GET a.test/?Q=1": 0, "GET a.test/?q=1": none,
		}},
		{"query parameters by regular expression on the whole value, never an absent one", []string{"0 a.test query~:q=[0-9]*"}, Options{}, map[string]int{
			"GET a.test/?q=12": 0, "GET a.test/?q=": 0, "GET a.test/?q": 0, "GET a.test/?q=12x": none, "GET a.test/": none,
		}},

		// What can be read in two ways.
		{"no entry for a query parameter that occurs with a right and a wrong value", []string{"0 a.test", "1 a.test query:tenant=mine"}, Options{}, map[string]int{
			"GET a.test/?tenant=mine": 1, "GET a.test/?tenant=mine&tenant=mine": 1, "GET a.test/?tenant=other": 0,
			"GET a.test/?tenant=mine&tenant=victim": ambiguous, "GET a.test/?tenant=victim&tenant=mine": ambiguous,
		}},
		{"no entry for a query parameter that only a decoding upstream sees", []string{"0 a.test", "1 a.test query:tenant=mine"}, Options{}, map[string]int{
			"GET a.test/?t%65nant=mine": ambiguous, "GET a.test/?tenant=m%69ne": ambiguous,
			"GET a.test/?tenant=mine&t%65nant=victim": ambiguous, "GET a.test/?tenant=mine&t%65nant=mine": 1, "GET a.test/?t%65nant=victim": 0,
		}},
		{"a query parameter whose name is no other once decoded", []string{"0 a.test query:a+b=1", "0 a.test query:c%64=1"}, Options{}, map[string]int{
			"GET a.test/?a+b=1": 0, "GET a.test/?c%64=1": 1, "GET a.test/?cd=1": none,
		}},
		{"no entry where a doubtful parameter decides between a match and none", []string{"0 a.test query:q=1"}, Options{}, map[string]int{
			"GET a.test/?q=1&q=2": ambiguous,
		}},
		{"its entry where a doubtful parameter makes no difference", []string{
			"0 a.test query:q=1", "0 a.test", "1 a.test POST", "1 a.test query:q=1 header:x=1 POST",
		}, Options{}, map[string]int{
			"GET a.test/?q=1&q=2": 1, "POST a.test/?q=1&q=2": 2, "POST a.test/?q=1&q=2 x=1": 2,
		}},
		{"no entry where a doubtful one of another owner stands between two of one owner", []string{
			"0 a.test query:q=1 query:r=1", "1 a.test query:r=1", "0 a.test",
		}, Options{}, map[string]int{
			"GET a.test/?q=1&r=1&r=2": ambiguous, "GET a.test/?q=1&q=2": 2,
		}},
		{"no entry where decoding the path leads elsewhere", []string{"0 a.test", "1 a.test prefix:/admin"}, Options{}, map[string]int{
			"GET a.test/%61dmin": ambiguous, "GET a.test/admin": 1, "GET a.test/%61bc": 0, "GET a.test/admin%2Fx": 0, "GET a.test/%2561dmin": 0,
		}},
		{"no entry where cutting path parameters leads elsewhere", []string{"0 a.test", "1 a.test prefix:/admin"}, Options{}, map[string]int{
			"GET a.test/admin;x=1": ambiguous, "GET a.test/admin;x/users": ambiguous, "GET a.test/%61dmin;x": ambiguous, "GET a.test/admin%3bx": ambiguous,
			"GET a.test/x;admin": 0, "GET a.test/admin/x;y": 1,
		}},
		{"no entry where another spelling of a byte leads elsewhere", []string{"0 a.test", "1 a.test prefix:/caf%C3%A9", "1 a.test exact:/%7Bid%7D"}, Options{}, map[string]int{
			"GET a.test/caf%C3%A9": 1, "GET a.test/caf%c3%a9": ambiguous, "GET a.test/café": ambiguous, "GET a.test/{id}": ambiguous, "GET a.test/{other}": 0,
		}},
		{"no entry where decoding the path leads from a match to none", []string{"0 a.test exact:/%C3%A9", "1 a.test regex:/%61"}, Options{}, map[string]int{
			"GET a.test/%61": ambiguous, "GET a.test/%C3%A9": 0, "GET a.test/%c3%a9": ambiguous,
		}},
		{"its entry where the readings of the path lead to one owner", []string{"0 a.test", "0 a.test prefix:/admin"}, Options{}, map[string]int{
			"GET a.test/%61dmin": 0, "GET a.test/admin;x": 0,
		}},
		{"no entry where only a decoded path meets a doubtful query parameter", []string{"0 a.test prefix:/admin query:q=1"}, Options{}, map[string]int{
			"GET a.test/%61dmin?q=1&q=2": ambiguous, "GET a.test/%61dmin?q=2": none,
		}},
		{"no entry where a decoded path meets a doubtful query parameter", []string{"0 a.test", "1 a.test prefix:/admin query:q=1"}, Options{}, map[string]int{
			"GET a.test/%61dmin?q=1&q=2": ambiguous, "GET a.test/%61dmin?q=2": 0,
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			x := build(t, tc.opts, tc.entries...)
			for line, want := range tc.want {
				host, v := request(line)
				if got := outcome(x.LookupAll(host, v)); got != want {
					t.Errorf("%s: got %d, want %d", line, got, want)
				}
			}
		})
	}
}

func TestRulesOfOneOwnerAreDifferentOutcomes(t *testing.T) {
	entries := entriesOf(t, []string{"0 a.test", "0 a.test prefix:/admin", "0 a.test query:q=1 prefix:/admin"})
	entries[1].Rule, entries[2].Rule = 1, 2
	x, conflicts, err := Build(entries, Options{})
	if err != nil || len(conflicts) != 0 {
		t.Fatal(conflicts, err)
	}
	for line, cause := range map[string]string{
		"GET a.test/%61dmin": "path", "GET a.test/admin?q=1&q=2": "query", "GET a.test/admin?q=1": "", "GET a.test/": "",
	} {
		if got := x.LookupAll(request(line)); got.Ambiguous != (cause != "") || got.Cause != cause {
			t.Errorf("%s: got %+v, want cause %q", line, got, cause)
		}
	}
}

func TestLookupReadsThePathOnlyAsItIs(t *testing.T) {
	x := build(t, Options{}, "0 a.test", "1 a.test prefix:/admin")
	host, v := request("GET a.test/%61dmin")
	if got := outcome(x.Lookup(host, v)); got != 0 {
		t.Errorf("got %d, want 0", got)
	}
}

func TestWhatIsNoPathMatchesNothing(t *testing.T) {
	x := build(t, Options{}, "0 a.test", "0 a.test regex:.*")
	for _, path := range []string{"", "*", "a.test:443", "http://a.test/"} {
		if got := outcome(x.LookupAll("a.test", View{Method: "GET", Path: path})); got != none {
			t.Errorf("%q: got %d, want no match", path, got)
		}
	}
}

func TestTheZeroValuesMatchNothing(t *testing.T) {
	if got := outcome(new(Index).LookupAll("a.test", View{Method: "GET", Path: "/"})); got != unknown {
		t.Errorf("the zero Index: got %d, want an unknown host", got)
	}
	if _, ok := (Result{}).Entry(); ok {
		t.Error("the zero Result has an entry")
	}
	if _, ok := (Result{}).Owner(); ok {
		t.Error("the zero Result has an owner")
	}
	x := build(t, Options{}, "0 a.test header~:x=.*")
	if got := outcome(x.LookupAll("a.test", View{Method: "GET", Path: "/"})); got != none {
		t.Errorf("no headers: got %d, want no match", got)
	}
}

func TestAResultNamesTheOwner(t *testing.T) {
	x := build(t, Options{}, "7 a.test")
	host, v := request("GET a.test/")
	if owner, ok := x.LookupAll(host, v).Owner(); !ok || owner != 7 {
		t.Errorf("got %d, %t, want 7", owner, ok)
	}
}
