package expr

import (
	"fmt"
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
)

// asking is an Input of a request with headers, "name: value", and a query. With
// joined they came without encode_raw_headers.
func asking(t *testing.T, query string, joined bool, headers ...string) *Input {
	t.Helper()
	raw := authz.Raw{Method: "GET", Scheme: "https", Host: "orders.example.com", Path: "/?" + query, Joined: joined, Time: now}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		raw.Headers = append(raw.Headers, authz.Header{Name: name, Value: value})
	}
	r, err := authz.NewRequest(raw)
	if err != nil {
		t.Fatal(err)
	}
	return &Input{Request: r}
}

// each evaluates an expression by itself and in a loop, which reads through a cache.
func each(t *testing.T, in *Input, src string, check func(src string, got bool, err error)) {
	t.Helper()
	for _, wrap := range []string{`%s`, `[1].all(i, %s)`} {
		src := fmt.Sprintf(wrap, src)
		got, err := mustCompile(t, Bool, src).Bool(t.Context(), in)
		check(src, got, err)
	}
}

func holds(t *testing.T, in *Input, list ...string) {
	t.Helper()
	for _, src := range list {
		each(t, in, src, func(src string, got bool, err error) {
			if err != nil || !got {
				t.Errorf("%s: expected true, got %v and error %v", src, got, err)
			}
		})
	}
}

func fails(t *testing.T, in *Input, want string, list ...string) {
	t.Helper()
	for _, src := range list {
		each(t, in, src, func(src string, got bool, err error) {
			if got || err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: expected an error with %q, got %v and error %v", src, want, got, err)
			}
		})
	}
}

func TestAHeaderIsReadWithoutRegardToLetterCase(t *testing.T) {
	in := asking(t, "", false, "x-Env: prod", "Authorization: Bearer x")
	holds(t, in,
		`request.headers["X-Env"] == "prod"`, `request.headers["x-env"] == "prod"`, `request.headers["X-" + "ENV"] == "prod"`,
		`"X-Env" in request.headers`, `"x-ENV" in request.headers`, `("X-" + "Env") in request.headers`,
		`request.headers[?"X-Env"].hasValue()`, `request.headers[?"X-Env"].orValue("") == "prod"`,
		`has(request.headers.Authorization)`, `request.headers.?Authorization.hasValue()`, `request.headers.AUTHORIZATION == "Bearer x"`,
		`["X-Env"].exists(n, n in request.headers)`, `["X-Env"].all(n, request.headers[n] == "prod")`,
		`dyn(request.headers)["X-Env"] == "prod"`, `request.headers[request.headers["X-Env"] == "prod" ? "X-Env" : "x"] == "prod"`,
		`!("X-Debug" in request.headers)`, `!has(request.headers.Debug)`, `!request.headers[?"X-Debug"].hasValue()`,
		`request.headers == {"x-env": "prod", "authorization": "Bearer x"}`, `request.headers == {"X-Env": "prod", "AUTHORIZATION": "Bearer x"}`,
		`{"X-Env": "prod", "Authorization": "Bearer x"} == request.headers`, `request.headers != {"X-Env": "prod", "x-env": "prod"}`, `request.headers != {"X-Env": "prod", "X": "Bearer x"}`,
		`request.headers != {"X-Env": "test", "Authorization": "Bearer x"}`, `[request.headers] == [{"X-Env": "prod", "Authorization": "Bearer x"}]`,
		`request.headers.exists(h, h == "x-env")`, `!request.headers.exists(h, h == "X-Env")`,
	)
}

func TestALetterThatOnlyUnicodeFoldsIsAnotherHeader(t *testing.T) {
	holds(t, asking(t, "", false, "x-kind: a", "x-s: a"), `!("x-\u212Aind" in request.headers)`, `!("x-\u017F" in request.headers)`)
}

