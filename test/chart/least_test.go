//go:build e2e

package chart

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// replica runs with the chart's rights but one.
type replica struct {
	without, namespace string
	*parts.Agentauth
}

// healthy says whether it serves, follows the cluster, and writes the status of a policy of its namespace.
func (r replica) healthy(t *testing.T) error {
	if _, err := r.Get(t.Context(), "/readyz"); err != nil {
		return err
	}
	metrics, err := r.Get(t.Context(), "/metrics")
	if err != nil {
		return err
	}
	if !strings.Contains(string(metrics), "\nagentauth_config_age_seconds 0\n") {
		return errors.New("something is not watched")
	}
	if out := kubectl(t, "", "get", "aap", "one", "-n", r.namespace, "-o", "jsonpath={.status.conditions}"); !strings.Contains(out, "Ready") {
		return fmt.Errorf("expected conditions, got %q", out)
	}
	if out := kubectl(t, "", "get", "events.events.k8s.io", "-n", r.namespace, "--field-selector", "regarding.name=one,reason=Ready", "-o", "name"); out == "" {
		return errors.New("expected an Event of the policy")
	}
	return nil
}

// Each single right that the chart gives is needed: without it a replica is not ready, or does not follow, or
// writes no status, or no Event. (An expired Lease has to be taken over, by update; where there is none it is created.)
func TestEveryRightIsNeeded(t *testing.T) {
	t.Setenv("KUBE_FEATURE_WatchListClient", "false") // newer API servers list by watching; it has to work with all
	useCRD(t)
	useGrants(t)
	out, err := render(t, trusting+"watchNamespaces: [least]\nfullnameOverride: least\n")
	must(t, err)
	all := objects(t, out)
	rules := slices.Concat(find(t, all, "Role", "least:agentauth-system")["rules"].([]any), find(t, all, "Role", "agentauth-status")["rules"].([]any))
	// Hostname grants are in agentauth's own namespace, which is the one that is watched here: a right of both Roles.
	rules = slices.DeleteFunc(rules, func(r any) bool {
		return reflect.DeepEqual(r.(map[string]any)["resources"], []any{"configmaps"})
	})
	// Patching counts an Event that happens again: a policy has to flap for it, in a test of its own.
	for _, r := range rules {
		if rule := r.(map[string]any); slices.Contains(rule["apiGroups"].([]any), any("events.k8s.io")) {
			rule["verbs"] = []any{"create"}
		}
	}
	// Of Gateway API only ReferenceGrants are installed here; the tests of attachment need the other kinds.
	for _, r := range rules {
		if rule := r.(map[string]any); slices.Contains(rule["apiGroups"].([]any), any("gateway.networking.k8s.io")) {
			rule["resources"] = []any{"referencegrants"}
		}
	}
	kubectl(t, text(t, find(t, all, "ClusterRole", "least-cluster:agentauth-system")), "apply", "-f", "-")
	whole := start(t, "nothing", single(rules), "")
	var lacking []replica
	for i, r := range single(rules) {
		name := fmt.Sprint(r["verbs"], r["resources"])
		lease := ""
		if name == "[update] [leases]" {
			lease = "expired"
		}
		lacking = append(lacking, start(t, name, slices.Delete(single(rules), i, i+1), lease))
	}
	if len(lacking) != 13 {
		t.Errorf("expected the chart to give 13 rights, got %d", len(lacking))
	}
	parts.Within(t, 30*time.Second, func() error { return whole.healthy(t) })
	// They had as long as the one that has all, and one more of them that has all has its time too.
	again := start(t, "nothing again", single(rules), "expired")
	parts.Within(t, 60*time.Second, func() error { return again.healthy(t) })
	for _, r := range lacking {
		if r.healthy(t) == nil {
			t.Errorf("without %s: expected something not to work", r.without)
		}
	}
}

// useGrants installs ReferenceGrants until the test ends.
func useGrants(t *testing.T) {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api").Output()
	must(t, err)
	file := filepath.Join(strings.TrimSpace(string(dir)), "config/crd/standard/gateway.networking.k8s.io_referencegrants.yaml")
	kubectl(t, "", "apply", "--server-side", "-f", file)
	t.Cleanup(func() {
		_, err := useCluster(t).Kubectl(context.WithoutCancel(t.Context()), "", "delete", "-f", file)
		must(t, err)
	})
	kubectl(t, "", "wait", "--for=condition=Established", "--timeout=30s", "crd/referencegrants.gateway.networking.k8s.io")
}

// single are rules of one verb and one resource each.
func single(rules []any) []map[string]any {
	var out []map[string]any
	for _, r := range rules {
		rule := object(r.(map[string]any))
		for _, resource := range rule["resources"].([]any) {
			for _, verb := range rule["verbs"].([]any) {
				one := map[string]any{"apiGroups": rule["apiGroups"], "resources": []any{resource}, "verbs": []any{verb}}
				if names, ok := rule["resourceNames"]; ok {
					one["resourceNames"] = names
				}
				out = append(out, one)
			}
		}
	}
	return out
}

// start runs a replica in a namespace of its own, with a policy, and perhaps a Lease that nobody renews.
func start(t *testing.T, without string, rules []map[string]any, lease string) replica {
	t.Helper()
	ns := "least-" + strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r
		}
		return '-'
	}, without), "-")
	namespaces(t, ns)
	meta := map[string]any{"name": "least", "namespace": ns}
	const group = "rbac.authorization.k8s.io"
	for _, o := range []map[string]any{
		{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta},
		{"apiVersion": group + "/v1", "kind": "Role", "metadata": meta, "rules": rules},
		{"apiVersion": group + "/v1", "kind": "RoleBinding", "metadata": meta,
			"roleRef":  map[string]any{"apiGroup": group, "kind": "Role", "name": "least"},
			"subjects": []any{map[string]any{"kind": "ServiceAccount", "name": "least", "namespace": ns}}},
		{"apiVersion": group + "/v1", "kind": "ClusterRoleBinding", "metadata": map[string]any{"name": ns},
			"roleRef":  map[string]any{"apiGroup": group, "kind": "ClusterRole", "name": "least-cluster:agentauth-system"},
			"subjects": []any{map[string]any{"kind": "ServiceAccount", "name": "least", "namespace": ns}}},
	} {
		kubectl(t, text(t, o), "apply", "-f", "-")
	}
	if lease != "" {
		kubectl(t, text(t, map[string]any{
			"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": map[string]any{"name": "agentauth-status", "namespace": ns},
			"spec": map[string]any{"holderIdentity": lease, "leaseDurationSeconds": 1, "renewTime": "2020-01-01T00:00:00.000000Z"},
		}), "apply", "-f", "-")
	}
	kubectl(t, policy(ns, "one"), "apply", "-f", "-")

	c := useCluster(t)
	token, err := c.Kubectl(t.Context(), "", "create", "token", "least", "-n", ns)
	must(t, err)
	kubeconfig, err := c.WriteKubeconfig(ns, ns, strings.TrimSpace(token))
	must(t, err)
	dir := filepath.Join(suite.Dir, ns)
	must(t, os.MkdirAll(dir, 0o750))
	a, err := parts.LaunchAgentauth(parts.AgentauthConfig{Dir: dir, Binary: useBinary(t), Args: []string{"--kubeconfig", kubeconfig, "--watch-namespaces", ns, "--trust-network"}})
	must(t, err)
	t.Cleanup(func() { _ = a.Stop() })
	return replica{without, ns, a}
}
