//go:build e2e

package cases

import (
	"errors"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/test/parts"
)

const borrowers = `
apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: first, namespace: shop}
spec:
  routes: [{hostnames: [first.example.com]}]
  authentication: {methods: [{name: staff, basic: {users: {secretRef: {name: first, namespace: other}}}}]}
---
apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: second, namespace: shop}
spec:
  routes: [{hostnames: [second.example.com]}]
  authentication: {methods: [{name: staff, basic: {users: {secretRef: {name: second, namespace: other}}}}]}
---
apiVersion: v1
kind: Secret
type: kubernetes.io/basic-auth
metadata: {name: first, namespace: other, labels: {agentauth.dev/use: basic}}
stringData: {username: alice, password: a password of alice}
---
apiVersion: v1
kind: Secret
type: kubernetes.io/basic-auth
metadata: {name: second, namespace: other, labels: {agentauth.dev/use: basic}}
stringData: {username: alice, password: a password of alice}
`

// Releases of Gateway API differ in which versions of ReferenceGrant they serve. Whichever it is, and whenever it
// changes, grants are honoured while they are there; no request is refused because an operator upgrades.
func TestGrantsAreHonouredAtWhicheverVersionIsServed(t *testing.T) {
	c := startCluster(t)
	create(t, c, borrowers)
	credential, err := Expand("Basic ${base64 alice:a password of alice}")
	if err != nil {
		t.Fatal(err)
	}
	e := newEngine(t, File{}, engine.Input{})
	allowed := func(policy string) bool {
		return e.Decide(t.Context(), authz.Raw{Method: "GET", Scheme: "https", TLS: true, Host: policy + ".example.com", Path: "/", Time: Now,
			Headers: []authz.Header{{Name: "authorization", Value: credential}}}).Outcome == authz.Allow
	}
	within := func(what string, is func() bool) {
		t.Helper()
		parts.Within(t, time.Minute, func() error {
			if !is() {
				return errors.New("expected that " + what)
			}
			return nil
		})
	}

	c.serveGrants(t, "v1beta1")
	follow(t, c, e, nil)
	if allowed("first") {
		t.Fatal("allowed without a grant")
	}
	c.grant(t, "v1beta1", "first")
	within("a grant of v1beta1 comes in force", func() bool { return allowed("first") })
	for _, version := range []string{"v1", "v1beta1"} { // there, and back
		c.serveGrants(t, version)
		within(version+" is served", func() bool {
			status, _, err := c.Do(t.Context(), "GET", grantsOf(version)+"/first", "", nil)
			return err == nil && status == 200
		})
		c.grant(t, version, "second")
		within("a grant comes in force at "+version, func() bool {
			if !allowed("first") {
				t.Fatalf("refused while %s came", version)
			}
			return allowed("second")
		})
		c.do(t, "DELETE", grantsOf(version)+"/second", "", nil)
		within("a grant that is withdrawn is not in force at "+version, func() bool { return !allowed("second") })
	}

	c.kubectl(t, "delete", "crd", "referencegrants.gateway.networking.k8s.io")
	within("no grant is in force without their kind", func() bool { return !allowed("first") })
	c.install(t, "referencegrants")
	c.grant(t, "v1", "first")
	within("a grant is in force after their kind came back", func() bool { return allowed("first") })
}

func grantsOf(version string) string {
	return "/apis/gateway.networking.k8s.io/" + version + "/namespaces/other/referencegrants"
}

// grant lets policies of shop refer to a Secret.
func (c *cluster) grant(t *testing.T, version, secret string) {
	t.Helper()
	c.do(t, "POST", grantsOf(version), "application/yaml", []byte(`
apiVersion: gateway.networking.k8s.io/`+version+`
kind: ReferenceGrant
metadata: {name: `+secret+`}
spec:
  from: [{group: agentauth.dev, kind: AgentAuthPolicy, namespace: shop}]
  to: [{group: "", kind: Secret, name: `+secret+`}]
`))
}

// serveGrants makes the API server serve ReferenceGrants in one version only.
func (c *cluster) serveGrants(t *testing.T, version string) {
	t.Helper()
	v1, v1beta1 := "true", "false"
	if version == "v1beta1" {
		v1, v1beta1 = v1beta1, v1
	}
	c.kubectl(t, "patch", "crd", "referencegrants.gateway.networking.k8s.io", "--type=json", "-p",
		`[{"op": "test", "path": "/spec/versions/0/name", "value": "v1"}, {"op": "replace", "path": "/spec/versions/0/served", "value": `+v1+`},
		{"op": "test", "path": "/spec/versions/1/name", "value": "v1beta1"}, {"op": "replace", "path": "/spec/versions/1/served", "value": `+v1beta1+`}]`)
}
