//go:build e2e

package chart

import (
	"strings"
	"testing"
)

// What aggregation adds to the roles edit and view is bound here as it is: the controller that aggregates is
// Kubernetes' own, and no part of this cluster.
func TestTenantsMayWriteTheirPoliciesOnceTheOperatorSaysSo(t *testing.T) {
	out, err := render(t, trusting)
	must(t, err)
	for _, o := range objects(t, out) {
		if strings.Contains(text(t, o), "aggregate-to-") {
			t.Errorf("expected nobody to be given rights by default, got %s %s", o.kind(), o.name())
		}
	}
	out, err = render(t, trusting+"rbac: {aggregate: true}")
	must(t, err)
	useCRD(t)
	namespaces(t, "tenant", "neighbour")
	roles := map[string]string{"edit": "agentauth-edit:agentauth-system", "view": "agentauth-view:agentauth-system"}
	for who, name := range roles {
		role := find(t, objects(t, out), "ClusterRole", name)
		if got := role.at("metadata.labels").(map[string]any)["rbac.authorization.k8s.io/aggregate-to-"+who]; got != "true" {
			t.Errorf("%s: expected the label that aggregates it, got %v", name, got)
		}
		kubectl(t, text(t, role), "apply", "--validate=strict", "-f", "-")
		kubectl(t, "", "create", "rolebinding", who, "-n", "tenant", "--clusterrole="+name, "--user="+who)
	}
	for question, want := range map[string]string{
		"view get -n tenant": "yes", "view list -n tenant": "yes", "view watch -n tenant": "yes",
		"view create -n tenant": "no", "view delete -n tenant": "no", "view list -n neighbour": "no",
		"edit create -n tenant": "yes", "edit update -n tenant": "yes", "edit patch -n tenant": "yes", "edit delete -n tenant": "yes",
		"edit create -n neighbour": "no", "edit patch -n tenant --subresource=status": "no", "edit update -n tenant --subresource=status": "no",
	} {
		words := strings.Fields(question)
		args := append([]string{"auth", "can-i", words[1], "agentauthpolicies.agentauth.dev", "--as=" + words[0]}, words[2:]...)
		got, _ := useCluster(t).Kubectl(t.Context(), "", args...) // no is an error too
		if strings.TrimSpace(got) != want {
			t.Errorf("%s: expected %s, got %s", question, want, got)
		}
	}
}
