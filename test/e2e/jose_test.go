//go:build e2e

package e2e

import (
	"encoding/base64"
	"strings"
	"testing"
)

// forgeries are tokens that no policy may accept, in the language of test/cases. All but their one fault
// would be accepted at the given path.
var forgeries = []struct{ what, at, token string }{
	{"alg none", "/signed", `${parts {"alg":"none","typ":"JWT"} ${good} ""}`},
	{"alg None", "/signed", `${parts {"alg":"None","typ":"JWT"} ${good} ""}`},
	{"alg NONE", "/signed", `${parts {"alg":"NONE","typ":"JWT"} ${good} ""}`},
	{"alg nOnE with a signature", "/signed", `${jwt rsa1 RS256 {"alg":"nOnE"} ${good}}`},
	{"alg none for a shared secret", "/tokens", `${parts {"alg":"none","typ":"JWT"} ${good} ""}`},
	{"no alg", "/signed", `${jwt rsa1 RS256 {"alg":null} ${good}}`},
	{"an empty alg", "/signed", `${jwt rsa1 RS256 {"alg":""} ${good}}`},
	{"an alg that is no string", "/signed", `${jwt rsa1 RS256 {"alg":["RS256"]} ${good}}`},
	{"an alg in lower case", "/signed", `${jwt rsa1 RS256 {"alg":"rs256"} ${good}}`},
	{"a public key in PEM as shared secret", "/signed", `${jwt pem:rsa1 HS256 {"kid":"rsa1"} ${good}}`},
	{"a public key in DER as shared secret", "/signed", `${jwt der:rsa1 HS256 {"kid":"rsa1"} ${good}}`},
	{"a public key as JWK as shared secret", "/signed", `${jwt jwk:rsa1 HS256 {"kid":"rsa1"} ${good}}`},
	{"an empty shared secret", "/tokens", `${jwt empty HS256 ${good}}`},
	{"another shared secret", "/tokens", `${jwt hmac2 HS256 ${good}}`},
	{"a shared secret with another algorithm", "/tokens", `${jwt hmac HS384 ${good}}`},
	{"a private key where a secret is shared", "/tokens", `${jwt rsa1 RS256 ${good}}`},

	{"a key of its own in jwk", "/signed", `${jwt ec384 ES384 {"jwk":${jwk ec384}} ${good}}`},
	{"a key of its own in jwk under a known kid", "/signed", `${jwt ec2 ES256 {"kid":"ec1","jwk":${jwk ec2}} ${good}}`},
	{"jku", "/signed", `${jwt ec384 ES384 {"jku":"https://mallory.example/jwks"} ${good}}`},
	{"x5u", "/signed", `${jwt ec384 ES384 {"x5u":"https://mallory.example/cert"} ${good}}`},
	{"x5c", "/signed", `${jwt ec384 ES384 {"x5c":["MIIB"]} ${good}}`},
	{"crit", "/signed", `${jwt rsa1 RS256 {"crit":["x"],"x":1} ${good}}`},
	{"an empty crit", "/signed", `${jwt rsa1 RS256 {"crit":[]} ${good}}`},
	{"b64 false", "/signed", `${jwt rsa1 RS256 {"b64":false,"crit":["b64"]} ${good}}`},
	{"a compressed payload", "/signed", `${jwt rsa1 RS256 {"zip":"DEF","crit":["zip"]} ${good}}`},

	{"ECDSA in DER", "/signed", `${twist der ${jwt ec1 ES256 ${good}}}`},
	{"ECDSA with r=0", "/signed", `${twist r=0 ${jwt ec1 ES256 ${good}}}`},
	{"ECDSA with s=0", "/signed", `${twist s=0 ${jwt ec1 ES256 ${good}}}`},
	{"ECDSA with r and the order added", "/signed", `${twist r+n ${jwt ec521 ES512 ${good}}}`},
	{"a signature with a bit turned", "/signed", `${twist flip ${jwt rsa1 RS256 ${good}}}`},
	{"a signature that is too short", "/signed", `${twist short ${jwt rsa1 RS256 ${good}}}`},
	{"a signature that is too long", "/signed", `${twist long ${jwt rsa1 RS256 ${good}}}`},
	{"a signature with other spare bits", "/signed", `${twist bits ${jwt rsa1 RS256 ${good}}}`},
	{"no signature", "/signed", `${parts {"alg":"RS256","typ":"JWT","kid":"rsa1"} ${good} ""}`},
	{"an algorithm of another curve", "/signed", `${jwt ec1 ES256 {"alg":"ES384"} ${good}}`},
	{"an algorithm of another family", "/signed", `${jwt rsa1 PS256 {"alg":"RS256"} ${good}}`},
	{"an RSA key of 1024 bits", "/signed", `${jwt rsa1024 RS256 ${good}}`},
	{"a key for encryption", "/signed", `${jwt rsa2 RS256 ${good}}`},
	{"a key for another algorithm", "/signed", `${jwt ec2 ES256 ${good}}`},

	{"an unknown kid", "/signed", `${jwt rsa1 RS256 {"kid":"nobody"} ${good}}`},
	{"a kid of another key", "/signed", `${jwt rsa1 RS256 {"kid":"ec1"} ${good}}`},
	{"a kid that is SQL", "/signed", `${jwt rsa1 RS256 {"kid":"x' UNION SELECT 'k"} ${good}}`},
	{"a kid that is a path", "/signed", `${jwt rsa1 RS256 {"kid":"../../../../dev/null"} ${good}}`},
	{"a kid of 8 KiB", "/signed", `${jwt rsa1 RS256 {"kid":"${repeat 8192 k}"} ${good}}`},
	{"a kid that is no string", "/signed", `${jwt rsa1 RS256 {"kid":1} ${good}}`},

	{"a name twice in the header", "/signed", `${signed rsa1 RS256 ${base64url {"alg":"none","alg":"RS256","kid":"rsa1","typ":"JWT"}}.${base64url ${good}}}`},
	{"a name twice in the claims", "/signed", `${jwt rsa1 RS256 ${good "sub":"mallory"}}`},
	{"EXP for exp", "/signed", `${jwt rsa1 RS256 {"iss":"https://idp.example.com","aud":"orders","EXP":${now+60}}}`},
	{"no exp", "/signed", `${jwt rsa1 RS256 {"iss":"https://idp.example.com","aud":"orders"}}`},
	{"exp that is past", "/signed", `${jwt rsa1 RS256 {"iss":"https://idp.example.com","aud":"orders","exp":${now-3600}}}`},
	{"exp that is a string", "/signed", `${jwt rsa1 RS256 {"iss":"https://idp.example.com","aud":"orders","exp":"${now+3600}"}}`},
	{"exp that is negative", "/signed", `${jwt rsa1 RS256 {"iss":"https://idp.example.com","aud":"orders","exp":-1}}`},
	{"exp that is 1e400", "/signed", `${jwt rsa1 RS256 {"iss":"https://idp.example.com","aud":"orders","exp":1e400}}`},
	{"exp that is null", "/signed", `${jwt rsa1 RS256 {"iss":"https://idp.example.com","aud":"orders","exp":null}}`},
	{"nbf that is to come", "/signed", `${jwt rsa1 RS256 ${good "nbf":${now+3600}}}`},
	{"nbf that is a string", "/signed", `${jwt rsa1 RS256 ${good "nbf":"0"}}`},
	{"another audience", "/signed", `${jwt rsa1 RS256 {"iss":"https://idp.example.com","exp":${now+60},"aud":"payments"}}`},
	{"an audience that is a prefix", "/signed", `${jwt rsa1 RS256 {"iss":"https://idp.example.com","exp":${now+60},"aud":["order"]}}`},
	{"an audience that is empty", "/signed", `${jwt rsa1 RS256 {"iss":"https://idp.example.com","exp":${now+60},"aud":[]}}`},
	{"no audience", "/signed", `${jwt rsa1 RS256 {"iss":"https://idp.example.com","exp":${now+60}}}`},
	{"an audience that is no string", "/signed", `${jwt rsa1 RS256 {"iss":"https://idp.example.com","exp":${now+60},"aud":[["orders"]]}}`},
	{"another realm with the same keys", "/signed", `${jwt rsa1 RS256 {"iss":"https://idp.example.com/other","exp":${now+60},"aud":"orders"}}`},
	{"an issuer with a slash at the end", "/signed", `${jwt rsa1 RS256 {"iss":"https://idp.example.com/","exp":${now+60},"aud":"orders"}}`},
	{"no issuer", "/signed", `${jwt rsa1 RS256 {"exp":${now+60},"aud":"orders"}}`},

	{"a DPoP proof", "/signed", `${jwt rsa1 RS256 {"typ":"dpop+jwt"} ${good}}`},
	{"an ID-JAG", "/signed", `${jwt rsa1 RS256 {"typ":"oauth-id-jag+jwt"} ${good}}`},
	{"a transaction token", "/signed", `${jwt rsa1 RS256 {"typ":"txntoken+jwt"} ${good}}`},
	{"a logout token", "/signed", `${jwt rsa1 RS256 {"typ":"logout+jwt"} ${good}}`},
	{"a security event", "/signed", `${jwt rsa1 RS256 {"typ":"application/secevent+jwt"} ${good}}`},
	{"a type that is no string", "/signed", `${jwt rsa1 RS256 {"typ":{}} ${good}}`},
	{"a token bound to a key", "/signed", `${jwt rsa1 RS256 ${good "cnf":{"jkt":"x"}}}`},
	{"a byte order mark before the claims", "/signed", `${signed rsa1 RS256 ${base64url {"alg":"RS256","kid":"rsa1"}}.${base64url "\uFEFF{}"}}`},
	{"claims that are a list", "/signed", `${signed rsa1 RS256 ${base64url {"alg":"RS256","kid":"rsa1"}}.${base64url [1]}}`},
}

