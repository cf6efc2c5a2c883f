package expr

import "testing"

// TestWhatTenantsWriteIsValid has expressions as policies have them: none may be
// refused for a cost that it does not have.
func TestWhatTenantsWriteIsValid(t *testing.T) {
	for kind, sources := range map[Kind][]string{
		Bool: {
			`identity.claims.roles.join(",") == "a,b"`,
			`identity.claims.roles.join(",").contains("admin")`,
			`"admin" in identity.claims.roles`,
			`"admin" in identity.claims.?roles.orValue([])`,
			`identity.claims.?roles.orValue([]).exists(r, r == "admin")`,
			`identity.claims.?realm_access.?roles.orValue([]).exists(r, r.startsWith("app-"))`,
			`has(identity.claims.roles) && identity.claims.roles.exists(r, r in ["admin", "owner"])`,
			`(has(identity.claims.roles) ? identity.claims.roles : []).exists(r, r == "admin")`,
			`(!has(identity.claims.roles) ? [] : identity.claims.roles).all(r, r != "guest")`,
			`identity.claims.roles.filter(r, r.startsWith("team-")).size() > 0`,
			`identity.claims.roles.map(r, r.lowerAscii()).exists(r, r == "admin")`,
			`identity.claims.roles.map(r, r.replace("role_", "")).exists(r, r == "admin")`,
			`identity.claims.roles.exists_one(r, r == "primary")`,
			`identity.claims.scope.split(" ").exists(s, s == "orders:read")`,
			`"orders:read" in identity.claims.scope.split(" ")`,
			`identity.claims.scope.split(" ").all(s, s.startsWith("orders:"))`,
			`identity.claims.groups.exists(g, g.split("/")[0] == "eng")`,
			`identity.claims.groups.map(g, g.split("/")[0]).exists(g, g == "eng")`,
			`identity.claims.groups.filter(g, g.matches("^[a-z0-9-]+$")).size() == identity.claims.groups.size()`,
			`identity.claims.email.endsWith("@example.com") && identity.claims.email_verified`,
			`identity.claims.email.matches("^[^@]+@(example\\.com|example\\.org)$")`,
			`identity.claims.?email_verified.orValue(false)`,
			`identity.claims.?tenant.orValue("") == request.headers["x-tenant"]`,
			`identity.claims.tenants.exists(t, t == request.headers["x-tenant"])`,
			`request.headers["x-tenant"] in identity.claims.tenants`,
			`identity.claims.permissions.exists(p, p.resource == "orders" && "read" in p.actions)`,
			`identity.claims.permissions.exists(p, p.resource == "orders" && p.actions.exists(a, a == "read"))`,
			`identity.claims.authorization.permissions.map(p, p.rsname).exists(n, n == "orders")`,
			`identity.claims.orgs.map(o, o.id).exists(i, i == request.query["org"])`,
			`identity.claims.roles == ["admin"]`,
			`identity.claims.roles.size() <= 10`,
			`sets.contains(identity.scopes, ["a", "b"])`,
			`sets.intersects(identity.groups, ["a", "b", "c"])`,
			`sets.intersects(identity.claims.roles, ["admin", "owner"])`,
			`sets.contains(["admin", "owner"], identity.claims.roles)`,
			`sets.equivalent(identity.scopes, ["a", "b"])`,
			`sets.intersects(identity.claims.scope.split(" "), ["orders:read", "orders:write"])`,
			`sets.intersects(identity.groups, identity.claims.?allowed.orValue([]))`,
			`["a", "b"].all(s, s in identity.scopes)`,
			`["a", "b"].exists(s, identity.groups.exists(g, g == s))`,
			`identity.groups.exists(g, request.path.startsWith("/" + g + "/"))`,
			`identity.groups.map(g, "/" + g).exists(p, pathPrefix(request.path, p))`,
			`identity.groups.filter(g, g.startsWith("team-")).map(g, g.substring(5)).exists(t, t == request.headers["x-team"])`,
			`identity.groups.join(",").contains("admin")`,
			`identity.subject.split(":").size() == 4 && identity.subject.split(":")[2] == "prod"`,
			`identity.subject.startsWith("system:serviceaccount:") && identity.subject.split(":")[2] in ["a", "b"]`,
			`identity.?actor.?subject.orValue("") == "bot"`,
			`!has(identity.actor) || identity.actor.subject in ["bot", "support"]`,
			`identity.expiresAt - request.time < duration("1h")`,
			`request.time < timestamp("2030-01-01T00:00:00Z")`,
			`request.time.getHours("Europe/Berlin") >= 8 && request.time.getDayOfWeek("Europe/Berlin") in [1, 2, 3, 4, 5]`,
			`timestamp(int(identity.claims.auth_time)) > request.time - duration("15m")`,
			`request.time - timestamp(identity.claims.auth_time) < duration("5m")`,
			`request.method in ["GET", "HEAD"] ? true : "write" in identity.scopes`,
			`request.path.split("/")[2] == identity.subject`,
			`request.path.split("/").size() > 3 && request.path.split("/")[3] in identity.groups`,
			`request.path.lowerAscii().contains("/admin/") ? "admin" in identity.groups : true`,
			`request.path.matches("^/v[0-9]+/users/[^/]+$") && request.path.endsWith("/" + identity.subject)`,
			`request.query.?debug.orValue("0") != "1"`,
			`int(request.query.?limit.orValue("10")) <= 100`,
			`request.headers[?"x-forwarded-proto"].orValue("https") == "https"`,
			`request.headers.?accept.orValue("").split(",").exists(a, a.trim() == "application/json")`,
			`request.headers.exists(h, h.startsWith("x-internal-"))`,
			`request.headers["user-agent"].lowerAscii().indexOf("curl") < 0`,
			`request.source.address.startsWith("10.") || request.source.address == "127.0.0.1"`,
			`request.source.principal.split("/").exists(p, p == "sa")`,
			`optional.of(identity.subject).optMap(s, s.lowerAscii()).orValue("") == "alice"`,
			`identity.claims.?email.optMap(e, e.split("@")[1]).orValue("") == "example.com"`,
			`identity.claims.?email.optFlatMap(e, e.split("@")[?1]).orValue("") == "example.com"`,
			`{"a": ["read"], "b": ["read", "write"]}[?identity.subject].orValue([]).exists(p, p == "read")`,
			`request.method in {"alice": ["GET"], "bob": ["GET", "POST"]}[?identity.subject].orValue([])`,
			`identities.exists(n, identities[n].claims.?admin.orValue(false) == true)`,
			`metadata["envoy.filters.http.jwt_authn"].payload.roles.exists(r, r == "admin")`,
			`type(identity.claims.aud) == list ? "api" in identity.claims.aud : identity.claims.aud == "api"`,
			`string(identity.claims.uid) == request.query["uid"]`,
			`identity.claims.acr in ["urn:mfa", "urn:hardware"] && identity.claims.amr.exists(a, a == "otp")`,
			`[].exists(r, r == "admin") || identity.subject != ""`,
			`context.?tier.orValue("free") in ["gold", "silver"]`,
		},
		String: {
			`identity.groups.join(",")`, `identity.scopes.join(" ")`, `identity.claims.roles.join(",")`,
			`identity.claims.?roles.orValue([]).join(",")`,
			`identity.groups.filter(g, g.startsWith("team-")).join(",")`,
			`identity.groups.map(g, g.replace("team-", "")).join(",")`,
			`identity.claims.roles.filter(r, r.startsWith("app-")).join(",")`,
			`identity.claims.roles.map(r, r.lowerAscii()).join(" ")`,
			`identity.claims.?email.orValue("").split("@")[0]`,
			`identity.claims.?email.optMap(e, e.lowerAscii())`,
			`has(identity.actor) ? identity.actor.subject : identity.subject`,
			`request.headers[?"x-request-id"].orValue(request.id)`,
			`"user:" + identity.subject + "@" + request.host`,
			`identity.subject.lowerAscii().replace(" ", "-")`,
			`"admin" in identity.groups ? "admin" : "editor" in identity.groups ? "editor" : "viewer"`,
			`string(identity.claims.uid)`, `string(request.time)`, `string(identity.groups.size())`,
		},
		Claim: {
			`claims.roles`, `claims.scope.split(" ")`, `claims.?groups.orValue([])`,
			`claims.resource_access["orders"].roles.map(r, "orders:" + r)`,
			`claims.realm_access.roles.filter(r, r.startsWith("app-")).map(r, r.substring(4))`,
			`claims.?scp.orValue("").split(" ")`, `has(claims.groups) ? claims.groups : []`,
			`claims.groups.map(g, g.lowerAscii())`, `claims.roles + claims.groups`,
			`claims.permissions.map(p, p.resource + ":" + p.action)`,
		},
		Subject: {
			`claims.sub`, `claims.?email.orValue(claims.sub)`, `claims.iss + "|" + claims.sub`,
			`claims.email.lowerAscii()`, `has(claims.azp) ? claims.azp : claims.sub`, `claims.sub.split("|")[1]`,
		},
	} {
		for _, src := range sources {
			if _, err := Compile(kind, src); err != nil {
				t.Errorf("%s: %v", src, err)
			}
		}
	}
}

func TestAProgramTellsTheCostOfItsWorstEvaluation(t *testing.T) {
	cheap := mustCompile(t, Bool, `request.method == "GET"`).Cost()
	loop := mustCompile(t, Bool, `identity.groups.exists(g, g.startsWith("team-"))`).Cost()
	nested := mustCompile(t, Bool, `identity.groups.exists(g, g in identity.claims.allowed)`).Cost()
	if cheap == 0 || cheap > 100 || loop < 10*cheap || nested < 10*loop || nested > MaxCost {
		t.Errorf("got %d, %d and %d", cheap, loop, nested)
	}
	if got := (*Program)(nil).Cost() + (&Program{}).Cost(); got != 0 {
		t.Errorf("of no program: got %d", got)
	}
}
