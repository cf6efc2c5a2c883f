package expr

import (
	"slices"
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
)

func TestTheValuesThatAnExpressionReadAreShown(t *testing.T) {
	const absent, hides = " is absent", " " + isHidden
	for _, c := range []struct {
		src  string
		want []string
	}{
		{`identity.claims.role == "writer" && request.method == "PATCH"`, []string{`identity.claims.role is "manager"`, `request.method is "GET"`}},
		{`identity.claims["role"] == "writer"`, []string{`identity.claims["role"] is "manager"`}},
		{`identity.claims.?role.orValue("") == "writer"`, []string{`identity.claims.role is "manager"`}},
		{`identity.claims[?"role"].orValue("") == "writer"`, []string{`identity.claims["role"] is "manager"`}},
		{`identity.claims.?nested.?deep.hasValue()`, []string{`identity.claims.nested.deep is [{"a"}]`}},
		{`identity.claims.nested.deep[0].a == "c"`, []string{`identity.claims.nested.deep[0].a is "b"`}},
		{`identity.claims.nested.deep[7].a == "c"`, []string{`identity.claims.nested.deep[7].a` + absent}},
		{`identity.claims.nested == {}`, []string{`identity.claims.nested is {"deep"}`}},
		{`identity.claims.list[1] == 8`, []string{`identity.claims.list[1] is 7`}},
		{`"z" in identity.claims.list`, []string{`identity.claims.list is ["x", 7, null]`}},
		{`identity.claims.nothing == "a"`, []string{`identity.claims.nothing` + absent}},
		{`identity.claims.role.deeper == "a"`, []string{`identity.claims.role.deeper cannot be read: what is before its last part is a string`}},
		{`identity.claims.none == 1`, []string{`identity.claims.none is null`}},
		{`identity.claims.half > 1.0`, []string{`identity.claims.half is 0.5`}},
		{`identity.claims.admin == false`, []string{`identity.claims.admin is true`}},
		{`identity.claims.n == 1`, []string{`identity.claims.n is 9007199254740993`}},
		{`has(identity.claims.nope)`, []string{`has(identity.claims.nope) is false`}},
		{`"role" in identity.claims`, []string{`"role" in identity.claims is true`}},
		{`"c" in identity.scopes`, []string{`identity.scopes is ["a", "b"]`}},
		{`identity.scopes.exists(s, s == "c" && request.path == "/")`, []string{`identity.scopes is ["a", "b"]`, `request.path is "/v1/orders"`}},
		{`["a"].exists(identity, identity == "b")`, nil},
		{`["a"].exists(request, request == "b") && request.host == "x"`, []string{`request.host is "orders.example.com"`}},
		{`identity.actor.subject == "x"`, []string{`identity.actor.subject is "support-bot"`}},
		{`identities.partners.subject == "x"`, []string{`identities.partners.subject is "alice"`}},
		{`identities["nope"].subject == "x"`, []string{`identities["nope"].subject` + absent}},
		{`"nope" in identities`, []string{`"nope" in identities is false`}},
		{`identity.expiresAt < request.time`, []string{`identity.expiresAt is 2026-05-17T13:00:00Z`, `request.time is 2026-05-17T12:00:00Z`}},
		{`request.source.address == "x"`, []string{`request.source.address is "192.0.2.1"`}},
		{`request.headers["x-env"] == "dev"`, []string{`request.headers["x-env"] is "prod"`}},
		{`request.headers["X-Env"] == "dev"`, []string{`request.headers["X-Env"] is "prod"`}},
		{`"X-Debug" in request.headers`, []string{`"X-Debug" in request.headers is false`}},
		{`has(request.headers.authorization) && false`, []string{`"authorization" in request.headers is true`}},
		{`request.headers["authorization"] == "a"`, []string{`request.headers["authorization"]` + hides}},
		{`request.headers["Authorization"] == "a"`, []string{`request.headers["Authorization"]` + hides}},
		{`request.headers["x-raw"] == "a"`, []string{`request.headers["x-raw"] cannot be read: the header's value is no UTF-8`}},
		{`request.query.twice == "c"`, []string{`request.query.twice cannot be read: the query parameter occurs twice`}},
		{`request.query.debug == "2"`, []string{`request.query.debug is "1"`}},
		{`request.query.exists(n, request.query[n] == "2")`, []string{`request.query is {"bad", "debug", "na me", "raw", "twice"}`}},
		{`identity.claims[request.headers["x-env"]] == 1`, []string{`identity.claims[request.headers["x-env"]]` + absent, `request.headers["x-env"] is "prod"`}},
		{`request.headers[identity.subject] == "x"`, []string{`request.headers[identity.subject]` + absent, `identity.subject is "alice"`}},
		{`identity.claims[request.headers["authorization"]] == 1`, []string{
			`identity.claims[request.headers["authorization"]]` + absent, `request.headers["authorization"]` + hides}},
		{`request.body == b"a"`, []string{`request.body` + hides}},
		{`context.tier == "a" && context["authorization"] == "b"`, []string{`context.tier is "gold"`, `context["authorization"]` + absent}},
		{`metadata["envoy.filters.http.x"].n == 4.0`, []string{`metadata["envoy.filters.http.x"].n is 3`}},
		{`metadata["envoy.filters.http.x"] == {}`, []string{`metadata["envoy.filters.http.x"] is {"n", "on"}`}},
		{`identity.subject == "bob" || identity.subject == "eve"`, []string{`identity.subject is "alice"`}},
		{`identity.claims.role.contains("hunter2") || identity.issuer == "a"`, []string{`identity.claims.role is "manager"`, `identity.issuer` + hides}},
	} {
		hidden := Hidden{
			Name: func(_, name string) bool { return authz.Lower(name) == "authorization" },
			Text: func(text string) bool { return strings.Contains(text, "idp.") },
		}
		in := input(t)
		in.Request.BodyKnown = true
		if got := mustCompile(t, Bool, c.src).Shown(in, hidden); !slices.Equal(got, c.want) {
			t.Errorf("%s: expected\n%q, got\n%q", c.src, c.want, got)
		}
	}
}

func TestWhatIsShownOfAnExpressionIsBounded(t *testing.T) {
	in := input(t)
	in.Identity.Claims["long"] = strings.Repeat("x", 5000)
	in.Identity.Claims["many"] = slices.Repeat([]any{"entry"}, 200)
	var src []string
	for _, name := range strings.Split("long many a b c d e f g h i j k l", " ") {
		src = append(src, "identity.claims."+name+` == "z"`)
	}
	open := Hidden{Name: func(_, _ string) bool { return false }, Text: func(string) bool { return false }}
	p := mustCompile(t, Bool, strings.Join(src, " ||\n"))
	got := p.Shown(in, open)
	if len(got) != 8 || len(p.Source()) > maxSource+len(" …") || strings.Contains(p.Source(), "\n") {
		t.Errorf("expected 8 values and a source that is cut, got %d and %q", len(got), p.Source())
	}
	for _, v := range got {
		if len(v) > len("identity.claims.long is ")+maxShown+10 {
			t.Errorf("expected a value of at most %d bytes, got %q", maxShown, v)
		}
	}
}

func TestNothingIsShownWhereThereIsNoIdentity(t *testing.T) {
	in := input(t)
	in.Identity = nil
	got := mustCompile(t, Bool, `identity.subject == "a"`).Shown(in, Hidden{})
	if want := []string{`identity.subject cannot be read: there is no identity`}; !slices.Equal(got, want) {
		t.Errorf("expected %q, got %q", want, got)
	}
}
