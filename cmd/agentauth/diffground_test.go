package main

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/validate"
)

func policyWith(t *testing.T, methods, more string) *v1alpha1.AgentAuthPolicy {
	t.Helper()
	p := &v1alpha1.AgentAuthPolicy{}
	if err := yaml.Unmarshal([]byte("authentication: {methods: ["+methods+"]}\n"+more), &p.Spec); err != nil {
		t.Fatal(err)
	}
	return validate.Default(p)
}

func TestARecordedIdentityCountsOnlyWhereItsMethodIsTheSame(t *testing.T) {
	const (
		idp    = "{name: idp, jwt: {issuer: https://idp.example.com, audiences: [a]}}"
		scoped = "{name: idp, jwt: {issuer: https://idp.example.com, audiences: [a], scopes: [x]}}"
		other  = "{name: other, jwt: {issuer: https://other.example.com, audiences: [a]}}"
		twin   = "{name: twin, jwt: {issuer: https://idp.example.com, audiences: [b]}}"
		public = "{name: public, anonymous: {}}"
		keys   = "{name: keys, apiKey: {selector: {matchLabels: {a: b}}}}"
		cert   = "{name: mesh, requirement: Required, clientCertificate: {source: Connection}}"
		asked  = "{name: asked, oauth2Introspection: {endpoint: https://idp.example.com/i, audiences: [a]}}"
		all    = ", "
	)
	alice := &authz.Identity{Method: "idp", Issuer: "https://idp.example.com", Subject: "alice"}
	for name, c := range map[string]struct {
		before, after, more string
		by                  string
		recorded            *authz.Identity
		tells               bool
	}{
		"the same method":                          {idp, idp, "", "idp", alice, true},
		"other scopes of the method":               {idp, scoped, "", "idp", alice, true},
		"another audience":                         {idp, strings.Replace(idp, "[a]", "[a, b]", 1), "", "idp", alice, false},
		"another issuer":                           {idp, strings.Replace(idp, "idp.example", "new.example", 1), "", "idp", alice, false},
		"the method became Required":               {idp, strings.Replace(idp, "jwt:", "requirement: Required, jwt:", 1), "", "idp", alice, false},
		"one more issuer":                          {idp, idp + all + other, "", "idp", alice, true},
		"one more method of the issuer":            {idp, idp + all + twin, "", "idp", alice, false},
		"keys beside tokens":                       {idp, idp + all + keys, "", "idp", alice, true},
		"who is asked beside who knows":            {idp, idp + all + asked, "", "idp", alice, true},
		"one more Required method":                 {idp, idp + all + cert, "", "idp", alice, false},
		"a Required method that was there":         {idp + all + cert, idp + all + cert, "", "idp", alice, true},
		"anonymous beside tokens":                  {idp, idp + all + public, "", "idp", alice, true},
		"anonymous for nobody":                     {idp, idp + all + public, "", "public", nil, true},
		"anonymous for nobody, and keys are new":   {idp, idp + all + public + all + keys, "", "public", nil, false},
		"anonymous alone, whatever came":           {idp, public, "", "public", alice, true},
		"anonymous that was another method":        {idp, strings.Replace(public, "public", "idp", 1) + all + keys, "", "idp", alice, false},
		"anonymous as it was":                      {public + all + keys, public + all + keys, "", "public", &authz.Identity{Method: "public"}, true},
		"anonymous as it was, and another new one": {public + all + keys, public + all + keys + all + idp, "", "public", &authz.Identity{Method: "public"}, false},
		"a server of MCP now":                      {idp, idp, "mcp: {resource: https://a.example.com/mcp}", "idp", alice, false},
		"nobody, and the same methods":             {idp, scoped, "", "", nil, true},
		"nobody, and another audience":             {idp, strings.Replace(idp, "[a]", "[a, b]", 1), "", "", nil, false},
		"nobody, and one more method":              {idp, idp + all + keys, "", "", nil, false},
		"nobody, and one method less":              {idp + all + keys, idp, "", "", nil, true},
		"nobody, and a Required method less":       {idp + all + cert, idp, "", "", nil, false},
		"nobody, and only Required methods left":   {idp + all + cert, cert, "", "", nil, false},
		"a server of MCP now, and nobody":          {idp, idp, "mcp: {resource: https://a.example.com/mcp}", "", nil, false},
	} {
		d := &authz.Decision{Policy: "shop/api", Reason: authz.NoCredential}
		if c.by != "" {
			d.Identity = &authz.Identity{Method: c.by}
		}
		why := otherGround(policyWith(t, c.before, ""), policyWith(t, c.after, c.more), d, c.recorded)
		if (why == "") != c.tells {
			t.Errorf("%s: expected that it tells: %t, got %q", name, c.tells, why)
		}
	}
}
