//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

func TestABadCredentialIsRefused(t *testing.T) {
	good := token(t, `"sub":"bob"`)
	other := token(t, `"sub":"carol"`)
	auth := func(target, value string) wire { return get(target, "authorization: "+value) }
	unauthorized := refused(401)
	resist(t, []attack{
		{what: "none", wire: get("/keys"), want: unauthorized},
		{what: "an empty one", wire: get("/keys", "x-api-key: "), want: unauthorized},
		{what: "an unknown key", wire: get("/keys", "x-api-key: e2e-api-key-of-nobody-at-all"), want: unauthorized},
		{what: "a key and one character more", wire: get("/keys", "x-api-key: "+goodKey+"x"), want: unauthorized},
		{what: "a key and one character less", wire: get("/keys", "x-api-key: "+goodKey[:len(goodKey)-1]), want: unauthorized},
		{what: "a key in other letters", wire: get("/keys", "x-api-key: "+strings.ToUpper(goodKey)), want: unauthorized},
		{what: "the digest of a key", wire: get("/keys", "x-api-key: "+expand(t, "${sha256 "+goodKey+"}")), want: unauthorized},
		{what: "a key that has ended", wire: get("/keys", "x-api-key: "+expiredKey), want: unauthorized},
		{what: "a key of another namespace", wire: get("/keys", "x-api-key: "+othersKey), want: unauthorized},
		{what: "a key in another header", wire: get("/keys", "x_api_key: "+goodKey), want: unauthorized},
		{what: "a key in the query", wire: get("/keys?x-api-key=" + goodKey), want: unauthorized},
		{what: "two keys, the good one first", wire: withKey("/keys", "x-api-key: "+othersKey)},
		{what: "two keys, the good one last", wire: get("/keys", "x-api-key: "+othersKey, "x-api-key: "+goodKey)},
		{what: "one key twice", wire: withKey("/keys", "x-api-key: "+goodKey)},
		{what: "two keys in one field", wire: get("/keys", "x-api-key: "+goodKey+","+othersKey)},
		{what: "a key with a comma after it", wire: get("/keys", "x-api-key: "+goodKey+",")},

		{what: "two Authorization fields", wire: get("/tokens", "authorization: Bearer "+good, "authorization: Bearer "+other)},
		{what: "one Authorization field twice", wire: get("/tokens", "authorization: Bearer "+good, "authorization: Bearer "+good)},
		{what: "two Authorization fields of different schemes", wire: get("/any", "authorization: "+basic("alice", password), "authorization: Bearer "+good)},
		{what: "two tokens in one field", wire: auth("/tokens", "Bearer "+good+",Bearer "+other)},
		{what: "a token with a comma after it", wire: auth("/tokens", "Bearer "+good+",")},
		{what: "a tab after the scheme", wire: auth("/tokens", "Bearer\t"+good), want: refused(400, 401)},
		{what: "a tab after the token", wire: auth("/tokens", "Bearer "+good+" \tx"), want: refused(400, 401)},
		{what: "a word after the token", wire: auth("/tokens", "Bearer "+good+" x"), want: unauthorized},
		{what: "no space after the scheme", wire: auth("/tokens", "Bearer:"+good), want: unauthorized},
		{what: "no scheme", wire: auth("/tokens", good), want: unauthorized},
		{what: "another scheme", wire: auth("/tokens", "Token "+good), want: unauthorized},
		{what: "the scheme alone", wire: auth("/tokens", "Bearer"), want: unauthorized},
		{what: "a byte that is no UTF-8 after the token", wire: auth("/tokens", "Bearer "+good+"\xff"), want: unauthorized},
		{what: "tokens in the header and in the query", wire: auth("/tokens?access_token="+good, "Bearer "+good)},
		{what: "tokens in the header and in a cookie", wire: auth("/tokens", "Bearer "+good).with("cookie: session=" + other)},
		{what: "two tokens in the query", wire: get("/tokens?access_token=" + good + "&access_token=" + other)},
		{what: "two tokens in the query, once encoded", wire: get("/tokens?access_token=" + good + "&%61ccess_token=" + other)},
		{what: "a token in the query under an encoded name", wire: get("/tokens?%61ccess_token=" + good), want: unauthorized},
		{what: "two cookies of one name", wire: get("/tokens", "cookie: session="+good+"; session="+other)},
		{what: "two cookie fields", wire: get("/tokens", "cookie: session="+good, "cookie: session="+other), want: refused(400, 401)},

		{what: "a bad key where anybody may come without one", wire: get("/mixed", "x-api-key: "+othersKey), want: unauthorized},
		{what: "another scheme where anybody may come without credential", wire: auth("/mixed", "Negotiate x"), want: unauthorized},
		{what: "a bad token where anybody may come without one", wire: auth("/mixed", "Bearer "+good+"x"), want: unauthorized},
		{what: "a bad cookie where anybody may come without one", wire: get("/cookies", "cookie: session="+good+"x"), want: unauthorized},
		{what: "a bad cookie among others", wire: get("/cookies", "cookie: a=b; session="+good+"x; c=d"), want: unauthorized},
		{what: "a bad cookie in a second field", wire: get("/cookies", "cookie: a=b", "cookie: session="+good+"x"), want: refused(400, 401)},

		{what: "a password that is wrong", wire: auth("/basic", basic("alice", "a guess")), want: refused(401, 403)},
		{what: "a user who does not exist", wire: auth("/basic", basic("nobody", password)), want: refused(401, 403)},
		{what: "a password over plaintext", wire: auth("/basic", basic("alice", password)), ways: "plaintext", want: refused(403)},
		{what: "a password over plaintext that is said to be TLS", wire: auth("/basic", basic("alice", password)).with("x-forwarded-proto: https"), ways: "plaintext", want: refused(403)},
		{what: "a password over plaintext with the scheme https", wire: wire{target: "/basic", scheme: "https", headers: auth("", basic("alice", password)).headers}, ways: "plaintext, HTTP/2", want: refused(403)},
		{what: "a password over plaintext to an https URL", wire: wire{target: "https://" + apiHost + "/basic", headers: auth("", basic("alice", password)).headers}, ways: "plaintext, HTTP/1.1", want: refused(403)},
		{what: "the 73rd byte of a bcrypt password", wire: auth("/bcrypt", basic("alice", longest+"x")), want: unauthorized},
		{what: "72 other bytes", wire: auth("/bcrypt", basic("alice", longest[:71]+"x")), want: unauthorized},
		{what: "Basic that is no base64", wire: auth("/bcrypt", "Basic ?"), want: unauthorized},
		{what: "Basic without a colon", wire: auth("/bcrypt", "Basic YWxpY2U="), want: unauthorized},
		{what: "Basic with a NUL", wire: auth("/bcrypt", basic("alice", longest[:60]+"\x00")), want: unauthorized},

		{what: "a claim that would break a header in two", wire: auth("/tokens", bearer(token(t, `"note":"a\r\nx-agent-id: mallory"`))), want: refused(503)},
		{what: "a claim with a NUL that becomes a header", wire: auth("/tokens", bearer(token(t, `"note":"a\u0000b"`))), want: refused(503)},
		{what: "a token of more than 16 KiB", wire: auth("/tokens", bearer(token(t, `"note":"`+strings.Repeat("a", 16<<10)+`"`))), want: unauthorized},
		{what: "a token of 100 KiB", wire: auth("/tokens", bearer(token(t, `"note":"`+strings.Repeat("a", 80<<10)+`"`))), want: refused(400, 401, 431)},
		{what: "a key of 16 KiB", wire: get("/keys", "x-api-key: "+strings.Repeat("k", 16<<10)), want: unauthorized},
		{what: "headers of 100 KiB", wire: withKey("/keys", "x-padding: "+strings.Repeat("a", 100<<10)), want: refused(431)},
		{what: "a thousand headers", wire: withKey("/keys", many(1000)...), want: refused(431)},
		{what: "a query of a thousand parameters", wire: get("/tokens?" + strings.Repeat("access_token&", 1000)), want: refused(400, 401)},
	})
}

