//go:build e2e

package e2e

import (
	"net/http"
	"strings"
	"testing"
)

// Each of these comes with a good key: it is refused for what it is, not for want of a credential.
func TestARequestThatCanBeReadInTwoWaysIsRefused(t *testing.T) {
	var attacks []attack
	for what, path := range map[string]string{
		"a malformed percent-encoding":               "/keys/%zz",
		"half a percent-encoding":                    "/keys/%2",
		"an empty segment at the start":              "//keys",
		"an empty segment":                           "/keys//a",
		"two empty segments at the end":              "/keys//",
		"a dot-dot segment":                          "/public/../keys",
		"a dot-dot segment at the end":               "/keys/..",
		"a dot segment":                              "/keys/./a",
		"a dot-dot segment with a parameter":         "/public/..;/keys",
		"a dot segment with a parameter":             "/keys/.;a=b/c",
		"an encoded dot-dot segment":                 "/public/%2e%2e/keys",
		"an encoded dot-dot segment in capitals":     "/public/%2E%2E/keys",
		"a half encoded dot-dot segment":             "/public/.%2e/keys",
		"a twice encoded dot-dot segment":            "/public/%252e%252e/keys",
		"an encoded slash":                           "/public%2fkeys",
		"an encoded slash in capitals":               "/keys/a%2Fb",
		"a twice encoded slash":                      "/keys/a%252fb",
		"an encoded backslash":                       "/keys/a%5cb",
		"an encoded backslash in capitals":           "/public/..%5C..%5Ckeys",
		"a backslash":                                `/public\..\keys`,
		"an encoded NUL":                             "/keys/a%00b",
		"an encoded line break":                      "/keys/a%0d%0ax-agent-id:%20mallory",
		"an encoded DEL":                             "/keys/a%7fb",
		"bytes that are no UTF-8, encoded":           "/keys/%ff%fe",
		"an overlong encoding of a slash":            "/public%c0%afkeys",
		"an overlong encoding of dots":               "/public/%c0%ae%c0%ae/keys",
		"a letter of the policy's path encoded":      "/%6beys",
		"a letter of a weaker policy's path encoded": "/%70ublic",
		"a parameter that hides the policy's path":   "/keys;jsessionid=1",
		"a parameter that hides a weaker path":       "/public;a/keys",
		"a twice encoded letter":                     "/%256beys",
		"a dot-dot segment after a weaker path":      "/v1/../keys/a",
		"a fragment in the query":                    "/keys?a#b",
		"an encoded C1 control":                      "/keys/%c2%85",
	} {
		attacks = append(attacks, attack{what: what, wire: withKey(path)})
	}
	attacks = append(attacks,
		attack{what: "a path that does not begin with a slash", wire: withKey("keys"), want: refused(400, 404)},
		attack{what: "a path that is a query", wire: withKey("?/keys"), want: refused(400, 404)},
		attack{what: "an asterisk", wire: wire{method: http.MethodOptions, target: "*", headers: withKey("").headers}, want: refused(400, 404)},
		// Without encode_raw_headers Envoy writes '!' for such a byte, and nobody can know better.
		attack{what: "a raw byte that is no UTF-8", wire: withKey("/keys/\xff"), ways: "header_map"},
		attack{what: "a raw NUL", wire: withKey("/keys/\x00")},
		attack{what: "a raw space", wire: withKey("/keys/a b")},
		attack{what: "a raw tab", wire: withKey("/keys/a\tb")},
		attack{what: "an absolute form in :path", wire: withKey("http://public.example.test/keys"), ways: "HTTP/2", want: refused(400, 403, 404)},
		attack{what: "a method in lower case", wire: wire{method: "get", target: "/keys", headers: withKey("").headers}},
		attack{what: "a method in mixed case", wire: wire{method: "Get", target: "/keys", headers: withKey("").headers}},
		attack{what: "a method that is no token", wire: wire{method: "GE(T", target: "/keys", headers: withKey("").headers}},
		attack{what: "CONNECT", wire: wire{method: http.MethodConnect, target: "/keys", headers: withKey("").headers}, want: refused(400, 403, 404)},
		attack{what: "a host that ends in a dot", wire: wire{target: "/keys", host: apiHost + ".", headers: withKey("").headers}},
		attack{what: "a host that ends in a dot, with a port", wire: wire{target: "/keys", host: apiHost + ".:80", headers: withKey("").headers}},
		attack{what: "a host with a user", wire: wire{target: "/keys", host: "a@" + apiHost, headers: withKey("").headers}},
		attack{what: "a host with a space", wire: wire{target: "/keys", host: apiHost + " b", headers: withKey("").headers}},
		attack{what: "two hosts in one", wire: wire{target: "/keys", host: apiHost + ",public.example.test", headers: withKey("").headers}},
		attack{what: "a second Host field", wire: withKey("/keys", "Host: public.example.test"), ways: "HTTP/1.1"},
		attack{what: "an empty authority", wire: wire{target: "/keys", host: " ", headers: withKey("").headers}, want: refused(400, 403, 404)},
	)
	resist(t, attacks)
}

// Without a credential the same readings must not lead to the protected path either.
func TestAnAmbiguousPathNeverLeadsToWhatIsProtected(t *testing.T) {
	var attacks []attack
	for _, path := range []string{
		"//keys", "/public/../keys", "/public/..;/keys", "/public/%2e%2e/keys", "/public%2f..%2fkeys", `/public\..\keys`, "/%6beys",
		"/%256beys", "/keys%00", "/keys;a=b", "/keys#/public", "/keys?/public", "/KEYS/../keys", "/./keys", "/keys%20", "/public/%252e%252e/keys",
	} {
		attacks = append(attacks, attack{what: path, wire: get(path), want: refused(400, 401, 403)})
	}
	resist(t, attacks)
}

func TestWhatIsReadInOneWayIsAllowed(t *testing.T) {
	long := "/keys/" + strings.Repeat("a", 2000)
	disarm(t, []harmless{
		{what: "a host with a port and in other letters", wire: wire{target: "/keys", host: "API.Example.TEST:8443", headers: withKey("").headers}},
		{what: "the absolute form", wire: wire{target: "http://" + apiHost + "/keys", host: "public.example.test", headers: withKey("").headers}, path: "/keys", ways: "plaintext, HTTP/1.1"},
		{what: "a slash at the end", wire: withKey("/keys/")},
		{what: "an encoded space", wire: withKey("/keys/a%20b")},
		{what: "letters outside ASCII", wire: withKey("/keys/%c3%a9")},
		{what: "a question mark in the query", wire: withKey("/keys?a=b?c=/../d")},
		{what: "a long path", wire: withKey(long)},
		{what: "an unreserved character encoded where it changes nothing", wire: withKey("/keys/%41")},
		{what: "a parameter where it changes nothing", wire: withKey("/keys/a;b=c")},
	})
}