func TestAForgedTokenIsRefused(t *testing.T) {
	var attacks []attack
	add := func(what, at, token string) {
		attacks = append(attacks, attack{what: what, wire: get(at, "authorization: "+bearer(token)), want: refused(401)})
	}
	for _, f := range forgeries {
		add(f.what, f.at, expand(t, f.token))
	}
	good := credential(expand(t, `${jwt rsa1 RS256 ${good}}`))
	header, rest, _ := strings.Cut(good, ".")
	claims, signature, _ := strings.Cut(rest, ".")
	add("padding after the signature", "/signed", good+"=")
	add("padding after the header", "/signed", header+"=."+claims+"."+signature)
	add("white space in the token", "/signed", header+". "+claims+"."+signature)
	add("the other base64", "/signed", header+"."+claims+"."+signature[:20]+"+/"+signature[22:])
	add("four parts", "/signed", good+"."+signature)
	add("two parts", "/signed", header+"."+claims)
	add("five parts, as of a JWE", "/signed", expand(t, `${base64url {"alg":"RSA-OAEP","enc":"A256GCM","kid":"rsa1"}}`)+".AAAA.AAAA.AAAA.AAAA")
	add("claims and signature of two tokens", "/signed", header+"."+strings.Split(expand(t, `${jwt rsa1 RS256 ${good "role":"admin"}}`), ".")[1]+"."+signature)
	add("JSON serialisation", "/signed", `{"payload":"`+claims+`","protected":"`+header+`","signature":"`+signature+`"}`)
	add("a token in a token", "/signed", expand(t, `${signed rsa1 RS256 ${base64url {"alg":"RS256","kid":"rsa1","cty":"JWT"}}.${base64url "`+good+`"}}`))
	add("nothing but dots", "/signed", "..")
	add("base64 of nothing", "/signed", base64.RawURLEncoding.EncodeToString(nil)+"."+claims+"."+signature)
	for i := range attacks { // JSON has commas, which are how Envoy joins two fields
		if attacks[i].what == "JSON serialisation" {
			attacks[i].want = refused(400, 401)
		}
	}
	resist(t, attacks)
}

