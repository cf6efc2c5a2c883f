//go:build e2e

package cases

import (
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/verified"
)

const revocable = `
apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: orders, namespace: shop}
spec:
  routes: [{hostnames: [api.example.com]}]
  authentication:
    methods:
    - name: idp
      jwt: {issuer: https://idp.example.com, audiences: [orders], jwks: {inline: '${jwks rsa1}'}}
`

// revokedEntry names until by the clock of the cluster: the requests are later.
const revokedEntry = "issuer: https://idp.example.com\nactor: {subject: support-bot}\nuntil: 2100-01-01T00:00:00Z\n"

func TestARevokedAgentIsRefusedOnEveryReplicaWithinTwoSeconds(t *testing.T) {
	c := startCluster(t)
	policies, err := Expand(revocable)
	if err != nil {
		t.Fatal(err)
	}
	create(t, c, policies)
	token, err := Expand(`Bearer ${jwt rsa1 RS256 ${good "act":{"sub":"support-bot"}}}`)
	if err != nil {
		t.Fatal(err)
	}
	var replicas []*engine.Engine
	for range 2 {
		e := keepingEngine(t, File{}, engine.Input{}, verified.New(verified.Options{Bytes: 1 << 20}))
		follow(t, c, e, nil)
		replicas = append(replicas, e)
	}
	become := func(want authz.Reason) {
		t.Helper()
		deadline := time.Now().Add(2 * time.Second)
		for i, e := range replicas {
			for {
				d := e.Decide(t.Context(), authz.Raw{Method: "GET", Scheme: "https", TLS: true, Host: "api.example.com", Path: "/", Time: Now,
					Headers: []authz.Header{{Name: "authorization", Value: token}}})
				if d.Reason == want {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("replica %d: expected %s within two seconds, got %s: %s", i, want, d.Reason, d.Detail)
				}
				time.Sleep(5 * time.Millisecond)
			}
		}
	}
	become(authz.Allowed)                                   // and it is kept
	for _, namespace := range []string{"default", "shop"} { // agentauth's own, and the policy's
		c.kubectl(t, "create", "configmap", "revoked", "-n", namespace, "--from-literal=support-bot="+revokedEntry)
		become(authz.Allowed) // it has no label
		c.kubectl(t, "label", "configmap", "revoked", "-n", namespace, "agentauth.dev/use=revocations")
		become(authz.CredentialRevoked)
		c.kubectl(t, "patch", "configmap", "revoked", "-n", namespace, "--type=merge", "-p", `{"data":{"support-bot":"{"}}`)
		for i, e := range replicas { // an edit that breaks it takes nothing back
			for deadline := time.Now().Add(2 * time.Second); e.Revocations().Counts(Now).Unreadable != 1; time.Sleep(5 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("replica %d: expected the broken entry to be counted", i)
				}
			}
		}
		become(authz.CredentialRevoked)
		c.kubectl(t, "delete", "configmap", "revoked", "-n", namespace)
		become(authz.Allowed)
	}
}