func TestAHeaderThatCameTwiceHasPresenceAndNoValue(t *testing.T) {
	for name, in := range map[string]*Input{
		"two values":              asking(t, "", false, "x-tenant: mine", "X-Tenant: victim"),
		"one value twice":         asking(t, "", false, "x-tenant: mine", "x-tenant: mine"),
		"an empty one":            asking(t, "", false, "x-tenant: mine", "x-tenant: "),
		"joined":                  asking(t, "", true, "x-tenant: mine,victim"),
		"joined, one twice":       asking(t, "", true, "x-tenant: mine,mine"),
		"joined in quotes":        asking(t, "", true, `x-tenant: ",mine,"`),
		"an alias beside":         asking(t, "", false, "x-tenant: mine", "X_Tenant: victim"),
		"an alias of equal value": asking(t, "", false, "x-tenant: mine", "x.tenant: mine"),
		"an alias, joined":        asking(t, "", true, "x-tenant: mine", "x~tenant: victim"),
	} {
		t.Run(name, func(t *testing.T) {
			holds(t, in, `"x-tenant" in request.headers`, `"X-Tenant" in request.headers`, `request.headers[?"x-tenant"].hasValue()`)
			if !in.Request.HasAliases() {
				holds(t, in, `request.headers.exists(h, h == "x-tenant")`, `request.headers.size() > 0`)
			}
			fails(t, in, "header came",
				`request.headers["x-tenant"] == "mine"`, `request.headers["x-tenant"] != "victim"`, `request.headers["X-Tenant"] == "mine"`,
				`request.headers[?"x-tenant"].orValue("") == "mine"`, `request.headers[?"x-tenant"] != optional.of("victim")`,
				`request.headers[?"x-tenant"] == optional.none()`, `!(request.headers["x-tenant"] in ["victim"])`,
				`request.headers[?"x-tenant"].optMap(v, v == "mine").orValue(true)`, `dyn(request.headers)["x-tenant"] == "mine"`,
				`request.headers != {"x-tenant": "victim"}`, `!(request.headers == {"x-tenant": "victim"})`, `!([request.headers] == [{"x-tenant": "victim"}])`,
				`request.headers.exists(h, h == "x-tenant" && request.headers[h] == "mine")`,
			)
		})
	}
}

func TestALoopMayCallItsVariableRequest(t *testing.T) {
	in := asking(t, "", false, "x: 1", "X: 2")
	holds(t, in, `[{"headers": {"x": "1"}}].exists(request, has(request.headers.x) && request.headers[?"x"].hasValue())`,
		`![{"headers": {"x": "1"}}].exists(request, has(request.headers.y))`, `[{"headers": [7]}].exists(request, request.headers[?0].hasValue() && !request.headers[?7].hasValue())`)
}

func TestHasAsksOfAHeaderThatCameTwice(t *testing.T) {
	in := asking(t, "", false, "tenant: a", "Tenant: a")
	holds(t, in, `has(request.headers.tenant)`, `has(request.headers.Tenant)`, `request.headers.?tenant.hasValue()`, `!has(request.headers.other)`)
}

func TestNothingIsKnownOfAHeaderThatCameUnderAnAliasAlone(t *testing.T) {
	for _, name := range []string{"X_Tenant", "x.tenant", "x~tenant", "x!tenant", "x_tenant"} {
		for _, joined := range []bool{true, false} {
			in := asking(t, "", joined, name+": victim")
			fails(t, in, "under another spelling",
				`"x-tenant" in request.headers`, `!("X-Tenant" in request.headers)`, `request.headers[?"x-tenant"].hasValue()`,
				`!request.headers[?"x-tenant"].hasValue()`, `request.headers[?"x-tenant"].orValue("") == ""`, `request.headers["x-tenant"] != "victim"`)
			holds(t, in, `"`+name+`" in request.headers`, `request.headers["`+name+`"] == "victim"`)
		}
	}
	in := asking(t, "", false, "x-tenant: victim")
	fails(t, in, "under another spelling", `"x_tenant" in request.headers`, `request.headers["X_Tenant"] == "a"`)
	fails(t, asking(t, "", false, "X_Debug: 1"), "some servers take for another", `!request.headers.exists(h, h == "x-debug")`, `request.headers.size() < 9`, `request.headers != {}`)
	in = asking(t, "", false, "_tenant: a", "Debug_: b")
	fails(t, in, "under another spelling", `"-tenant" in request.headers`, `!("debug-" in request.headers)`)
}

func TestListsAreReadAsOneHoweverManyFieldsCame(t *testing.T) {
	for _, joined := range []bool{true, false} {
		in := asking(t, "", joined,
			"accept: text/html", "accept: application/json", "x-forwarded-for: 192.0.2.1", "X-Forwarded-For: 192.0.2.2",
			"cookie: a=1", "cookie: b=2", "via: 1.1 a, 1.1 b", "if-match: \"a\", \"b\"", "te: trailers", "vary: a,b", "forwarded: for=a", "forwarded: for=b")
		holds(t, in, `request.headers["accept"] == "text/html,application/json"`, `request.headers["x-forwarded-for"] == "192.0.2.1,192.0.2.2"`,
			`request.headers.cookie == "a=1; b=2"`, `request.headers.via == "1.1 a, 1.1 b"`, `request.headers.forwarded == "for=a,for=b"`,
			`request.headers["if-match"].contains(",")`, `request.headers.vary == "a,b"`)
	}
	fails(t, asking(t, "", false, "accept-language: en", "accept_language: de"), "under another spelling", `request.headers["accept-language"] == "en"`)
}

