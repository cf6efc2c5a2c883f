package expr

import (
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
)

func TestACompileErrorSaysWhatToWrite(t *testing.T) {
	for _, c := range []struct {
		kind           Kind
		src, at, write string
	}{
		{Bool, `request.method = "GET"`, "1:16", "write == to compare"},
		{Bool, `identity.scopes.contains("x")`, "1:25", "write `\"x\" in list`"},
		{Bool, `request.path.matches("^/x/\d+")`, "1:22", "a backslash in a text is written twice"},
		{Bool, `request.body.amount > 3`, "1:13", "the body is bytes: string(request.body) is its text"},
		{Bool, `has(identity.claims["org"])`, "1:20", "write \"org\" in identity.claims"},
		{Bool, `request.time > "2026-01-01T00:00:00Z"`, "1:14", "timestamp(\"2027-01-31T00:00:00Z\")"},
		{Bool, `request.method="GET"`, "1:15", "write == to compare"},
		{Bool, `request.method === "GET"`, "1:18", "write == to compare"},
		{Bool, "true &&\n  request.method = \"GET\"", "2:18", "write == to compare"},
		{Bool, `request.method <> "GET"`, "1:17", "write != for what differs"},
		{Bool, `request.method is "GET"`, "1:16", "write == to compare"},
		{Bool, `request.method == "GET" and request.path == "/"`, "1:25", "write && for and"},
		{Bool, `"a" in identity.scopes AND true`, "1:24", "write && for and"},
		{Bool, `request.method == "GET" or true`, "1:25", "write || for or"},
		{Bool, `not request.method == "GET"`, "1:5", "write ! for not"},
		{Bool, `true & false`, "1:6", "write && for and"},
		{Bool, `true | false`, "1:6", "write || for or"},
		{Bool, `request.method != GET`, "1:19", `a text needs quotes: write "GET"`},
		{Bool, `request.method in [GET, "POST"]`, "1:20", `a text needs quotes: write "GET"`},
		{Bool, `identity.claims.role == admin`, "1:25", `a text needs quotes: write "admin"`},
		{Bool, `True`, "1:1", "write true"},
		{Bool, `identity.claims.x == nil`, "1:22", "write null"},
		{Bool, `identity.sub == "a"`, "1:9", "did you mean subject?"},
		{Bool, `identity.subjct == "a"`, "1:9", "did you mean subject?"},
		{Bool, `"a" in identity.scope`, "1:16", "did you mean scopes?"},
		{Bool, `identity.email == "a"`, "1:9", "a claim is read as identity.claims.email"},
		{Bool, `identities["a"].sub == "a"`, "1:16", "did you mean subject?"},
		{Bool, `request.header["a"] == "b"`, "1:8", "did you mean headers?"},
		{Bool, `request.url == "/"`, "1:8", "did you mean path?"},
		{Bool, `request.source.adress == ""`, "1:15", "did you mean address?"},
		{Bool, `request.headers.x-env == "a"`, "1:18", `write request.headers["x-env"]`},
		{Bool, `request.headers.x-forwarded-for == "a"`, "1:29", `write request.headers["x-forwarded-for"]`},
		{Bool, `identity.claims.realm-roles == "a"`, "1:23", `write identity.claims["realm-roles"]`},
		{Bool, "request.method == \u201cGET\u201d", "1:19", "write straight quotes"},
		{Bool, `${request.path} == "/"`, "1:1", "write the expression alone"},
		{Bool, `request.path.startsWith "/a"`, "1:25", "in parentheses"},
		{Bool, `identity.scopes.includes("a")`, "1:25", "write `\"x\" in list`"},
		{Bool, `len(identity.scopes) > 0`, "1:4", "write size()"},
		{Bool, `request.path.startswith("/a")`, "1:24", "did you mean startsWith?"},
		{Bool, `requets.path == "/a"`, "1:1", "did you mean request?"},
		{Bool, `user.name == "a"`, "1:1", "the variables are request, identity"},
		{Bool, `claims.sub == "a"`, "1:1", "write identity.claims"},
		{Bool, `true &&`, "1:8", "something is missing at the end"},
		{Bool, `identity.claims.a-(x) == 1`, "1:20", "undeclared reference to 'x'"},
		{Subject, `identity.claims.sub`, "1:1", "claimMappings read `claims` only"},
		{Claim, `claims.a = "b"`, "1:10", "write == to compare"},
		{Claim, `claim.roles`, "1:1", "did you mean claims?"},
	} {
		_, err := Compile(c.kind, c.src)
		if err == nil || !strings.HasPrefix(err.Error(), c.at+": ") || !strings.Contains(err.Error(), c.write) {
			t.Errorf("%s: expected %s and %q, got %v", c.src, c.at, c.write, err)
		}
	}
}

func TestListsOfClaimsAreJoined(t *testing.T) {
	claims := map[string]any{"roles": []any{"a", "b"}, "perm": "a,b", "realm_access": map[string]any{"roles": []any{"a", "b"}}}
	in := &Input{Request: &authz.Request{Method: "GET", Path: "/"}, Identity: &authz.Identity{Claims: claims}}
	for src, want := range map[string]string{
		`identity.claims.roles.join(",")`:                                     "a,b",
		`identity.claims["roles"].join(",")`:                                  "a,b",
		`identity.claims.roles.join()`:                                        "ab",
		`identity.claims.?roles.orValue([]).join(",")`:                        "a,b",
		`identity.claims.?nothing.orValue([]).join(",")`:                      "",
		`identity.claims.realm_access.roles.join(" ")`:                        "a b",
		`identity.claims.?realm_access.?roles.orValue([]).join(" ")`:          "a b",
		`identity.claims.perm.split(",").join(" ")`:                           "a b",
		`string(identity.claims.perm).split(",").join(" ")`:                   "a b",
		`identity.claims.roles.map(r, "r:" + r).join(",")`:                    "r:a,r:b",
		`(has(identity.claims.roles) ? identity.claims.roles : []).join(",")`: "a,b",
	} {
		p, err := Compile(String, src)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		if got, _, err := p.String(t.Context(), in); err != nil || got != want {
			t.Errorf("%s: expected %q, got %q, %v", src, want, got, err)
		}
	}
}

func TestTheAdviceOnCostFitsItsCause(t *testing.T) {
	for src, want := range map[string]string{
		`identity.scopes.exists(a, identity.groups.exists(b, request.headers.exists(c, a == b)))`:                                "loops within loops",
		`identity.scopes.all(a, request.body == bytes(string(request.body)) && request.body == bytes(string(request.body) + a))`: "let the loop read",
	} {
		if _, err := Compile(Bool, src); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: expected %q, got %v", src, want, err)
		}
	}
}
