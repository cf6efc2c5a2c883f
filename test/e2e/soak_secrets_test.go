//go:build e2e && !quick

package e2e

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// What is promised of changes.
const (
	ofSecrets     = time.Second
	ofPolicies    = time.Second
	ofRevocations = 2 * time.Second
	ofAPIServer   = 30 * time.Second // after it is back
)

func fresh() string {
	random := make([]byte, 32)
	_, _ = rand.Read(random) // never fails
	return "soak-" + hex.EncodeToString(random)
}

func (s *soaking) policy(name, method string) {
	s.t.Helper()
	s.writePolicy(name, fmt.Sprintf(`
  routes: [{hostnames: [%s], matches: [{path: {type: PathPrefix, value: /%s}}]}]
  authentication: {methods: [%s]}
`, soakHost, name, method))
}

func (s *soaking) writePolicy(name, spec string) {
	s.t.Helper()
	s.write(s.pathOf("policy", name), fmt.Sprintf("apiVersion: agentauth.dev/v1alpha1\nkind: AgentAuthPolicy\nmetadata: {name: %s, namespace: %s}\nspec:%s", name, s.ns, spec))
}

func (s *soaking) secret(name, use, rest string) {
	s.t.Helper()
	s.write(s.pathOf("secret", name), fmt.Sprintf(`apiVersion: v1
kind: Secret
metadata:
  name: %s
  namespace: %s
  labels: {agentauth.dev/use: %s, for: soak}
%s
`, name, s.ns, use, rest))
}

func (s *soaking) pathOf(kind, name string) string {
	if kind == "secret" {
		return "/api/v1/namespaces/" + s.ns + "/secrets/" + name
	}
	return "/apis/agentauth.dev/v1alpha1/namespaces/" + s.ns + "/agentauthpolicies/" + name
}

// writePolicies makes what is there from the start, and its callers.
func (s *soaking) writePolicies() {
	s.t.Helper()
	s.policy("keys", "{name: keys, apiKey: {selector: {matchLabels: {for: soak}}}}")
	s.policy("hmac", "{name: agents, jwt: {anyIssuer: true, anyAudience: true, hmac: {secretRef: {name: agents}}}}")
	s.policy("basic", "{name: staff, basic: {users: {secretRef: {name: staff}}, allowPlaintext: true}}")
	s.policy("tokens", fmt.Sprintf("{name: partners, jwt: {issuer: %q, audiences: [%q]}}", s.provider.Issuer, orders))
	s.policy("goes", "{name: anybody, anonymous: {}}")
	for place, c := range s.newSecrets() {
		c.want.confirm(1)
		s.load.put(place, c)
	}
	spare := newCaller("a key that is revoked and restored", "/keys", "x-api-key", fresh(), http.StatusOK)
	s.writeSpare(spare)
	s.load.put("spare", spare)
	s.load.put("token", s.newToken(http.StatusOK))
	s.load.put("nothing", newCaller("no credential", "/keys", "", "", http.StatusUnauthorized))
	s.load.put("nobody", newCaller("a key of nobody", "/keys", "x-api-key", fresh(), http.StatusUnauthorized))
	s.load.put("goes", newCaller("a policy that comes and goes", "/goes", "", "", http.StatusOK))
	s.load.put("nowhere", newCaller("a path without policy", "/nowhere", "", "", http.StatusForbidden))
}

func (s *soaking) writeSpare(c *soakCaller) {
	s.t.Helper()
	s.secret("spare", "api-key", plainKey(c.value))
}

func plainKey(key string) string {
	return fmt.Sprintf("  annotations: {agentauth.dev/plain-keys: first}\nstringData: {first: %q}", key)
}

// newSecrets replaces an API key, a shared secret and a password, and returns those who have the new ones.
func (s *soaking) newSecrets() map[string]*soakCaller {
	s.t.Helper()
	key, shared, password := fresh(), fresh(), fresh()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: []byte(shared)}, nil)
	must(s.t, err)
	token, err := jwt.Signed(signer).Claims(map[string]any{"sub": "robot", "exp": time.Now().Add(24 * time.Hour).Unix()}).Serialize()
	must(s.t, err)
	out := map[string]*soakCaller{
		"key":      newCaller("an API key", "/keys", "x-api-key", key, http.StatusUnauthorized).comes(),
		"shared":   newCaller("a token of a shared secret", "/hmac", "authorization", bearer(token), http.StatusUnauthorized).comes(),
		"password": newCaller("a password", "/basic", "authorization", basic("alice", password), http.StatusUnauthorized).comes(),
	}
	s.secret("robot", "api-key", plainKey(key))
	s.secret("agents", "hmac", fmt.Sprintf("stringData: {secret: %q}", shared))
	s.secret("staff", "basic", fmt.Sprintf("type: kubernetes.io/basic-auth\nstringData: {username: alice, password: %q}", password))
	return out
}

// rotateSecrets replaces all three; who has the former ones goes on trying, until the next rotation.
func (s *soaking) rotateSecrets() {
	s.t.Helper()
	places := []string{"key", "shared", "password"}
	var all []*soakCaller
	for _, place := range places {
		old := s.load.at(place)
		old.want.writes(http.StatusUnauthorized)
		all = append(all, old)
	}
	replaced := s.newSecrets()
	for i, place := range places {
		s.load.put("former "+place, all[i])
		s.load.put(place, replaced[place])
		all = append(all, replaced[place])
	}
	s.inForce("an API key, a shared secret and a password are replaced", ofSecrets, all...)
}

// revoke takes a key out of use, and takes that back.
func (s *soaking) revoke() {
	s.t.Helper()
	const path = "/api/v1/namespaces/agentauth-system/configmaps/soak"
	spare := s.load.at("spare")
	spare.want.writes(http.StatusUnauthorized)
	s.write(path, fmt.Sprintf(`apiVersion: v1
kind: ConfigMap
metadata: {name: soak, namespace: agentauth-system, labels: {agentauth.dev/use: revocations}}
data:
  spare: |
    secret: %s/spare
    until: 2100-01-01T00:00:00Z
`, s.ns))
	s.inForce("a key is revoked", ofRevocations, spare)
	s.pause(time.Second)
	spare.want.writes(http.StatusOK)
	s.remove(path)
	s.inForce("the revocation is removed", ofRevocations, spare)
}

// dropPolicy removes a policy, and makes it again.
func (s *soaking) dropPolicy() {
	s.t.Helper()
	goes := s.load.at("goes")
	goes.want.writes(http.StatusForbidden)
	s.remove(s.pathOf("policy", "goes"))
	s.inForce("a policy is removed", ofPolicies, goes)
	goes.want.writes(http.StatusOK)
	s.policy("goes", "{name: anybody, anonymous: {}}")
	s.inForce("the policy is made again", ofPolicies, goes)
}

// churn writes, changes and removes policies beside those that are asked for, twice a second, while the API server is there.
func (s *soaking) churn(n int) {
	s.t.Helper()
	s.writes.Lock()
	defer s.writes.Unlock()
	name := fmt.Sprint("extra-", n%7)
	if n%3 == 2 {
		s.remove(s.pathOf("policy", name))
		return
	}
	s.writePolicy(name, fmt.Sprintf(`
  routes: [{hostnames: [%s.soak.test]}]
  authentication: {methods: [{name: anybody, anonymous: {}}]}
  response: {upstream: {headers: [{name: x-round, value: '"%d"'}]}}
`, name, n))
}
