package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/bcrypt"

	"github.com/agentauth-dev/agentauth/authz/apikey"
)

// What a directory of policies may hold (docs/cli.md).
const (
	perFile = 500
	// compactFrom is how many policies need manifests without a key set of their own: 64 MiB is the most.
	compactFrom = 20_000
	// teams are the namespaces of other policies.
	teams = 50
)

// tools decides the main request: scopes, a rule, three headers by CEL.
func tools() string {
	return fmt.Sprintf(`apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: tools, namespace: shop}
spec:
  routes:
  - hostnames: [api.example.com]
    matches: [{path: {type: PathPrefix, value: /v1/tools}}]
  authentication:
    methods:
    - name: provider
      jwt:
        issuer: %s
        audiences: [%s]
        scopes: ["tools:call"]
        jwks: {inline: %q}
  authorization:
    rules:
    - name: own-tenant
      when: request.path.startsWith("/v1/")
      require: identity.claims.tenant == "acme" && "eng" in identity.groups
  response:
    upstream:
      headers:
      - {name: x-agent-id, value: identity.subject}
      - {name: x-agent-issuer, value: identity.issuer}
      - {name: x-agent-tenant, value: identity.claims.tenant}
`, issuer, audience, keySet())
}

const secretOfAlice = "correct horse battery staple"

// staff decides requests with a password, whose hash has a cost.
func staff(cost int) string {
	hash, err := bcrypt.GenerateFromPassword([]byte(secretOfAlice), cost)
	must(err)
	return fmt.Sprintf(`apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: reports, namespace: shop}
spec:
  routes:
  - hostnames: [reports.example.com]
  authentication:
    methods:
    - {name: staff, basic: {users: {secretRef: {name: staff}}, realm: reports}}
  response:
    upstream:
      headers: [{name: x-agent-id, value: identity.subject}]
---
apiVersion: v1
kind: Secret
metadata: {name: staff, namespace: shop, labels: {agentauth.dev/use: basic}}
stringData: {auth: "alice:%s"}
`, hash)
}

// inventory decides requests with one of n API keys.
func inventory(n int) []string {
	documents := []string{`apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: inventory, namespace: shop}
spec:
  routes:
  - hostnames: [inventory.example.com]
  authentication:
    methods:
    - {name: machines, apiKey: {selector: {matchLabels: {team: inventory}}}}
  response:
    upstream:
      headers: [{name: x-agent-id, value: identity.subject}]
`}
	const perSecret = 5000
	for first := 0; first < n; first += perSecret {
		var b strings.Builder
		fmt.Fprintf(&b, "apiVersion: v1\nkind: Secret\nmetadata:\n  name: robots-%d\n  namespace: shop\n  labels: {agentauth.dev/use: api-key, team: inventory}\nstringData:\n", first)
		for i := first; i < min(n, first+perSecret); i++ {
			fmt.Fprintf(&b, "  k%d: %s\n", i, digest(keyNumber(i)))
		}
		documents = append(documents, b.String())
	}
	return documents
}

func keyNumber(i int) string { return fmt.Sprintf("the-key-of-robot-number-%d", i) }

// other is a policy for another host, of another team.
func other(i, of int) string {
	if of >= compactFrom {
		return fmt.Sprintf(`apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: p%d, namespace: team%d}
spec:
  routes: [{hostnames: [h%d.example.com], matches: [{path: {value: /v%d}}]}]
  authentication: {methods: [{name: provider, jwt: {issuer: "https://login.example.com/%d", audiences: ["https://h%d.example.com"], jwks: {configMapRef: {name: keys}}}}]}
  authorization: {rules: [{name: r, require: 'identity.claims.?tenant.orValue("") == "t%d"'}]}
`, i, i%teams, i, i%7, i%teams, i, i)
	}
	return fmt.Sprintf(`apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: p%[1]d, namespace: team%[2]d}
spec:
  routes: [{hostnames: [h%[1]d.example.com], matches: [{path: {type: PathPrefix, value: /v%[3]d}}]}]
  authentication:
    methods:
    - name: provider
      jwt: {issuer: "https://login.example.com/realms/%[2]d", audiences: ["https://h%[1]d.example.com"], jwks: {inline: %[4]q}}
  authorization:
    rules: [{name: r, require: 'identity.claims.?tenant.orValue("") == "t%[1]d"'}]
`, i, i%teams, i%7, keySet())
}

// published is the key set that policies of many share, a ConfigMap in each namespace.
func published() string {
	var b strings.Builder
	for i := range teams {
		fmt.Fprintf(&b, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: keys, namespace: team%d, labels: {agentauth.dev/use: jwks}}\ndata: {jwks.json: %q}\n---\n", i, keySet())
	}
	return b.String()
}

// write makes a directory of manifests: these, and n other policies beside them. The first is in a file of its
// own, which is returned.
func write(dir string, documents []string, n int) (first string, err error) {
	first = filepath.Join(dir, "first.yaml")
	if err := os.WriteFile(first, []byte(documents[0]), 0o600); err != nil {
		return "", err
	}
	if n >= compactFrom {
		documents = append(documents, published())
	}
	for i, d := range documents[1:] {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("more-%d.yaml", i)), []byte(d), 0o600); err != nil {
			return "", err
		}
	}
	for i := 0; i < n; i += perFile {
		var file []string
		for j := i; j < min(n, i+perFile); j++ {
			file = append(file, other(j, n))
		}
		name := filepath.Join(dir, fmt.Sprintf("others-%d.yaml", i/perFile))
		if err := os.WriteFile(name, []byte(strings.Join(file, "---\n")), 0o600); err != nil {
			return "", err
		}
	}
	return first, nil
}

func digest(key string) string {
	sum, err := apikey.Hash([]byte(key))
	must(err)
	return sum
}