func TestACommaOfOneFieldIsNoSecondField(t *testing.T) {
	holds(t, asking(t, "", false, "x-list: a,b"), `request.headers["x-list"] == "a,b"`)
	values := []string{
		"user-agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)", "referer: https://example.com/a,b",
		"if-modified-since: Sun, 06 Nov 1994 08:49:37 GMT", "date: Sun, 06 Nov 1994 08:49:37 GMT", "range: bytes=0-1,5-6", "if-range: \"a,b\"",
		`authorization: Digest username="Mufasa", realm="a", nonce="b"`, "from: a,b@example.com", `content-disposition: attachment; filename="a,b"`,
	}
	for _, h := range values {
		name, value, _ := strings.Cut(h, ": ")
		holds(t, asking(t, "", true, h), fmt.Sprintf("request.headers[%q] == %q", name, value))
		fails(t, asking(t, "", false, h, h), "more than once", fmt.Sprintf("request.headers[%q] != \"\"", name))
	}
	date := "if-modified-since: Sun, 06 Nov 1994 08:49:37 GMT"
	fails(t, asking(t, "", true, date+",Mon, 07 Nov 1994 08:49:37 GMT"), "more than once", `request.headers["if-modified-since"] != ""`)
}

func TestAParameterThatOnlySomeServersSeeIsAnErrorWhenRead(t *testing.T) {
	for _, query := range []string{
		"plain=1&x=1;only=2", "plain=1&only=3&x;only=4", "plain=1&x;only=5&only=6",
		"plain=1&only[]=2", "plain=1&only=2&only[]=3", "plain=1&only%5B%5D=2", "plain=1&only%5b0%5d=2", "plain=1&only[a][b]=2", "plain=1&only[=2",
		"plain=1&only[%zz]=1", "plain=1&only%5B%zz]=1", "plain=1&[only]=1", "plain=1&]only=1", "plain=1&only]=1", "plain=1&%20only=1", "plain=1&x;only[]=1",
	} {
		in := asking(t, query, false)
		holds(t, in, `request.query.plain == "1"`, `"plain" in request.query`, `!("other" in request.query)`, `has(request.query.plain)`)
		fails(t, in, "the query can be read in two ways",
			`request.query["only"] != ""`, `request.query.?only.orValue("") == ""`, `has(request.query.only)`, `"only" in request.query`,
			`!("only" in request.query)`, `request.query[?"only"].hasValue()`, `["only"].exists(n, n in request.query)`, `request.query.?only != optional.of("2")`)
		if strings.ContainsAny(query, ";[]") || strings.Contains(query, "%5") {
			fails(t, in, "the query can be read in two ways",
				`request.query.size() > 0`, `request.query.exists(k, k == "plain")`, `!request.query.exists(k, k == "only")`, `request.query.all(k, k != "only")`,
				`request.query != {"only": "2"}`, `request.query == {}`, `{} != request.query`, `request.query.map(k, k) == []`, `!(request.query in [{"a": "b"}])`)
		}
	}
}

func TestNamesWithBracketsAreReadByTheirOwnName(t *testing.T) {
	holds(t, asking(t, "filter[user]=mine&page=2", false), `request.query["filter[user]"] == "mine"`, `request.query["page"] == "2"`, `"filter[user]" in request.query`)
	in := asking(t, "filter[user]=mine&filter[user][]=victim", false)
	fails(t, in, "the query can be read in two ways", `request.query["filter[user]"] == "mine"`, `"filter" in request.query`)
	fails(t, asking(t, "a[]=mine&a=victim", false), "in two ways", `request.query["a[]"] == "mine"`)
	fails(t, asking(t, "a[]=mine&a[0]=victim", false), "in two ways", `request.query["a[]"] == "mine"`)
	fails(t, asking(t, "tenant_id=mine&tenant.id=victim", false), "in two ways", `request.query["tenant_id"] == "mine"`)
	fails(t, asking(t, "tenant_id=mine&tenant+id=victim", false), "in two ways", `request.query["tenant_id"] == "mine"`)
	fails(t, asking(t, "tenant_id=mine&tenant[id=victim", false), "in two ways", `request.query["tenant_id"] == "mine"`)
	holds(t, asking(t, "user.name=a&page=2", false), `request.query["user.name"] == "a"`, `request.query.size() == 2`, `!("user" in request.query)`)
	holds(t, asking(t, "tenantx[]=a&ten[ant]=b", false), `!("tenant" in request.query)`)
}
