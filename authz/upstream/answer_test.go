package upstream

import (
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
)

const typed = `,"issued_token_type":"urn:ietf:params:oauth:token-type:access_token"`

func TestAnAnswerThatIsNoTokenIsMalformed(t *testing.T) {
	for name, body := range map[string]string{
		"nothing":                      ``,
		"no object":                    `"hunter2"`,
		"no token":                     `{"token_type":"Bearer"}`,
		"an empty token":               `{"access_token":"","token_type":"Bearer"}`,
		"a token that is no text":      `{"access_token":7,"token_type":"Bearer"}`,
		"a token twice":                `{"access_token":"a","access_token":"hunter2","token_type":"Bearer"}`,
		"another letter case":          `{"Access_Token":"a","token_type":"Bearer"}`,
		"a token with a line break":    `{"access_token":"a\r\nx-admin: 1","token_type":"Bearer"}`,
		"a token with a space":         `{"access_token":"hunter2 b","token_type":"Bearer"}`,
		"a token with a comma":         `{"access_token":"a,b","token_type":"Bearer"}`,
		"a token that is padding":      `{"access_token":"==","token_type":"Bearer"}`,
		"a token that is too long":     `{"access_token":"` + strings.Repeat("a", authz.MaxToken+1) + `","token_type":"Bearer"}`,
		"no type":                      `{"access_token":"a"}`,
		"a token that is bound":        `{"access_token":"a","token_type":"DPoP"}`,
		"a type that fits no header":   `{"access_token":"a","token_type":"N_A"}`,
		"a life of nothing":            `{"access_token":"a","token_type":"Bearer","expires_in":0}`,
		"a life before it began":       `{"access_token":"a","token_type":"Bearer","expires_in":-1}`,
		"a life that is a word":        `{"access_token":"a","token_type":"Bearer","expires_in":"Inf"}`,
		"a life that is a list":        `{"access_token":"a","token_type":"Bearer","expires_in":[60]}`,
		"a life that is true":          `{"access_token":"a","token_type":"Bearer","expires_in":true}`,
		"something behind it":          `{"access_token":"a","token_type":"Bearer"} hunter2`,
		"half an answer":               `{"access_token":"a","token_ty`,
		"a byte order mark before it":  "\xef\xbb\xbf" + `{"access_token":"a","token_type":"Bearer"}`,
		"bytes that are no characters": `{"access_token":"a","token_type":"Bearer","x":"` + "\xff" + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			for _, s := range []Settings{{}, {Exchanged: true}} {
				of := body
				if s.Exchanged {
					of = strings.Replace(body, `"Bearer"`, `"Bearer"`+typed, 1)
				}
				if got, err := s.parse([]byte(of)); err == nil || strings.Contains(err.Error(), "hunter2") {
					t.Errorf("expected an error that quotes nothing, got %v and %v", got, err)
				}
			}
		})
	}
}

func TestAnExchangeSaysWhichTypeItIssued(t *testing.T) {
	body := func(token, issued string) []byte {
		return []byte(`{"access_token":"a","token_type":"` + token + `","issued_token_type":"urn:ietf:params:oauth:token-type:` + issued + `"}`)
	}
	for _, c := range []struct {
		requested, token, issued string
		good                     bool
	}{
		{"", "Bearer", "access_token", true},
		{"", "Bearer", "jwt", true},
		{"", "N_A", "jwt", true},
		{"", "N_A", "access_token", false},
		{"", "Bearer", "refresh_token", false},
		{"", "Bearer", "id_token", false},
		{"", "Bearer", "saml2", false},
		{"jwt", "Bearer", "jwt", true},
		{"jwt", "Bearer", "access_token", false},
		{"access_token", "Bearer", "jwt", false},
	} {
		s := Settings{Exchanged: true}
		if c.requested != "" {
			s.RequestedType = "urn:ietf:params:oauth:token-type:" + c.requested
		}
		if _, err := s.parse(body(c.token, c.issued)); (err == nil) != c.good {
			t.Errorf("%+v: got %v", c, err)
		}
	}
	if _, err := (&Settings{Exchanged: true}).parse([]byte(`{"access_token":"a","token_type":"Bearer"}`)); err == nil {
		t.Error("expected that an exchange without issued_token_type is malformed")
	}
}

func TestALifeIsReadAsServersWriteIt(t *testing.T) {
	for written, want := range map[string]time.Duration{
		`3600`: time.Hour, `"3600"`: time.Hour, `1.9`: time.Second, `3.6e3`: time.Hour, `null`: 0,
		`1e300`: longestLife, `99999999999999999999`: longestLife,
	} {
		got, err := (&Settings{}).parse([]byte(`{"access_token":"a","token_type":"BEARER","expires_in":` + written + `}`))
		if err != nil || got.lasts != want {
			t.Errorf("%s: expected %v, got %v and %v", written, want, got.lasts, err)
		}
	}
}

func TestAKeyThatNoHeaderCanHoldIsUnusable(t *testing.T) {
	for _, key := range []string{"", "a\n", "a\r\n", " a", "a ", "\ta", "a\x00b", "a\nb: c", "\xff", strings.Repeat("a", authz.MaxToken+1)} {
		if why := Unusable([]byte(key)); why == "" || len(key) > 2 && len(key) < 100 && strings.Contains(why, key) {
			t.Errorf("%q: got %q", key, why)
		}
	}
	for _, key := range []string{"a", "sk-proj_1.~+/=", "two words", "é", strings.Repeat("a", authz.MaxToken)} {
		if why := Unusable([]byte(key)); why != "" {
			t.Errorf("%q: got %q", key, why)
		}
	}
}

func TestTextsDoNotMoveFromOneInputToTheNext(t *testing.T) {
	a := Settings{Endpoint: "e", Scopes: []string{"a", "b"}}
	b := Settings{Endpoint: "e", Scopes: []string{"a b"}}
	c := Settings{Endpoint: "e", Audience: "a"}
	d := Settings{Endpoint: "e", Resource: "a"}
	seen := map[string]bool{}
	for _, s := range []Settings{a, b, c, d, {Endpoint: "e", Exchanged: true}} {
		key := ""
		for _, in := range s.Inputs() {
			key += string(rune(len(in))) + string(in)
		}
		if seen[key] {
			t.Errorf("%+v has the inputs of another", s)
		}
		seen[key] = true
	}
}
