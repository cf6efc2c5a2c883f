package expr

import (
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
)

func TestAConditionHoldsOrNot(t *testing.T) {
	in := input(t)
	for src, want := range map[string]bool{
		`request.id == "id-1" && request.scheme == "https" && request.host == "orders.example.com"`: true,
		`request.path == "/v1/orders"`:                                           true,
		`request.source.address == "192.0.2.1"`:                                  true,
		`request.source.principal.startsWith("spiffe://example.com/")`:           true,
		`request.time == timestamp("2026-05-17T12:00:00Z")`:                      true,
		`request.time.getHours() == 12 && request.time.getHours("+02:00") == 14`: true,
		`has(request.body)`:        false,
		`request.?body.hasValue()`: false,

		`request.headers["x-env"] == "prod"`:               true,
		`request.headers["x-list"] == "a,b"`:               true,
		`"X-Env" in request.headers`:                       true,
		`has(request.headers.authorization)`:               true,
		`request.headers[?"x-none"].orValue("-") == "-"`:   true,
		`request.headers[?"x-env"] == optional.of("prod")`: true,
		`request.headers.?cookie.hasValue()`:               false,
		`"x-raw" in request.headers`:                       true,
		`request.headers.exists(k, k == "x-env")`:          true,
		`request.headers.size() == 4`:                      true,
		`request.headers.map(k, k)[0] == "authorization"`:  true,

		`request.query["debug"] == "1" && request.query.debug == "1"`: true,
		`request.query["na me"] == "a b"`:                             true,
		`"twice" in request.query && "bad" in request.query`:          true,
		`"none" in request.query`:                                     false,
		`request.query[?"none"].hasValue()`:                           false,
		`request.query.size() == 5`:                                   true,
		`request.query == {"debug": "1"}`:                             false,

		`identity.method == "partners" && identity.subject == "alice" && identity.credentialId == "jti-1"`: true,
		`"a" in identity.scopes && !("c" in identity.scopes)`:                                              true,
		`identity.audiences == ["orders"]`:                                                                 true,
		`sets.contains(identity.scopes, ["b", "a"])`:                                                       true,
		`sets.intersects(identity.groups, ["team-y", "team-z"])`:                                           true,
		`identity.groups.exists(g, g.startsWith("team-"))`:                                                 true,
		`identity.groups.all(g, g.matches("^team-[a-z]$"))`:                                                true,
		`has(identity.actor) && identity.actor.subject == "support-bot"`:                                   true,
		`identity.expiresAt > request.time`:                                                                true,
		`identity.expiresAt - request.time == duration("1h")`:                                              true,
		`identity == identities["partners"]`:                                                               true,
		`identity == identities.anonymous`:                                                                 false,
		`identity.actor == identities.partners.actor`:                                                      true,
		`dyn(identity).subject == "alice" && !has(dyn(identities.anonymous).actor)`:                        true,
		`[identity, identities.anonymous].exists(i, i.subject == "")`:                                      true,
		`"partners" in identities && !("staff" in identities)`:                                             true,
		`has(identities.anonymous.actor)`:                                                                  false,
		`has(identities.anonymous.subject)`:                                                                false,
		`identities.anonymous.?actor.?subject.orValue("nobody") == "nobody"`:                               true,
		`identities.?staff.?subject.orValue("none") == "none"`:                                             true,
		`has(identities.anonymous.expiresAt)`:                                                              false,
		`identities.anonymous.claims == {}`:                                                                true,

		`identity.claims.role == "manager" && identity.claims.admin`: true,
		`identity.claims.?none.orValue("x") == null`:                 true,
		`identity.claims.?gone.orValue("") == ""`:                    true,
		`identity.claims.n == 9007199254740993`:                      true,
		`identity.claims.n == 9007199254740992`:                      false,
		`identity.claims.n == "9007199254740993"`:                    false,
		`identity.claims.half < 1`:                                   true,
		`"x" in identity.claims.list && 7 in identity.claims.list`:   true,
		`identity.claims.nested.deep[0].a == "b"`:                    true,
		`identity.claims.nested.?deep[?3].hasValue()`:                false,

		`context["tier"] == "gold"`:                            true,
		`"tier" in context && context.?none.orValue("") == ""`: true,
		`metadata["envoy.filters.http.x"].n == 3`:              true,

		`"A-b".lowerAscii() == "a-b" && "a,b".split(",").size() == 2`: true,
		`identity.groups.join(",") == "team-x,team-y"`:                true,
		`identity.subject.replace("al", "m") == "mice"`:               true,
		`1 < 1.5 && 2u <= 2 && dyn(2u) == 2`:                          true,
	} {
		got, err := mustCompile(t, Bool, src).Bool(t.Context(), in)
		if err != nil || got != want {
			t.Errorf("%s: got %v and error %v, want %v", src, got, err, want)
		}
	}
}

