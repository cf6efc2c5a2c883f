//go:build e2e

package chart

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/test/parts"
)

const bundle = "jsonpath={.webhooks[0].clientConfig.caBundle}"

// trusts waits for a configuration to trust what agentauth made.
func trusts(t *testing.T, configuration string) string {
	t.Helper()
	var got string
	parts.Within(t, 45*time.Second, func() error {
		if got = kubectl(t, "", "get", "validatingwebhookconfiguration", configuration, "-o", bundle); got == "" {
			return errors.New("it trusts nothing yet")
		}
		return nil
	})
	return got
}

func TestAnUpgradeLeavesTheWebhooksCertificateAlone(t *testing.T) {
	namespaces(t, "agentauth-hook")
	useCRD(t)
	release := func(command, more string) {
		t.Helper()
		_, err := helm(t, withWebhook+"crds: {enabled: false}\nfullnameOverride: hook\n"+more, command, "hook", chartDir, "-n", "agentauth-hook", "-f", "-")
		must(t, err)
	}
	release("install", "")
	a := startInstalled(t, "agentauth-hook", "hook")
	before := trusts(t, "hook.agentauth-hook")
	must(t, a.Stop()) // nobody is there who would repair it
	secret := func() string {
		return kubectl(t, "", "get", "secret", "agentauth-webhook", "-n", "agentauth-hook", "-o", "jsonpath={.data}")
	}
	held := secret()
	if !strings.Contains(held, "tls.key") {
		t.Fatalf("expected a key in the Secret, got %d bytes", len(held))
	}
	for _, more := range []string{"", "replicas: 3\n", "watchNamespaces: [agentauth-hook]\n"} {
		release("upgrade", more)
		if got := kubectl(t, "", "get", "validatingwebhookconfiguration", "hook.agentauth-hook", "-o", bundle); got != before {
			t.Errorf("%q: expected the bundle to stay, got %q", more, got)
		}
		if secret() != held {
			t.Errorf("%q: expected the Secret to stay", more)
		}
	}

	// To a bundle of one's own, as docs/install.md says.
	ca, err := parts.NewCA("mine")
	must(t, err)
	mine := base64.StdEncoding.EncodeToString(ca.PEM)
	values := trusting + "webhook: {enabled: true, secretName: mine, caBundle: " + mine + "}\ncrds: {enabled: false}\nfullnameOverride: hook\n"
	if _, err = helm(t, values, "upgrade", "hook", chartDir, "-n", "agentauth-hook", "-f", "-"); err == nil || !strings.Contains(err.Error(), "caBundle") {
		t.Errorf("expected the bundle to be agentauth's, got %v", err)
	}
	_, err = helm(t, values, "upgrade", "hook", chartDir, "-n", "agentauth-hook", "-f", "-", "--force-conflicts")
	must(t, err)
	if got := kubectl(t, "", "get", "validatingwebhookconfiguration", "hook.agentauth-hook", "-o", bundle); got != mine {
		t.Errorf("expected the bundle that was given, got %q", got)
	}
	_, err = helm(t, "", "uninstall", "hook", "-n", "agentauth-hook")
	must(t, err)
	for _, gone := range [][]string{{"secret", "agentauth-webhook", "-n", "agentauth-hook"}, {"validatingwebhookconfiguration", "hook.agentauth-hook"}} {
		if exists(t, gone...) {
			t.Errorf("%q is left", gone)
		}
	}
}

// Without any single right that the chart gives for the webhook, the configuration trusts nothing.
func TestEveryRightOfTheWebhookIsNeeded(t *testing.T) {
	out, err := render(t, withWebhook)
	must(t, err)
	all := objects(t, out)
	ours, clusters := find(t, all, "Role", "agentauth-webhook"), find(t, all, "ClusterRole", "agentauth-webhook:agentauth-system")
	names := []string{"hook-whole"}
	begin := func(name string, role, cluster []map[string]any) {
		namespaces(t, name)
		const group = "rbac.authorization.k8s.io"
		meta, wide := map[string]any{"name": "hook", "namespace": name}, map[string]any{"name": name}
		for i := range cluster {
			cluster[i]["resourceNames"] = []any{name}
		}
		webhook := find(t, objects(t, out), "ValidatingWebhookConfiguration", "")
		webhook["metadata"] = wide
		account := []any{map[string]any{"kind": "ServiceAccount", "name": "hook", "namespace": name}}
		for _, o := range []map[string]any{
			webhook,
			{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta},
			{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "agentauth-webhook", "namespace": name}},
			{"apiVersion": group + "/v1", "kind": "Role", "metadata": meta, "rules": role},
			{"apiVersion": group + "/v1", "kind": "RoleBinding", "metadata": meta, "subjects": account,
				"roleRef": map[string]any{"apiGroup": group, "kind": "Role", "name": "hook"}},
			{"apiVersion": group + "/v1", "kind": "ClusterRole", "metadata": wide, "rules": cluster},
			{"apiVersion": group + "/v1", "kind": "ClusterRoleBinding", "metadata": wide, "subjects": account,
				"roleRef": map[string]any{"apiGroup": group, "kind": "ClusterRole", "name": name}},
		} {
			kubectl(t, text(t, o), "apply", "-f", "-")
		}
		t.Cleanup(func() {
			if _, err := suite.cluster.Kubectl(context.WithoutCancel(t.Context()), "", "delete", "validatingwebhookconfiguration", name); err != nil {
				t.Error(err)
			}
		})
		kubeconfig, err := useCluster(t).AccountKubeconfig(t.Context(), name, "hook")
		must(t, err)
		dir := filepath.Join(suite.Dir, name)
		must(t, os.MkdirAll(dir, 0o750))
		a, err := parts.LaunchAgentauth(parts.AgentauthConfig{Dir: dir, Binary: useBinary(t), Args: []string{
			"--kubeconfig", kubeconfig, "--trust-network", "--webhook-address", "127.0.0.1:0", "--webhook-configuration", name}})
		must(t, err)
		t.Cleanup(func() { _ = a.Stop() })
	}
	role, cluster := func() []map[string]any { return single(ours["rules"].([]any)) }, func() []map[string]any { return single(clusters["rules"].([]any)) }
	for i := range role() {
		names = append(names, fmt.Sprint("hook-without-role-", i))
		begin(names[len(names)-1], slices.Delete(role(), i, i+1), cluster())
	}
	for i := range cluster() {
		names = append(names, fmt.Sprint("hook-without-cluster-", i))
		begin(names[len(names)-1], role(), slices.Delete(cluster(), i, i+1))
	}
	if len(names) != 1+4 {
		t.Errorf("expected the chart to give 4 rights, got %d", len(names)-1)
	}
	begin(names[0], role(), cluster()) // the last to begin: the others had longer
	trusts(t, names[0])
	for _, name := range names[1:] {
		if got := kubectl(t, "", "get", "validatingwebhookconfiguration", name, "-o", bundle); got != "" {
			t.Errorf("%s: expected something not to work", name)
		}
	}
}
