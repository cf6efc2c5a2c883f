package authn

import (
	"errors"
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
)

func TestAnIssuerThatAlmostIsTheWantedOneIsToldApart(t *testing.T) {
	const wanted = "https://idp.example.com/realms/a"
	for came, want := range map[string]string{
		wanted + "/":                              "a final slash differs",
		"http://idp.example.com/realms/a":         "the scheme differs: http and https",
		"idp.example.com/realms/a":                "the scheme differs: none and https",
		"https://IDP.example.com/realms/A":        "letter case differs",
		"HTTPS://idp.example.com/realms/a":        "the scheme differs: HTTPS and https",
		"https://idp.example.com:8443/realms/a":   "the port differs",
		"https://idp.example.com:8443/realms/a/":  "the port differs, a final slash differs",
		" " + wanted:                              "white space differs",
		"https://idp.example.com/realms/b":        "",
		"https://idp.example.com/realms/a/b":      "",
		"https://idp.example.com.evil/realms/a":   "",
		"":                                        "",
		"/":                                       "",
		"https://idp.example.com/realms/a?tenant": "",
	} {
		if got := difference(came, wanted); got != want {
			t.Errorf("%q: expected %q, got %q", came, want, got)
		}
	}
	if got := difference("https://idp.example.com/", "https://idp.example.com"); got != "a final slash differs" {
		t.Errorf("a host alone: got %q", got)
	}
	if got := difference("https://idp.example.com:443", "https://idp.example.com"); got != "the port differs" {
		t.Errorf("a host with a port: got %q", got)
	}
	if got := difference("", ""); got != "" {
		t.Errorf("nothing: got %q", got)
	}
}

func TestARejectionTellsTheOwnerWhatCameAndTheLogOnlyWhatWasVerified(t *testing.T) {
	forged := claims(`"jti":"unverified-jti"`)
	for name, c := range map[string]struct {
		raw, came, detail string
	}{
		"typ":           {mac(`{"alg":"HS256","typ":"dpop+jwt"}`, forged), `typ is "dpop+jwt", wanted one of: "at+jwt", "jwt" or none`, "its typ is not one"},
		"alg":           {mac(`{"alg":"none","kid":"unverified-kid"}`, forged), `kid "unverified-kid", alg "none"; algorithms of the policy: HS256; held: the secret of the policy`, "its algorithm is not one"},
		"signature":     {b64(hs256) + "." + b64(forged) + "." + macOf("another"), `no kid, alg "HS256"`, "no key of the issuer verifies"},
		"audience":      {mac(hs256, strings.Replace(claims(), `"orders"`, `["Orders","b"]`, 1)), "", `aud is ["Orders", "b"], wanted one of: "orders" (letter case differs)`},
		"no audience":   {mac(hs256, strings.Replace(claims(), `"orders"`, `[]`, 1)), "", `aud is [], wanted one of: "orders"`},
		"null audience": {mac(hs256, strings.Replace(claims(), `"orders"`, `null`, 1)), "", `aud is absent, wanted one of: "orders"`},
	} {
		_, err := check(t, shared(), c.raw, clock)
		var rejected *Rejected
		if !errors.As(err, &rejected) {
			t.Fatalf("%s: got %v", name, err)
		}
		came := ""
		if rejected.Came != nil {
			came = rejected.Came()
		}
		if !strings.HasPrefix(came, c.came) || (c.came == "") != (came == "") {
			t.Errorf("%s: expected %q, got %q", name, c.came, came)
		}
		if !strings.Contains(rejected.Detail, c.detail) || strings.Contains(rejected.Detail, "unverified") {
			t.Errorf("%s: the detail is %q", name, rejected.Detail)
		}
		if signature := c.raw[strings.LastIndexByte(c.raw, '.')+1:]; strings.Contains(came+rejected.Detail, signature) {
			t.Errorf("%s: the signature is told", name)
		}
	}
}

func TestWhatATokenSaysIsCutAndHasNoControlCharacters(t *testing.T) {
	got := Quote("a\n\x1b" + strings.Repeat("x", 10_000))
	if len(got) > 120 || strings.ContainsAny(got, "\n\x1b") || !strings.HasSuffix(got, ` …"`) {
		t.Errorf("got %s", got)
	}
	if got := QuoteList(strings.Split(strings.Repeat("s ", 5000), " ")); len(got) > 200 || !strings.HasSuffix(got, "and 4993 more") {
		t.Errorf("got %s", got)
	}
}

func TestAHeaderWithAnotherSchemeTellsNoCredential(t *testing.T) {
	place := Place{In: InHeader, Name: "authorization", Scheme: "bearer"}
	for value, want := range map[string]string{
		"Digest username=x":       `the scheme is "Digest", wanted authorization: Bearer CREDENTIAL`,
		"s3cr3t":                  "a value without a scheme came, wanted authorization: Bearer CREDENTIAL",
		"s3cr3t s3cr3t":           "a value with another scheme came, wanted authorization: Bearer CREDENTIAL",
		mac(hs256, claims()):      "a JWT came without its scheme, wanted authorization: Bearer CREDENTIAL",
		"JWT " + mac(hs256, "{}"): `the scheme is "JWT" before a JWT, wanted authorization: Bearer CREDENTIAL`,
	} {
		r, err := authz.NewRequest(authz.Raw{Method: "GET", Scheme: "https", Host: "a.example.com", Path: "/",
			Headers: []authz.Header{{Name: "authorization", Value: value}}})
		if err != nil {
			t.Fatal(err)
		}
		if got := Unowned([]Authenticator{shared()}, r, place, nil); got != want {
			t.Errorf("%.20s: expected %q, got %q", value, want, got)
		}
	}
}

func TestWhatIsNoTokenTellsWhy(t *testing.T) {
	place := Place{In: InHeader, Name: "authorization", Scheme: "bearer"}
	for value, want := range map[string]string{
		"2YotnFZFEjr1zCsicMWpAA":  "it is no JWT, wanted a JWT: a token without dots (opaque) can only be introspected",
		"undefined":               "it is the word undefined",
		`"eyJhbGciOiJub25lIn0"`:   "it is in quotes",
		"eyJhbGciOiJub25lIn0.e30": "it has two parts between dots",
		"a.b.c":                   "its first part is no JSON object",
	} {
		got := Unowned([]Authenticator{shared()}, nil, place, &Presented{Place: place, Value: value})
		if !strings.Contains(got, want) || strings.Contains(got, value) && value != "undefined" {
			t.Errorf("%s: expected %q, got %q", value, want, got)
		}
	}
	basic := &Basic{AllowPlaintext: true}
	if got := Unowned([]Authenticator{shared(), basic}, nil, place, &Presented{Place: place, Value: "x"}); !strings.HasPrefix(got, "it is no JWT") {
		t.Errorf("beside a method of another scheme: got %q", got)
	}
	key := &APIKey{From: []Place{{In: InHeader, Name: "authorization", Scheme: "Bearer"}}}
	if got := Unowned([]Authenticator{shared(), key}, nil, place, &Presented{Place: place, Value: "x"}); got != "" {
		t.Errorf("beside a method that wants no token: got %q", got)
	}
	r, err := authz.NewRequest(authz.Raw{Method: "GET", Scheme: "https", Host: "a.example.com", Path: "/",
		Headers: []authz.Header{{Name: "authorization", Value: "Digest x"}}})
	if err != nil {
		t.Fatal(err)
	}
	if got := Unowned([]Authenticator{shared(), basic}, r, place, nil); got != `the scheme is "Digest", wanted authorization: Bearer or Basic CREDENTIAL` {
		t.Errorf("of several schemes: got %q", got)
	}
}
