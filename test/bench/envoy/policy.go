package main

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	issuer   = "https://login.example.com/realms/prod"
	audience = "https://api.example.com"
	keyID    = "key-2026-01"
)

// theKey is the issuer's, made for this run.
var theKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func jwks() string {
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: theKey().Public(), KeyID: keyID, Algorithm: string(jose.RS256), Use: "sig"},
	}})
	if err != nil {
		panic(err)
	}
	return string(set)
}

// token is an access token as an identity provider issues it.
func token() (string, error) {
	options := (&jose.SignerOptions{}).WithType("at+jwt").WithHeader("kid", keyID)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: theKey()}, options)
	if err != nil {
		return "", err
	}
	now := time.Now()
	return jwt.Signed(signer).Claims(map[string]any{
		"iss": issuer, "sub": "7c2f7d4e-4f0e-4b61-9d5c-0f5b3c0a9b11", "aud": []string{audience},
		"azp": "tools-client", "exp": now.Add(time.Hour).Unix(), "iat": now.Unix(),
		"jti":   "0b1c2d3e-1111-4222-8333-944455556666",
		"scope": "openid profile tools:call tools:list", "email": "alice@example.com",
		"groups": []string{"eng", "platform"}, "tenant": "acme",
	}).Serialize()
}

const hotPolicy = `apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: tools, namespace: shop}
spec:
  routes:
  - hostnames: [api.example.com]
    matches: [{path: {type: PathPrefix, value: /v1/tools}}]
  authentication:
    methods:
    - name: idp
      jwt:
        issuer: %q
        audiences: [%q]
        scopes: ["tools:call"]
        jwks: {inline: %q}
  authorization:
    rules:
    - name: tenants
      when: request.path.startsWith("/v1/")
      require: identity.claims.tenant == "acme" && "eng" in identity.groups
  response:
    upstream:
      headers:
      - {name: x-agent-id, value: identity.subject}
      - {name: x-agent-issuer, value: identity.issuer}
      - {name: x-agent-tenant, value: identity.claims.tenant}
`

const otherPolicy = `---
apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: other-%[1]d, namespace: team-%[2]d}
spec:
  routes:
  - hostnames: [other-%[1]d.example.com]
    matches: [{path: {type: PathPrefix, value: /v1}}]
  authentication:
    methods:
    - name: idp
      jwt: {issuer: "https://login.example.com/realms/%[2]d", audiences: ["https://other-%[1]d.example.com"], jwks: {inline: %[3]q}}
  authorization:
    rules:
    - {name: own, require: 'identity.claims.?tenant.orValue("") == "t%[1]d"'}
`

// writePolicies writes the policy that decides, and others beside it, as a directory for `agentauth serve`.
func writePolicies(dir string, others int) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	hot := fmt.Sprintf(hotPolicy, issuer, audience, jwks())
	if err := os.WriteFile(filepath.Join(dir, "hot.yaml"), []byte(hot), 0o600); err != nil {
		return err
	}
	const inOneFile = 500
	for first := 0; first < others; first += inOneFile {
		var b strings.Builder
		for i := first; i < min(first+inOneFile, others); i++ {
			fmt.Fprintf(&b, otherPolicy, i, i%50, jwks())
		}
		name := filepath.Join(dir, fmt.Sprintf("others-%d.yaml", first))
		if err := os.WriteFile(name, []byte(b.String()), 0o600); err != nil {
			return err
		}
	}
	return nil
}
