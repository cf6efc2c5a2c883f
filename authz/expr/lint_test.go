package expr

import (
	"slices"
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/expr/lint"
)

func TestAnExpressionIsWarnedOfWhatItDoesNotMean(t *testing.T) {
	for src, want := range map[string]authz.Lint{
		`request.path.startsWith("/admin")`:                                                  authz.PrefixWithoutSlash,
		`!request.path.startsWith("/admin")`:                                                 authz.PrefixWithoutSlash,
		`request.path.lowerAscii().startsWith("/admin")`:                                     authz.PrefixWithoutSlash,
		`request.path.startsWith("/tenants/" + string(identity.claims.tenant))`:              authz.PrefixWithoutSlash,
		`request.path.startsWith(string(identity.claims.home))`:                              authz.PrefixWithoutSlash,
		`request.path.startsWith(identity.subject == "a" ? "/a/" : "/b")`:                    authz.PrefixWithoutSlash,
		`["/a/", "/b"].exists(p, request.path.startsWith(p))`:                                authz.PrefixWithoutSlash,
		`identity.groups.exists(g, request.path.startsWith("/g/" + g))`:                      authz.PrefixWithoutSlash,
		`request.path.startsWith("/a/")`:                                                     "",
		`request.path.startsWith("/")`:                                                       "",
		`request.path.startsWith("/tenants/" + string(identity.claims.tenant) + "/")`:        "",
		`["/a/", "/b/"].exists(p, request.path.startsWith(p))`:                               "",
		`pathPrefix(request.path, "/admin")`:                                                 "",
		`identity.subject.startsWith("svc-")`:                                                "",
		`request.path == "/admin" || request.path.startsWith("/admin/")`:                     "",
		`request.path.startsWith("admin/")`:                                                  authz.NeverTrue,
		`request.path == "admin"`:                                                            authz.NeverTrue,
		`request.path == "/admin"`:                                                           "",
		`request.method == "Get"`:                                                            authz.NeverTrue,
		`"get" == request.method`:                                                            authz.NeverTrue,
		`request.method != "get"`:                                                            authz.NeverTrue,
		`request.method in ["GET", "post"]`:                                                  authz.NeverTrue,
		`!(request.method in ["get"])`:                                                       authz.NeverTrue,
		`["get", "HEAD"].exists(m, m == request.method)`:                                     authz.NeverTrue,
		`["get", "HEAD"].exists(m, request.method == m)`:                                     authz.NeverTrue,
		`request.method == (identity.subject == "a" ? "GET" : "put")`:                        authz.NeverTrue,
		`request.method.lowerAscii() == "GET"`:                                               authz.NeverTrue,
		`request.method.lowerAscii() == "get"`:                                               "",
		`request.method.upperAscii() == "get"`:                                               authz.NeverTrue,
		`request.method == "GET"`:                                                            "",
		`request.method == "M-SEARCH"`:                                                       "",
		`request.scheme == "HTTPS"`:                                                          authz.NeverTrue,
		`request.scheme == "https"`:                                                          "",
		`request.host == "API.example.com"`:                                                  authz.NeverTrue,
		`request.host == "api.example.com"`:                                                  "",
		`request.headers.exists(h, h == "X-Debug")`:                                          authz.NeverTrue,
		`request.headers.all(h, "X-Debug" != h)`:                                             authz.NeverTrue,
		`identity.scopes.exists(s, s == "x") && request.headers.exists(h, h in ["X-Debug"])`: authz.NeverTrue,
		`request.headers.exists(h, h == "x-debug")`:                                          "",
		`request.headers["X-Debug"] == "A"`:                                                  "",
		`"X-Debug" in request.headers`:                                                       "",
		`identity.scopes.exists(s, s == "Admin")`:                                            "",
		`identity.claims.roles.contains("admin")`:                                            authz.SubstringOfClaim,
		`identity.claims.scope.contains("read")`:                                             authz.SubstringOfClaim,
		`identity.claims.?roles.orValue("").contains("admin")`:                               authz.SubstringOfClaim,
		`identity.claims["roles"].contains("admin")`:                                         authz.SubstringOfClaim,
		`identity.claims.realm_access.roles.contains("admin")`:                               authz.SubstringOfClaim,
		`string(identity.claims.role).contains("admin")`:                                     authz.SubstringOfClaim,
		`"admin" in identity.claims.roles`:                                                   "",
		`identity.claims.email.contains("+bot@")`:                                            "",
		`request.path.contains("admins")`:                                                    "",
		`identity.claims.roles.exists(r, r == "admin")`:                                      "",
	} {
		p, err := Compile(Bool, src)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		switch w := p.Warnings(); {
		case want == "" && len(w) > 0:
			t.Errorf("%s: expected no warning, got %v", src, w)
		case want != "" && (len(w) != 1 || w[0].Lint != want || !strings.HasPrefix(w[0].Message, "1:")):
			t.Errorf("%s: expected one %s, got %v", src, want, w)
		}
	}
}

