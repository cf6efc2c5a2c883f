package match

import (
	"errors"
	"slices"
	"strings"
	"testing"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

func TestEqualEntries(t *testing.T) {
	for _, tc := range []struct {
		name    string
		entries []string
		want    []Conflict
	}{
		{"of one owner are one", []string{"0 a.test", "0 a.test prefix:/"}, nil},
		{"of two owners go to the older", []string{"1 a.test", "0 a.test"}, []Conflict{{1, 0}}},
		{"are reported for every loser", []string{"0 a.test", "1 a.test", "2 a.test", "1 a.test"}, []Conflict{{0, 1}, {0, 3}, {0, 2}}},
		{"are equal with or without a final slash of the prefix", []string{"0 a.test prefix:/v1", "1 a.test prefix:/v1/"}, []Conflict{{0, 1}}},
		{"are not equal with or without a final slash of an exact path", []string{"0 a.test exact:/v1", "1 a.test exact:/v1/"}, nil},
		{"are not equal with another type of path", []string{"0 a.test exact:/v1", "1 a.test prefix:/v1", "2 a.test regex:/v1"}, nil},
		{"are not equal on another host", []string{"0 a.test", "1 *.a.test", "2 *", "3 b.test"}, nil},
		{"are not equal with another method", []string{"0 a.test GET", "1 a.test POST", "2 a.test"}, nil},
		{"have their headers in any order and letter case", []string{"0 a.test header:a=1 header:b=2", "1 a.test header:B=2 header:A=1"}, []Conflict{{0, 1}}},
		{"have only the first of one header's matches", []string{"0 a.test header:a=1", "1 a.test header:A=1 header:a=2"}, []Conflict{{0, 1}}},
		{"are not equal with another header, value or type", []string{"0 a.test header:a=1", "1 a.test header:a=2", "2 a.test header:b=1", "3 a.test header~:a=1", "4 a.test header:a=1 header:b=1"}, nil},
		{"have their query parameters in any order", []string{"0 a.test query:a=1 query:b=2", "1 a.test query:b=2 query:a=1 query:a=7"}, []Conflict{{0, 1}}},
		{"are not equal with another query parameter, value, type or letter case", []string{"0 a.test query:a=1", "1 a.test query:a=2", "2 a.test query:b=1", "3 a.test query~:a=1", "4 a.test query:A=1", "5 a.test header:a=1"}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, got, err := Build(entriesOf(t, tc.entries), Options{})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestALoserIsNotInTheIndex(t *testing.T) {
	x := build(t, Options{}, "1 a.test query:q=1", "0 a.test query:q=1")
	host, v := request("GET a.test/?q=1")
	if got := outcome(x.LookupAll(host, v)); got != 1 {
		t.Errorf("got %d, want 1", got)
	}
}

func TestBuildRefuses(t *testing.T) {
	for _, tc := range []struct{ name, entry, want string }{
		{"a host in upper case", "0 A.test", `hostname: expected a host name in lower case without port, "*." and one, or "*", got "A.test"`},
		{"a host with a port", "0 a.test:80", "hostname: expected"},
		{"a host that ends in a dot", "0 a.test.", "hostname: expected"},
		{"a wildcard in the middle", "0 a.*.test", "hostname: expected"},
		{"a wildcard in a label", "0 *a.test", "hostname: expected"},
		{"a wildcard alone with a dot", "0 *.", "hostname: expected"},
		{"a label that begins with a hyphen", "0 -a.test", "hostname: expected"},
		{"a host that is too long", "0 " + strings.Repeat("a.", 126) + "aa", "hostname: expected"},
		{"a path that is not absolute", "0 a.test prefix:v1", `match.path.value: expected a path that begins with /, got "v1"`},
		{"a path with an empty segment", "0 a.test exact:/a//b", "match.path.value: expected a path without //"},
		{"a path with a dot segment", "0 a.test prefix:/a/../b", "match.path.value: expected a path without /../"},
		{"a path that ends in a dot segment", "0 a.test prefix:/a/..", "match.path.value: expected a path that does not end in /.."},
		{"a path with an encoded dot segment", "0 a.test prefix:/a/%2e/b", "match.path.value: expected a path without /./"},
		{"a path with an encoded slash", "0 a.test prefix:/a%2fb", "match.path.value: expected a path without %2F"},
		{"a path that encodes what it need not", "0 a.test prefix:/%61dmin", `match.path.value: expected the normal form "/admin", got "/%61dmin"`},
		{"a path with hexadecimal digits in lower case", "0 a.test exact:/caf%c3%a9", `match.path.value: expected the normal form "/caf%C3%A9"`},
		{"a path that does not encode what it must", "0 a.test exact:/café", `match.path.value: expected the normal form "/caf%C3%A9"`},
		{"a path with malformed percent-encoding", "0 a.test exact:/a%4", "match.path.value: expected two hexadecimal digits after each %"},
		{"a path that is too long", "0 a.test exact:/" + strings.Repeat("a", 1024), "match.path.value: expected a path of at most 1024 bytes, got"},
		{"a method in lower case", "0 a.test get", `match.method: expected one of [GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH], got "get"`},
		{"a header without name", "0 a.test header:=1", "match.headers[0].name: expected 1 to 256"},
		{"a header name with a byte no name has", "0 a.test header:a=1 header:a(b)=1", "match.headers[1].name: expected"},
		{"a header without value", "0 a.test header:a=", "match.headers[0].value: expected 1 to 4096 bytes, got 0"},
		{"a query parameter that is too long", "0 a.test query:a=" + strings.Repeat("a", 1025), "match.queryParams[0].value: expected 1 to 1024 bytes, got 1025"},
		{"too many headers", "0 a.test" + strings.Repeat(" header:a=1", 17), "match.headers: expected at most 16, got 17"},
		{"too many query parameters", "0 a.test" + strings.Repeat(" query:a=1", 17), "match.queryParams: expected at most 16, got 17"},
		{"an expression that does not compile", "0 a.test regex:/(", `match.path.value: expected a regular expression in RE2 syntax, got "/("`},
		{"a header's expression that does not compile", "0 a.test header~:a=(", "match.headers[0].value: expected a regular expression"},
		{"a query parameter's expression that does not compile", "0 a.test query~:a=(", "match.queryParams[0].value: expected a regular expression"},
		{"an expression that breaks out of its anchors", "0 a.test regex:/a)|(/b", "match.path.value: expected a regular expression in RE2 syntax"},
		{"an expression that swallows its anchor", `0 a.test regex:/a\Qb`, `match.path.value: expected a regular expression that ends what it begins`},
		{"an expression with look-ahead", "0 a.test regex:/(?!admin).*", "match.path.value: expected a regular expression in RE2 syntax"},
		{"an expression that explodes", "0 a.test regex:(a{1000}){1000}", "match.path.value: expected a regular expression in RE2 syntax"},
		{"an expression that is too large when compiled", "0 a.test regex:" + strings.Repeat("a{1000}", 100), "match.path.value: expected a regular expression of at most 1024 instructions when compiled, got 100002"},
		{"an expression that is too long", "0 a.test regex:/" + strings.Repeat("a", 1024), "match.path.value: expected a regular expression of at most 1024 bytes, got 1025"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := entry(t, tc.entry)
			x, _, err := Build([]Entry{{Hostname: "ok.test"}, e}, Options{})
			if x != nil || err == nil {
				t.Fatalf("built, want an error with %q", tc.want)
			}
			if want := "entry 1: " + tc.want; !strings.HasPrefix(err.Error(), want) {
				t.Errorf("got  %s\nwant %s", err, want)
			}
			if got := Check(e); len(got) == 0 || !strings.HasPrefix(got[0].String(), tc.want) {
				t.Errorf("Check: got %v", got)
			}
		})
	}
}

func TestBuildRefusesUnknownTypes(t *testing.T) {
	e := Entry{Hostname: "a.test", Match: gatewayv1.HTTPRouteMatch{
		Path:        pathMatch("Suffix", "/"),
		Headers:     []gatewayv1.HTTPHeaderMatch{{Type: new(gatewayv1.HeaderMatchType("Prefix")), Name: "a", Value: "1"}},
		QueryParams: []gatewayv1.HTTPQueryParamMatch{{Type: new(gatewayv1.QueryParamMatchType("Prefix")), Name: "a", Value: "1"}},
	}}
	_, _, err := Build([]Entry{e}, Options{})
	want := `entry 0: match.path.type: expected Exact, PathPrefix or RegularExpression, got "Suffix"
entry 0: match.headers[0].type: expected Exact or RegularExpression, got "Prefix"
entry 0: match.queryParams[0].type: expected Exact or RegularExpression, got "Prefix"`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestBuildListsEveryProblem(t *testing.T) {
	_, _, err := Build(entriesOf(t, []string{"0 a.test regex:(", "1 b.test", "2 B.test header~:x=["}), Options{})
	problems, ok := errors.AsType[Problems](err)
	if !ok {
		t.Fatalf("got %T, want Problems", err)
	}
	var got []string
	for _, p := range problems {
		got = append(got, p.Object+" "+p.Field)
	}
	if want := []string{"entry 0 match.path.value", "entry 2 hostname", "entry 2 match.headers[0].value"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTheLargestExpressionIsAdmitted(t *testing.T) {
	for _, pattern := range []string{"/[a-z]{1,63}(/.*)?", "/[a-z0-9-]{1,253}", "/" + strings.Repeat("a", 1000), `/a\Qb\E`, "(?i)/a", "(?m)/a$"} {
		if p := Check(entry(t, "0 a.test regex:"+pattern)); p != nil {
			t.Error(p)
		}
	}
}