func TestWhatCannotBeReadIsAnErrorAndNeverTrue(t *testing.T) {
	in := input(t)
	in.Identity.Claims["long"] = []any{strings.Repeat("x", MaxEntry+1)}
	in.Identities = append(in.Identities, &authz.Identity{Method: "raw", Subject: "\xff", Groups: []string{"\xff"}})
	for src, want := range map[string]string{
		`request.query["twice"] != "x"`:                                                                                  "1:14: the query parameter occurs twice",
		`request.query[?"twice"].orValue("x") == "x"`:                                                                    "the query parameter occurs twice",
		`request.query.?twice.hasValue() || true == false`:                                                               "the query parameter occurs twice",
		`request.query.exists(k, request.query[k] == "z")`:                                                               "the query parameter",
		`has(request.query.twice)`:                                                                                       "the query parameter occurs twice",
		`request.query["bad"] != "x"`:                                                                                    "the query parameter's value cannot be decoded",
		`request.query["raw"] != "x"`:                                                                                    "the query parameter's value is no UTF-8",
		`request.query == {"debug": "1", "twice": "a", "bad": "", "raw": "", "na me": "a b"}`:                            "the query parameter",
		`request.query != {"debug": "1", "twice": "a", "bad": "", "raw": "", "na me": "a b"}`:                            "the query parameter",
		`request.headers != {"x-env": "", "x-list": "", "x-raw": "", "authorization": ""}`:                               "the header's value is no UTF-8",
		`{"x-env": "", "x-list": "", "x-raw": "", "authorization": ""} != request.headers`:                               "the header's value is no UTF-8",
		`!({"x-env": "", "x-list": "", "x-raw": "", "authorization": ""} in [request.headers])`:                          "the header's value is no UTF-8",
		`identity.claims.long != ["x"]`:                                                                                  "the entry of a list is too long",
		`[request.headers] != [dyn({"x-env": "prod", "x-list": "a,b", "x-raw": "", "authorization": "Bearer hunter2"})]`: "the header's value is no UTF-8",
		`identities.raw.groups[0] != "x"`:                                                                                "identity.groups has an entry that is no UTF-8",
		`[1].all(i, !("x" in identities.raw.groups))`:                                                                    "identity.groups has an entry that is no UTF-8",
		`identities.raw.subject != "x"`:                                                                                  "identity.subject is no UTF-8",
		`request.headers["x-raw"] != "x"`:                                                                                "the header's value is no UTF-8",
		`request.headers["X-None"] != "x"`:                                                                               "no such key: X-None",
		`request.body != b"x"`:                                                                                           "request.body is not set: ask has(request.body) first",
		`identities.anonymous.actor.subject != "x"`:                                                                      "identity.actor is not set: ask has(identity.actor) first",
		`identities.anonymous.expiresAt > request.time`:                                                                  "identity.expiresAt is not set",
		`identities["staff"].subject != "x"`:                                                                             "no such key: staff",
		`identity.claims.gone != "x"`:                                                                                    "no such key: gone",
		`identity.claims.role`:                                                                                           "expected bool, got string",
		`identity.claims.n`:                                                                                              "expected bool, got int",
		`identity.claims.role > 1`:                                                                                       "a value has a type that the operator or function does not take",
		`identity.claims.?gone.value() == ""`:                                                                            "optional.none() has no value",
		`identity.claims.list[9] == ""`:                                                                                  "index",
		`1 / (identity.scopes.size() - 2) == 1`:                                                                          "division by zero",
		`identity.claims.n * 9007199254740993 > 0`:                                                                       "a number is out of range",
		`pathPrefix(request.path, request.method)`:                                                                       "pathPrefix expects a prefix that starts with '/'",
	} {
		got, err := mustCompile(t, Bool, src).Bool(t.Context(), in)
		if got || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v and error %v, want %q", src, got, err, want)
		}
	}
}

