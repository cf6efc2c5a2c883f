package authn

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/agentauth-dev/agentauth/authz"
)

// Whatever comes, no part of a credential comes out, and what comes out is short.
func TestNoPartOfACredentialIsClaimed(t *testing.T) {
	const secret = "s3cr3t-that-nobody-may-see"
	token := "eyJhbGciOiJIUzI1NiJ9." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"x"}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte(secret))
	basic := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	jwt := func(payload string) string {
		return "eyJhbGciOiJIUzI1NiJ9." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + "." + base64.RawURLEncoding.EncodeToString([]byte(secret))
	}
	hidden := []string{secret, strings.Split(token, ".")[0], strings.Split(token, ".")[2], token}
	staff := &Basic{Method: "staff"}
	for _, method := range []Authenticator{nil, staff, &JWT{}, &APIKey{}, &Introspection{AcceptJWT: true}, &ClientCertificate{}, &KubernetesToken{}, &Anonymous{}} {
		for _, value := range []string{
			"", secret, token, token + "=", token + ".x", "Bearer " + token, basic("alice:" + secret), basic(":" + secret), basic(secret + ":"), basic(secret + ":" + secret),
			basic(token + ":x"), basic("user " + token + ":x"), basic(strings.Replace(token, ".", "=.", 1) + ":x"), basic("alice:" + token), basic("alice"), basic("\x00:" + secret), basic("\xff:" + secret),
			jwt(`{}`), jwt(`{"sub":"` + token + `"}`), jwt(`{"jti":"<` + token + `>"}`), jwt(`{"jti":"https://x.example.com/?t=` + strings.Replace(token, ".", "==.", 1) + `"}`), jwt(`{"sub":"eyA` + token[3:] + `"}`), jwt(`{"iss":"` + token + strings.Repeat("x", 300) + `"}`),
			jwt(`{"sub":"` + strings.Repeat("é", 4000) + `"}`), jwt(`{"sub":"` + strings.Repeat(`\u0000`, 300) + `a"}`), jwt(`{"sub":1,"jti":2.5}`), jwt(`{"iss":7}`), jwt(`{"sub":"a","sub":"b"}`),
			strings.Repeat("x", 100_000), strings.Repeat(".", 1000), "eyJhbGciOiJIUzI1NiJ9.e30.",
		} {
			c := Claimed(method, &Presented{Value: value})
			if c == nil {
				continue
			}
			if *c == (authz.Claim{}) {
				t.Errorf("%T, %q: a claim that says nothing", method, value)
			}
			for _, text := range []string{c.Issuer, c.Subject, c.CredentialID} {
				if len(text) > 256 || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
					t.Errorf("%T: got %q", method, text)
				}
				for _, h := range hidden {
					if strings.Contains(text, h) {
						t.Errorf("%T: %q has %q", method, text, h)
					}
				}
			}
		}
	}
	if c := Claimed(staff, &Presented{Value: basic("alice:" + secret)}); c == nil || *c != (authz.Claim{Subject: "alice"}) {
		t.Errorf("got %+v", c)
	}
}

func FuzzWhatIsClaimedIsShortTextThatIsNotTheCredential(f *testing.F) {
	f.Add("alice", "a password", `"sub":"a"`)
	f.Add("eyJhIjoxfQ.e30.x", "", `"jti":"eyJhIjoxfQ.e30.x"`)
	f.Fuzz(func(t *testing.T, user, password, members string) {
		payload := base64.RawURLEncoding.EncodeToString([]byte("{" + members + "}"))
		for method, value := range map[Authenticator]string{
			&Basic{}: base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%s:%s", user, password)),
			&JWT{}:   "eyJhbGciOiJIUzI1NiJ9." + payload + ".AAAA",
		} {
			c := Claimed(method, &Presented{Value: value})
			if c == nil {
				continue
			}
			for _, text := range []string{c.Issuer, c.Subject, c.CredentialID} {
				if len(text) > maxClaimed || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) || authz.IsJWT(text) {
					t.Errorf("got %q", text)
				}
			}
		}
	})
}

func TestARefusedIdentityIsGrantedNothingAndIsACopy(t *testing.T) {
	v := &Verified{Identity: authz.Identity{Subject: "alice", Scopes: []string{"a"}, Groups: []string{"b"}, CredentialID: "c"}}
	id := v.Refused(t.Context())
	if id.Scopes != nil || id.Groups != nil || id.Subject != "alice" || id.CredentialID != "c" {
		t.Errorf("got %+v", id)
	}
	if id.Subject = "eve"; v.Identity.Subject != "alice" || len(v.Identity.Scopes) != 1 {
		t.Errorf("got %+v", v.Identity)
	}
}
