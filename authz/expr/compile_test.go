package expr

import (
	"strings"
	"testing"
)

func TestACompileErrorSaysWhereAndWhat(t *testing.T) {
	for _, c := range []struct {
		kind      Kind
		src, want string
	}{
		{Bool, `identity.subject`, "1:9: expected bool, got string"},
		{Bool, `identity.scopes`, "expected bool, got list(string)"},
		{Bool, `identity`, "1:1: expected bool, got Identity"},
		{Bool, `"a" in identity.scopes && identity.subjet == "x"`, "1:35: undefined field 'subjet'"},
		{Bool, "true &&\n  request.paht == \"/\"", "2:10: undefined field 'paht'"},
		{Bool, `identity.actor.name == ""`, "undefined field 'name'"},
		{Bool, `identity.subject == 1`, "1:18: found no matching overload for '_==_' applied to '(string, int)'"},
		{Bool, `identity == "alice"`, "'(Identity, string)'"},
		{Bool, `claims.sub == ""`, "undeclared reference to 'claims'"},
		{Bool, `user.name`, "undeclared reference to 'user'"},
		{Bool, `true &&`, "1:8: Syntax error: mismatched input '<EOF>'"},
		{Bool, ` `, "1:1: expected bool, got an empty expression"},
		{Bool, "\"\xff\" == \"\"", "expected an expression in UTF-8"},
		{Bool, strings.Repeat(" ", MaxLength) + "true", "expected an expression of at most 4096 bytes, got 4100"},
		{Bool, `Identity{subject: "x"} == identity`, "an object cannot be made"},
		{Bool, `google.protobuf.BoolValue{value: true} == true`, "an object cannot be made"},
		{Bool, `null`, "expected bool, got null"},
		{Bool, `optional.none()`, "expected bool, got optional_type("},
		{Bool, `[]`, "expected bool, got list("},
		{String, `[]`, "expected string, got list("},
		{Bool, `optional.of(true)`, "expected bool, got optional_type(bool)"},
		{String, `1`, "1:1: expected string, got int"},
		{String, `identity.scopes`, "expected string, got list(string)"},
		{String, `identity.expiresAt`, "expected string, got timestamp"},
		{Claim, `identity.subject`, "undeclared reference to 'identity'"},
		{Claim, `true`, "expected string, int or a list of them, got bool"},
		{Claim, `{"a": claims}`, "expected string, int or a list of them, got map("},
		{Claim, `1.5`, "got double"},
		{Bool, `"no end`, "1:1: Syntax error: token recognition error"},
		{Bool, strings.Repeat("{1:", 240) + "1" + strings.Repeat("}", 240) + "=={}", "1:1: expected an expression that is nested at most 50 deep"},
		{Bool, "request.path" + strings.Repeat("+request.path", 300) + `==""`, "1:1: expected an expression that is nested at most 50 deep"},
		{Kind(0), `true`, "expected a kind of expression"},

		{Bool, `request.path.matches("(")`, "1:22: matches() expects a regular expression in RE2 syntax"},
		{Bool, `request.path.matches(identity.subject)`, "1:30: matches() expects its regular expression as a literal"},
		{Bool, `matches(request.path, "a" + "b")`, "matches() expects its regular expression as a literal"},
		{Bool, `request.path.matches("(a{500}){2}b{500}")`, "matches() expects a regular expression of at most 1024 instructions when compiled, got 15"},
		{Bool, `request.path.replace(request.path, "x") == ""`, "replace() expects a literal of at least one character"},
		{Bool, `request.path.replace("", "x") == ""`, "replace() expects a literal of at least one character"},
		{Bool, `request.path.replace("x", request.path) == ""`, "replace() expects a literal of at most 64 bytes to put in"},
		{Bool, `identity.scopes.join(request.path) == ""`, "join() expects a literal of at most 64 bytes to put in"},
		{Bool, `"%s".format([identity.claims]) == ""`, "format() is not available"},
		{Bool, `request.time.getHours(request.id) == 1`, "getHours() expects its time zone as a literal"},
		{Bool, `pathPrefix(request.path, "v1")`, "1:26: pathPrefix() expects a prefix that starts with '/', got \"v1\""},
		{Bool, `pathPrefix(request.path, 1)`, "found no matching overload for 'pathPrefix'"},
	} {
		_, err := Compile(c.kind, c.src)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60q: got error %v, want %q", c.src, err, c.want)
		}
		if err != nil && (strings.Contains(err.Error(), "\n") || len(err.Error()) > maxMessage+20) {
			t.Errorf("%.60q: the error is long: %v", c.src, err)
		}
	}
}

func TestAnExpressionOfTheRightTypeOrOfNoneIsAccepted(t *testing.T) {
	for _, c := range []struct {
		kind Kind
		src  string
	}{
		{Bool, `identity.claims.admin`},
		{String, `identity.claims.?role`},
		{String, `request.headers[?"x-env"]`},
		{String, `null`},
		{String, `optional.none()`},
		{Claim, `claims.sub`},
		{Claim, `claims.?sub`},
		{Claim, `[claims.tenant, "all"]`},
		{Claim, `[]`},
		{Claim, `claims.groups.map(g, "x:" + g)`},
		{Claim, `claims.scope.split(",")`},
		{Claim, `7`},
	} {
		if _, err := Compile(c.kind, c.src); err != nil {
			t.Errorf("%s: %v", c.src, err)
		}
	}
}

func TestWhatCouldCostTooMuchIsRefusedWithBothFigures(t *testing.T) {
	for _, src := range []string{
		`identity.groups.all(a, identity.groups.all(b, identity.groups.all(c, a != b || b != c)))`,
		`identity.claims.a.exists(x, identity.claims.b.exists(y, x == y))`,
		`request.headers.exists(a, request.headers.exists(b, request.headers[a] == request.headers[b]))`,
		`identity.groups.exists(g, string(request.body).matches(".{250}x"))`,
		`identity.groups.exists(g, request.headers["x"].matches("(a|b)*[a-z]{60}"))`,
		strings.Repeat("optional.of(", 14) + "request.path" + strings.Repeat(").optMap(x, x + x).value()", 14) + ` == ""`,
		`request.path.replace("a", "` + strings.Repeat("b", 64) + `").replace("b", "` + strings.Repeat("c", 64) + `") == ""`,
	} {
		_, err := Compile(Bool, src)
		if err == nil || !strings.Contains(err.Error(), "expected an expression that costs at most 1000000 units, got one that costs up to ") {
			t.Errorf("%s: %v", src, err)
		}
	}
}

func TestWhatPoliciesUsuallySayIsCheapEnough(t *testing.T) {
	for _, src := range []string{
		`identity.groups.exists(g, g in identity.claims.allowed)`,
		`sets.intersects(identity.groups, identity.claims.allowed)`,
		`identity.groups.exists(g, g.matches("^[a-z]+-[0-9]+$"))`,
		`request.headers["x-id"].matches("^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")`,
		`identity.claims.roles.exists(r, r == "admin" || r.startsWith("ops-"))`,
		`identity.claims.tenants.exists(t, pathPrefix(request.path, "/tenants/" + t))`,
		`request.headers.exists(h, h.startsWith("x-debug-"))`,
		`string(request.body).contains("drop table")`,
		`identities.exists(n, identities[n].subject == "root")`,
	} {
		if _, err := Compile(Bool, src); err != nil {
			t.Errorf("%s: %v", src, err)
		}
	}
}
