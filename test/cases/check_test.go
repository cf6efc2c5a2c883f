package cases

import (
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
)

// Each wanted line is held against a decision that has it and against the zero
// decision, which has nothing: one that both pass asks for nothing.
func TestEachWantedLineCanFail(t *testing.T) {
	allowed := authz.Decision{
		Outcome: authz.Allow, Reason: authz.Allowed, Policy: "shop/orders", Method: "keys", Rule: "r",
		Identity: &authz.Identity{Subject: "alice"},
		Set:      []authz.Header{{Name: "x-agent-id", Value: "alice"}},
		Remove:   []string{"authorization"}, RemoveQuery: []string{"key"}, Metadata: map[string]any{"agent": "alice"},
	}
	denied := authz.Decision{
		Status: 401, Reason: authz.NoCredential, Body: "Ask the shop.",
		Headers: []authz.Header{{Name: "www-authenticate", Value: "Bearer"}, {Name: "www-authenticate", Value: "Basic"}},
	}
	token, err := Expand(`${jwt ec1 ES256 {"typ":"JWT","kid":"${jkt ec1}"} {"sub":"alice","jti":"0123456789abcdefghij"}}`)
	if err != nil {
		t.Fatal(err)
	}
	signed := authz.Decision{Set: []authz.Header{{Name: "authorization", Value: "Bearer " + token}}}
	for want, d := range map[string]authz.Decision{
		`signs authorization: ec1 ES256 {"sub":"alice"}`: signed,
		"allow Allowed":                   allowed,
		"deny 401 NoCredential":           denied,
		"policy shop/orders":              allowed,
		"method keys":                     allowed,
		"rule r":                          allowed,
		"subject alice":                   allowed,
		"sets x-agent-id: alice":          allowed,
		"removes authorization":           allowed,
		"removes-query key":               allowed,
		"metadata agent: alice":           allowed,
		"answers www-authenticate: Basic": denied,
		"challenges 2":                    denied,
		"challenge 2: Basic":              denied,
		`body "the shop"`:                 denied,
	} {
		if err := Check(&d, []string{want}, true); err != nil {
			t.Error(err)
		}
		if Check(&authz.Decision{}, []string{want}, true) == nil {
			t.Errorf("%q asks for nothing", want)
		}
	}
	for want, d := range map[string]authz.Decision{
		`signs authorization: ec1 ES256 {"sub":"bob"}`:           signed,
		`signs authorization: ec1 ES256 {"sub":"alice","exp":1}`: signed,
		`signs authorization: ec2 ES256 {"sub":"alice"}`:         signed,
		`signs authorization: ec1 ES384 {"sub":"alice"}`:         signed,
		`signs x-other: ec1 ES256 {"sub":"alice"}`:               signed,
		"unset x-agent-id":        allowed,
		"keeps authorization":     allowed,
		"silent www-authenticate": denied,
		"deny 401 RuleDenied":     denied,
		"deny 403 NoCredential":   denied,
		"error 401 NoCredential":  denied,
		"challenge 1: Basic":      denied,
		"challenge 3: Basic":      denied,
		"wishes for more":         denied,
	} {
		if Check(&d, []string{want}, true) == nil {
			t.Errorf("%q is not held", want)
		}
	}
}

func TestAFileThatSaysNothingIsAnError(t *testing.T) {
	for what, text := range map[string]string{
		"no requests":         "-- requests --\n",
		"nothing is wanted":   "-- requests --\n== a case\nGET https://a/\n",
		"no name":             "-- requests --\nGET https://a/\n-> allow Allowed\n",
		"no scheme":           "-- requests --\n== a case\nGET a/\n-> allow Allowed\n",
		"an unknown setting":  "-- requests --\n== a case\nGET https://a/\n@nothing x\n-> allow Allowed\n",
		"no value":            "-- requests --\n== a case\nGET https://a/\nx-a\n-> allow Allowed\n",
		"an unknown part":     "-- policies --\n",
		"an unknown ${verb}":  "-- requests --\n== a case\nGET https://a/${nothing}\n-> allow Allowed\n",
		"an unknown key":      "-- requests --\n== a case\nGET https://a/${jwt nobody RS256 {}}\n-> allow Allowed\n",
		"a header of no JSON": "-- requests --\n== a case\nGET https://a/${jwt rsa1 RS256 {x} {}}\n-> allow Allowed\n",
	} {
		if _, err := Parse("x.txtar", []byte(text)); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}
