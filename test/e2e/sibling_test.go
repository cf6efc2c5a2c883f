//go:build e2e

package e2e

import (
	"net/http"
	"testing"
)

// mallory is what a caller claims to be.
const mallory = "mallory"

func TestNobodyIsWhoTheySayTheyAreInAHeader(t *testing.T) {
	var all []harmless
	for _, name := range []string{"x-agent-id", "X-AGENT-ID", "x_agent_id", "X_Agent_Id", "x-agent_id", "x.agent.id", "x!agent!id", "x-Agent.iD", "x_agent-site"} {
		spoofed := name + ": " + mallory
		all = append(all,
			harmless{what: "beside a key: " + name, wire: withKey("/keys", spoofed), never: mallory, shows: map[string]string{"x-agent-id": "robot"}},
			harmless{what: "on a path that sets nothing: " + name, wire: get("/public", spoofed), never: mallory, shows: map[string]string{"x-agent-id": ""}},
		)
	}
	disarm(t, append(all,
		harmless{what: "twice", wire: withKey("/keys", "x-agent-id: "+mallory, "x-agent-id: "+mallory), never: mallory, shows: map[string]string{"x-agent-id": "robot"}},
		harmless{what: "for a header whose expression yields nothing", wire: withKey("/keys", "x-agent-site: "+mallory), never: mallory, shows: map[string]string{"x-agent-site": ""}},
	))
}

func TestACredentialNeverReachesTheUpstream(t *testing.T) {
	good := token(t, `"sub":"bob"`)
	is := map[string]string{"x-agent-id": "bob"}
	disarm(t, []harmless{
		{what: "in a header", wire: withKey("/keys"), never: goodKey, shows: map[string]string{"x-api-key": ""}},
		{what: "in another spelling of the header", wire: withKey("/keys", "X_Api_Key: "+goodKey), never: goodKey},
		{what: "in Authorization", wire: get("/tokens", "authorization: "+bearer(good)), never: good, shows: is},
		{what: "in Authorization, the scheme in other letters", wire: get("/tokens", "authorization: bEARER   "+good), never: good, shows: is},
		{what: "in the query", wire: get("/tokens?a=b&access_token=" + good + "&c=d"), never: good, shows: is, path: "/tokens?a=b&c=d"},
		{what: "in the query alone", wire: get("/tokens?access_token=" + good), never: good, shows: is, path: "/tokens"},
		{what: "in a cookie among others", wire: get("/tokens", "cookie: a=b; session="+good+"; c=d"), never: good, shows: map[string]string{"x-agent-id": "bob", "cookie": "a=b; c=d"}},
		{what: "in a cookie alone", wire: get("/tokens", "cookie: session="+good), never: good, shows: map[string]string{"x-agent-id": "bob", "cookie": ""}},
		{what: "one that the policy did not need", wire: withKey("/any", "authorization: "+bearer(good)), never: good},
		{what: "a forged one beside a good one that is forwarded", wire: withKey("/forward", "authorization: "+bearer(good+"x")), never: good, shows: map[string]string{"x-api-key": goodKey}},
	})
}

func TestNoHeaderNamesAnotherHostPathOrMethodToTheUpstream(t *testing.T) {
	const other = "admin.example.test"
	disarm(t, []harmless{
		{what: "a host", wire: withKey("/keys", "x-forwarded-host: "+other), never: other},
		{what: "a host under an alias", wire: withKey("/keys", "X_Forwarded_Host: "+other), never: other},
		{what: "a host in a second field", wire: withKey("/keys", "x-host: "+apiHost, "x-host: "+other), never: other},
		{what: "a host in Forwarded", wire: withKey("/keys", `forwarded: for=192.0.2.1;host="`+other+`:443"`), never: other},
		{what: "a path", wire: withKey("/keys", "x-original-url: /admin/secret"), never: "/admin/secret"},
		{what: "a method", wire: withKey("/keys", "x-http-method-override: DELETE"), shows: map[string]string{"x-http-method-override": ""}},
		{what: "the same host, path and method", wire: withKey("/keys", "x-forwarded-host: "+apiHost, "x-original-url: /keys", "x-http-method: GET"),
			shows: map[string]string{"x-forwarded-host": apiHost, "x-original-url": "/keys", "x-http-method": "GET"}},
	})
}

func TestASiblingLendsNothing(t *testing.T) {
	unscoped, scoped := token(t, `"scope":"orders:write"`), token(t, `"scope":"orders:read"`)
	resist(t, []attack{
		{what: "a good key does not make up for a token's missing scope", wire: withKey("/both", "authorization: "+bearer(unscoped)), want: refused(403)},
		{what: "a good key does not make up for a missing token", wire: withKey("/both"), want: refused(401)},
		{what: "a good token does not make up for a missing key", wire: get("/both", "authorization: "+bearer(scoped)), want: refused(401)},
		{what: "a query parameter that occurs twice", wire: withKey("/tenant?tenant=mine&tenant=victim"), want: refused(403)},
		{what: "a query parameter that occurs twice, once encoded", wire: withKey("/tenant?tenant=mine&t%65nant=victim"), want: refused(403)},
		{what: "a query parameter that occurs twice, the other way round", wire: withKey("/tenant?t%65nant=victim&tenant=mine"), want: refused(403)},
		{what: "a query parameter beside a list of its name", wire: withKey("/tenant?tenant=mine&tenant[]=victim"), want: refused(403)},
		{what: "a query parameter beside an encoded list of its name", wire: withKey("/tenant?tenant=mine&tenant%5B0%5D=victim"), want: refused(403)},
		{what: "a body that was never sent", wire: wire{method: http.MethodPost, target: "/body", headers: withKey("", "x-envoy-auth-partial-body: false", "content-length: 0").headers}, want: refused(403)},
		{what: "a body that is not known", wire: wire{method: http.MethodPost, target: "/body", headers: withKey("", "x-envoy-auth-partial-body: false").headers, body: "the right words"}, ways: "headers,", want: refused(403)},
		{what: "a body that is only begun", wire: wire{method: http.MethodPost, target: "/body", headers: withKey("").headers, body: "the right words" + string(make([]byte, 2000))}, ways: "header_map", want: refused(403)},
	})
	disarm(t, []harmless{
		{what: "both together are enough", wire: withKey("/both", "authorization: "+bearer(scoped))},
		{what: "a query parameter that occurs once", wire: withKey("/tenant?tenant=mine")},
		{what: "a body that is known", wire: wire{method: http.MethodPost, target: "/body", headers: withKey("").headers, body: "the right words"}, ways: "header_map"},
		{what: "a number that a double cannot hold", wire: get("/tokens", "authorization: "+bearer(token(t, `"number":9007199254740993`))), shows: map[string]string{"x-agent-number": "9007199254740993"}},
	})
}
