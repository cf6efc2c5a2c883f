//go:build e2e && !quick

package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Gateway API comes while agentauth runs, under the rights of config/rbac; then a policy that targeted nothing is
// in force, and its status tells on which Gateway.
func TestGatewayAPIMayBeInstalledLater(t *testing.T) {
	k := useKube(t)
	ns := k.namespace(t, "attached")
	a := k.agentauth(t, "attached")
	k.apply(t, `
apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: api, namespace: attached}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: api}]
  authentication: {methods: [{name: public, anonymous: {}}]}
`)
	k.wait(t, ns, "api", "Accepted=false")
	if m := k.has(t, ns, "api", "Ready", "False", "TargetNotFound"); !strings.Contains(m, "the cluster has no kind HTTPRoute: Gateway API is not installed") {
		t.Errorf("expected to be told that Gateway API is not installed, got %q", m)
	}
	answers(t, soon, a, "api.attached.test", "", 403)

	k.gatewayAPI(t)
	k.apply(t, `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: attached}
spec: {gatewayClassName: any, listeners: [{name: http, port: 80, protocol: HTTP}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: api, namespace: attached}
spec: {parentRefs: [{name: edge}], hostnames: [api.attached.test]}
`)
	answers(t, soon, a, "api.attached.test", "", 0)
	k.wait(t, ns, "api", "Accepted")
	k.kubectl(t, "", "wait", "--for=jsonpath={.status.ancestors[0].ancestorRef.name}=edge", "--timeout=30s", "-n", ns, "aap/api")
	got := k.kubectl(t, "", "get", "aap", "api", "-n", ns, "-o", "jsonpath={.status.ancestors[0].controllerName} {.status.ancestors[0].conditions[0].reason}")
	if got != "agentauth.dev/controller Ready" {
		t.Errorf("got %q", got)
	}
	k.kubectl(t, "", "delete", "httproute", "api", "-n", ns)
	answers(t, soon, a, "api.attached.test", "", 403)
	if m := k.has(t, ns, "api", "Ready", "False", "TargetNotFound"); !strings.Contains(m, "there is none (yet)") {
		t.Errorf("expected to be told of the route, got %q", m)
	}
}

// gatewayAPI installs three of its kinds until the test ends, and a GatewayClass that its controller accepted.
func (k *kube) gatewayAPI(t *testing.T) {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api").Output()
	must(t, err)
	for _, kind := range []string{"gatewayclasses", "gateways", "httproutes"} {
		k.kubectl(t, "", "apply", "--server-side", "-f", filepath.Join(strings.TrimSpace(string(dir)), "config/crd/standard/gateway.networking.k8s.io_"+kind+".yaml"))
		k.kubectl(t, "", "wait", "--for=condition=Established", "--timeout=30s", "crd/"+kind+".gateway.networking.k8s.io")
	}
	k.apply(t, `
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: any}
spec: {controllerName: example.com/any}
`)
	k.kubectl(t, "", "patch", "gatewayclass", "any", "--subresource=status", "--type=merge", "-p", `{"status": {"conditions": [{"type": "Accepted",
		"status": "True", "reason": "Accepted", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}}`)
	t.Cleanup(func() {
		if _, err := k.Kubectl(outliving{t, &suite}.Context(), "", "delete", "crd", "gatewayclasses.gateway.networking.k8s.io", "gateways.gateway.networking.k8s.io", "httproutes.gateway.networking.k8s.io"); err != nil {
			t.Error(err)
		}
	})
}
