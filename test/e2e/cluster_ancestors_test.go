//go:build e2e && !quick

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"
)

// Another controller has an entry in status.ancestors, and writes it while ours changes.
func TestAncestorsOfAnotherControllerSurviveWhileBothWrite(t *testing.T) {
	k := useKube(t)
	ns := k.namespace(t, "ancestors")
	k.gatewayAPI(t)
	a := k.behindProxy(t, "one", nil)
	gateways := ""
	for _, name := range []string{"edge-0", "edge-1"} {
		gateways += fmt.Sprintf(`
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: %s, namespace: ancestors}
spec: {gatewayClassName: any, listeners: [{name: http, port: 80, protocol: HTTP}]}
---
`, name)
	}
	k.apply(t, gateways+`
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: api, namespace: ancestors}
spec: {parentRefs: [{name: edge-0}], hostnames: [api.ancestors.test]}
---
apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: api, namespace: ancestors}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: api}]
  authentication: {methods: [{name: public, anonymous: {}}]}
`)
	k.wait(t, ns, "api", "Accepted")
	answers(t, soon, a.Agentauth, "api.ancestors.test", "", 0)

	theirs := &otherController{k: k, ns: ns, policy: "api"}
	const rounds = 12
	for i := range rounds {
		edge := fmt.Sprint("edge-", i%2)
		k.kubectl(t, "", "patch", "httproute", "api", "-n", ns, "--type=merge", "-p", `{"spec":{"parentRefs":[{"name":"`+edge+`"}]}}`)
		for range 3 {
			theirs.write(t)
		}
		if i%3 == 2 {
			within(t, time.Minute, "our entry", func() error { return theirs.beside(t, edge) })
		}
	}
	within(t, time.Minute, "our last entry", func() error { return theirs.beside(t, fmt.Sprint("edge-", (rounds-1)%2)) })
	before := len(a.statusWrites("api"))
	k.apply(t, publicOn(ns, "other", "other.ancestors.test", ""))
	k.wait(t, ns, "other", "Ready") // by a pass over all
	if after := len(a.statusWrites("api")); after != before || after > 8*rounds {
		t.Errorf("expected no write where nothing changed, and few before, got %d and then %d", before, after)
	}

	k.kubectl(t, "", "patch", "aap", "api", "-n", ns, "--type=merge", "-p", `{"spec":{"authorization":{"rules":[{"name":"r","require":"true"}]}}}`)
	within(t, time.Minute, "conditions of the new generation", func() error {
		_, ours := theirs.read(t)
		if len(ours) != 1 || len(ours[0].Conditions) != 4 {
			return fmt.Errorf("expected one entry of ours, got %v", ours)
		}
		for _, c := range ours[0].Conditions {
			if c["observedGeneration"] != 2.0 || c["status"] != "True" {
				return fmt.Errorf("got %v", c)
			}
		}
		return nil
	})
	if label := k.kubectl(t, "", "get", "crd", "agentauthpolicies.agentauth.dev", "-o", `jsonpath={.metadata.labels.gateway\.networking\.k8s\.io/policy}`); label != "Inherited" {
		t.Errorf("expected the CRD to say that it is of an inherited policy, got %q", label)
	}
	k.kubectl(t, "", "delete", "httproute", "api", "-n", ns)
	within(t, time.Minute, "our entry to go", func() error { return theirs.beside(t, "") })
}

// otherController writes an entry of its own as we do: whole, with the version that it read.
type otherController struct {
	k          *kube
	ns, policy string
	written    int
}

type ancestorEntry struct {
	AncestorRef    map[string]any   `json:"ancestorRef"`
	ControllerName string           `json:"controllerName"`
	Conditions     []map[string]any `json:"conditions"`
}

func (o *otherController) path() string {
	return "/apis/agentauth.dev/v1alpha1/namespaces/" + o.ns + "/agentauthpolicies/" + o.policy
}

// read returns the policy's version, the others' entries and that of this controller, which must be what it
// wrote last: nobody else may write it.
func (o *otherController) read(t tester) (version string, others []ancestorEntry) {
	t.Helper()
	_, body, err := o.k.Do(t.Context(), http.MethodGet, o.path(), "", nil)
	must(t, err)
	var policy struct {
		Metadata struct{ ResourceVersion string }
		Status   struct{ Ancestors []ancestorEntry }
	}
	must(t, json.Unmarshal(body, &policy))
	mine := 0
	for _, e := range policy.Status.Ancestors {
		if e.ControllerName != "other.example/controller" {
			others = append(others, e)
			continue
		}
		if mine++; e.AncestorRef["name"] != fmt.Sprint("theirs-", o.written) {
			t.Errorf("expected their entry as they wrote it, theirs-%d, got %v", o.written, e)
		}
	}
	if mine != min(1, o.written) {
		t.Errorf("expected one entry of theirs, got %d in %s", mine, body)
	}
	return policy.Metadata.ResourceVersion, others
}

func (o *otherController) write(t tester) {
	t.Helper()
	within(t, time.Minute, "their write", func() error {
		version, all := o.read(t)
		all = append(all, ancestorEntry{
			AncestorRef: map[string]any{"name": fmt.Sprint("theirs-", o.written+1)}, ControllerName: "other.example/controller",
			Conditions: []map[string]any{{"type": "Accepted", "status": "True", "reason": "Theirs", "message": "", "lastTransitionTime": "2027-01-31T12:00:00Z"}},
		})
		patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"resourceVersion": version}, "status": map[string]any{"ancestors": all}})
		must(t, err)
		status, answer, err := o.k.Do(t.Context(), http.MethodPatch, o.path()+"/status", "application/merge-patch+json", patch)
		must(t, err)
		if status != http.StatusOK {
			return fmt.Errorf("got %d %s", status, answer)
		}
		o.written++
		return nil
	})
}

// beside says whether our entry is the one for a Gateway; "" is none.
func (o *otherController) beside(t tester, gateway string) error {
	t.Helper()
	_, ours := o.read(t)
	switch {
	case gateway == "" && len(ours) == 0:
		return nil
	case len(ours) != 1 || ours[0].ControllerName != "agentauth.dev/controller" || ours[0].AncestorRef["name"] != gateway:
		return fmt.Errorf("expected our entry for %q, got %v", gateway, ours)
	}
	return nil
}