func TestASoundTokenOfEachKindIsAccepted(t *testing.T) {
	var all []harmless
	for what, text := range map[string]string{
		"RS256":                      `${jwt rsa1 RS256 ${good}}`,
		"PS256":                      `${jwt rsa1 PS256 ${good}}`,
		"ES256":                      `${jwt ec1 ES256 ${good}}`,
		"ES512":                      `${jwt ec521 ES512 ${good}}`,
		"EdDSA":                      `${jwt ed1 EdDSA ${good}}`,
		"an access token":            `${jwt rsa1 RS256 {"typ":"at+jwt"} ${good}}`,
		"without kid":                `${jwt rsa1 RS256 {"kid":null} ${good}}`,
		"several audiences":          `${jwt rsa1 RS256 {"iss":"https://idp.example.com","exp":${now+60},"aud":["a","orders"]}}`,
		"exp with a fraction":        `${jwt rsa1 RS256 {"iss":"https://idp.example.com","exp":${now+60}.5,"aud":"orders"}}`,
		"nbf that is past":           `${jwt rsa1 RS256 ${good "nbf":${now-60}}}`,
		"a jwk that nobody looks at": `${jwt rsa1 RS256 {"jwk":${jwk ec384},"jku":"https://mallory.example"} ${good}}`,
	} {
		all = append(all, harmless{what: what, wire: get("/signed", "authorization: "+bearer(expand(t, text)))})
	}
	disarm(t, all)
}