func many(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = "x-many-" + itoa(i) + ": a"
	}
	return all
}

func TestWhatIsOddAboutACredentialButSoundIsAccepted(t *testing.T) {
	good := token(t, `"sub":"bob"`)
	disarm(t, []harmless{
		{what: "the scheme in other letters and two spaces", wire: get("/tokens", "authorization: bEaReR  "+good)},
		{what: "72 bytes of a bcrypt password", wire: get("/bcrypt", "authorization: "+basic("alice", longest))},
		{what: "a password over TLS", wire: get("/basic", "authorization: "+basic("alice", password)), ways: "TLS", shows: map[string]string{"x-agent-id": "alice"}},
		{what: "a bad key beside a good token", wire: get("/any", "authorization: "+bearer(good), "x-api-key: "+othersKey)},
		{what: "another header that is no UTF-8", wire: withKey("/keys", "x-note: \xff")},
		{what: "nobody at all where anybody may come", wire: get("/mixed")},
		{what: "50 headers", wire: withKey("/keys", many(50)...)},
	})
}

func TestWhatFailsAllowsNothing(t *testing.T) {
	good := expand(t, `${jwt rsa1 RS256 ${good}}`)
	resist(t, []attack{
		{what: "a condition", wire: withKey("/fails/when"), want: refused(403)},
		{what: "a requirement", wire: withKey("/fails/require"), want: refused(403)},
		{what: "a header for the upstream", wire: withKey("/fails/header"), want: refused(503)},
		{what: "a reference", wire: get("/dangling", "authorization: "+basic("alice", password)), want: refused(503)},
		{what: "a reference, without a credential", wire: get("/dangling"), want: refused(401)},
		{what: "a provider", wire: get("/down", "authorization: "+bearer(good)), want: refused(503)},
		{what: "a provider, without a credential", wire: get("/down"), want: refused(401)},
	})
}