func TestNamesOfMethodsAreFoundHoweverTheyAreRead(t *testing.T) {
	for _, src := range []string{
		`identities["keys"].subject == "a"`, `identities.keys.subject == "a"`, `has(identities.keys)`, `"keys" in identities`,
		`identities[?"keys"].hasValue()`, `identities.?keys.hasValue()`, `identity.method == "keys"`, `"keys" != identity.method`,
		`identity.method in ["keys"]`, `true ? identity.method == "keys" : false`,
	} {
		p, err := Compile(Bool, src)
		if err != nil {
			t.Errorf("%s: %v", src, err)
		} else if n := p.MethodNames(); len(n) != 1 || n[0].Name != "keys" {
			t.Errorf("%s: expected the name keys, got %v", src, n)
		}
	}
}

func TestAConditionIsNeverTrueForMethodsThatItExcludes(t *testing.T) {
	for src, never := range map[string]string{
		`request.method == "GET"`:                                    "HEAD POST PUT PATCH DELETE OPTIONS TRACE CONNECT",
		`request.method != "GET"`:                                    "GET",
		`!(request.method in ["GET", "HEAD"])`:                       "GET HEAD",
		`"GET" == request.method && pathPrefix(request.path, "/v1")`: "HEAD POST PUT PATCH DELETE OPTIONS TRACE CONNECT",
		`request.method == "GET" || pathPrefix(request.path, "/v1")`: "",
		`request.method == "GET" ? true : request.method == "PUT"`:   "HEAD POST PATCH DELETE OPTIONS TRACE CONNECT",
		`["PUT", "POST"].exists(m, m == request.method)`:             "GET HEAD PATCH DELETE OPTIONS TRACE CONNECT",
		`["PUT", "POST"].all(m, m != request.method)`:                "POST PUT",
		`request.method.matches("^P")`:                               "GET HEAD DELETE OPTIONS TRACE CONNECT",
		`request.method.startsWith("P")`:                             "GET HEAD DELETE OPTIONS TRACE CONNECT",
		`request.method.lowerAscii() in ["get"]`:                     "HEAD POST PUT PATCH DELETE OPTIONS TRACE CONNECT",
		`request.method == request.headers["x-m"]`:                   "",
		`request.method in identity.scopes`:                          "",
		`request.method in ["GET", identity.subject]`:                "",
		`pathPrefix(request.path, "/v1")`:                            "",
		`identity.claims.x && request.method == "DELETE"`:            "GET HEAD POST PUT PATCH OPTIONS TRACE CONNECT",
	} {
		p, err := Compile(Bool, src)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		var got []string
		for _, m := range Methods() {
			if p.NeverFor(m) {
				got = append(got, m)
			}
		}
		if want := strings.Fields(never); !slices.Equal(got, want) {
			t.Errorf("%s: expected never for %v, got %v", src, want, got)
		}
	}
}

func TestLooksAtAHostileConditionAreBounded(t *testing.T) {
	list := "[" + strings.Repeat(`"a",`, 150) + `"b"]`
	src := list + `.exists(a, ` + list + `.exists(b, request.method.matches("^(a|b)$") && a == b))`
	if p, err := Compile(Bool, src); err == nil && len(p.Warnings()) > lint.MaxWarnings {
		t.Errorf("expected at most %d warnings, got %d", lint.MaxWarnings, len(p.Warnings()))
	}
}
