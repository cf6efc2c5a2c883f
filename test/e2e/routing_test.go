//go:build e2e

package e2e

import "testing"

func on(host string, r wire) wire {
	r.host = host
	return r
}

func TestNobodyFindsAWeakerPolicy(t *testing.T) {
	resist(t, []attack{
		{what: "an exact host does not fall back to the wildcard's policy", wire: on("admin.example.test", get("/other")), want: refused(403)},
		{what: "nor does it in other letters", wire: on("ADMIN.Example.test", get("/other")), want: refused(403)},
		{what: "nor with a port", wire: on("admin.example.test:8080", get("/other")), want: refused(403)},
		{what: "the exact host's policy decides in any letter case", wire: on("ADMIN.EXAMPLE.TEST", get("/admin")), want: refused(401)},
		{what: "a dot at the end of the host is refused", wire: on("admin.example.test.", get("/other"))},
		{what: "a wildcard does not cover its own suffix", wire: on("example.test", get("/")), want: refused(403)},
		{what: "/v1x is not under /v1", wire: get("/v1x"), want: refused(403)},
		{what: "/V1 is not /v1", wire: get("/V1"), want: refused(403)},
		{what: "a query is not part of the path", wire: get("/nowhere?/public"), want: refused(403)},
		{what: "a path after the query is not either", wire: get("/keys?x=/../public"), want: refused(401)},
		{what: "another host has no policy", wire: on("elsewhere.invalid", get("/public")), want: refused(403)},
		{what: "the host of a policy that is named is open to nobody else", wire: on("elsewhere.invalid", withKey("/keys")), want: refused(403)},
		{what: "x-forwarded-host is not the host", wire: on("admin.example.test", get("/other", "x-forwarded-host: api.example.test")), want: refused(403)},
		{what: "x-original-url is not the path", wire: get("/keys", "x-original-url: /public", "x-rewrite-url: /public", "x-envoy-original-path: /public"), want: refused(401)},
		{what: "x-http-method-override is not the method", wire: get("/keys", "x-http-method-override: OPTIONS"), want: refused(401)},
	})
	disarm(t, []harmless{
		{what: "a wildcard covers one label", wire: on("other.example.test", get("/other"))},
		{what: "and two", wire: on("a.b.example.test", get("/other"))},
		{what: "the exact host with a key", wire: on("admin.example.test", withKey("/admin"))},
		{what: "under /v1", wire: get("/v1/a")},
	})
}

func TestARouteOfTheProxyNamesItsPolicy(t *testing.T) {
	resist(t, []attack{
		{what: "the named policy decides, not that of the host", wire: on("other.example.test", get("/named/keys")), want: refused(401)},
		{what: "a policy that does not exist is nobody's", wire: on("other.example.test", withKey("/named/nobody")), want: refused(403)},
		{what: "one that is named beside a route of the Gateway API is refused", wire: on("other.example.test", withKey("/named/beside-a-route")), want: refused(503)},
		{what: "a header of that name names nothing", wire: get("/keys", "agentauth.dev/policy: e2e/named-open"), want: refused(400, 401)},
		{what: "nor does one with an alias of it", wire: get("/keys", "agentauth-dev-policy: e2e/named-open"), want: refused(401)},
	})
	disarm(t, []harmless{
		{what: "one that lets everybody in", wire: on("elsewhere.invalid", get("/named/open"))},
		{what: "one that wants a key", wire: on("elsewhere.invalid", withKey("/named/keys"))},
	})
}