func TestWithoutAnIdentityReadingItIsAnError(t *testing.T) {
	in := input(t)
	in.Identity = nil
	for _, src := range []string{`identity.subject == ""`, `has(identity.actor) || true`, `identity == identity`, `identity.?subject.orValue("") == ""`} {
		got, err := mustCompile(t, Bool, src).Bool(t.Context(), in)
		if src == `has(identity.actor) || true` {
			if !got || err != nil {
				t.Errorf("%s: got %v and error %v", src, got, err)
			}
			continue
		}
		if got || err == nil {
			t.Errorf("%s: got %v and error %v", src, got, err)
		}
	}
}

func TestAFailedEvaluationNeverRepeatsWhatItHasRead(t *testing.T) {
	in := input(t)
	in.Identity.Claims["secret"] = "hunter2"
	for _, src := range []string{
		`int(request.headers["authorization"]) == 1`,
		`timestamp(request.headers["authorization"]) == request.time`,
		`duration(request.headers["authorization"]) == duration("1s")`,
		`bool(request.headers["authorization"])`,
		`double(request.headers["authorization"]) == 1.0`,
		`identity.claims[request.headers["authorization"]] == 1`,
		`context[request.headers["authorization"]] == ""`,
		`request.headers[request.headers["authorization"]] == ""`,
		`identities[request.headers["authorization"]].subject == ""`,
		`identity.claims.secret > 1`,
		`identity.claims.secret`,
		`{"a": 1}[identity.claims.secret] == 1`,
		`[1][identity.claims.secret] == 1`,
		`pathPrefix("/", request.headers["authorization"])`,
		`request.headers["authorization"].substring(99) == ""`,
	} {
		got, err := mustCompile(t, Bool, src).Bool(t.Context(), in)
		if got || err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v and error %v", src, got, err)
		}
	}
}

func TestABodyThatIsKnownCanBeRead(t *testing.T) {
	r, err := authz.NewRequest(authz.Raw{Method: "POST", Scheme: "https", Host: "a", Path: "/", Body: []byte("yes"), BodyKnown: true})
	if err != nil {
		t.Fatal(err)
	}
	p := mustCompile(t, Bool, `has(request.body) && request.body == b"yes" && string(request.body).contains("e")`)
	if ok, err := p.Bool(t.Context(), &Input{Request: r}); !ok || err != nil {
		t.Errorf("got %v and error %v", ok, err)
	}
}

func TestAPathPrefixIsOfWholeSegments(t *testing.T) {
	for prefix, paths := range map[string]map[string]bool{
		"/v1":  {"/v1": true, "/v1/": true, "/v1/x": true, "/v1x": false, "/": false, "/V1": false, "/x/v1": false},
		"/v1/": {"/v1": true, "/v1/": true, "/v1/x": true, "/v1x": false},
		"/":    {"/": true, "/v1": true, "": true},
	} {
		for path, want := range paths {
			if got, err := hasPathPrefix(path, prefix); got != want || err != nil {
				t.Errorf("%q of %q: got %v and error %v", prefix, path, got, err)
			}
		}
	}
}
