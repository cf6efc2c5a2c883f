//go:build e2e

package chart

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// agentauth runs what a Deployment would, with a token of its account, but on free loopback ports; files of the
// pod are in the directory mounted.
func agentauth(t *testing.T, kubeconfig string, deployment object, mounted string) (*parts.Agentauth, error) {
	t.Helper()
	var args []string
	for i, a := range deployment.at("spec.template.spec.containers.0.args").([]any) {
		arg := a.(string)
		if i == 0 && arg == "serve" || strings.HasPrefix(arg, "--grpc-address=") || strings.HasPrefix(arg, "--metrics-address=") {
			continue
		}
		if strings.HasPrefix(arg, "--webhook-address=") {
			arg = "--webhook-address=127.0.0.1:0"
		}
		args = append(args, strings.NewReplacer("/etc/agentauth/door", mounted, "/etc/agentauth/webhook", mounted).Replace(arg))
	}
	dir, err := os.MkdirTemp(suite.dir, "run-")
	must(t, err)
	a, err := parts.LaunchAgentauth(parts.AgentauthConfig{Dir: dir, Binary: useBinary(t), Args: append(args, "--kubeconfig", kubeconfig)})
	if err == nil {
		t.Cleanup(func() { _ = a.Stop() })
	}
	return a, err
}

// installed is a Deployment of the cluster.
func installed(t *testing.T, namespace, name string) object {
	t.Helper()
	return objects(t, kubectl(t, "", "get", "deployment", name, "-n", namespace, "-o", "yaml"))[0]
}

// startInstalled runs agentauth as the Deployment and the account of a release say, and returns when it is ready.
func startInstalled(t *testing.T, namespace, name string) *parts.Agentauth {
	t.Helper()
	d := installed(t, namespace, name)
	account, err := useCluster(t).AccountKubeconfig(t.Context(), namespace, d.at("spec.template.spec.serviceAccountName").(string))
	must(t, err)
	a, err := agentauth(t, account, d, "")
	must(t, err)
	parts.Within(t, 20*time.Second, func() error { return ready(t, a) })
	return a
}

func ready(t *testing.T, a *parts.Agentauth) error {
	select {
	case <-a.Exited():
		log, _ := os.ReadFile(a.Log)
		t.Fatalf("agentauth ended: %s", log)
	default:
	}
	_, err := a.Get(t.Context(), "/readyz")
	return err
}

// useCRD has the chart's CRD in the cluster for the length of a test.
func useCRD(t *testing.T) {
	t.Helper()
	out, err := render(t, trusting)
	must(t, err)
	kubectl(t, text(t, find(t, objects(t, out), "CustomResourceDefinition", "")), "apply", "--server-side", "-f", "-")
	t.Cleanup(func() {
		if _, err := suite.cluster.Kubectl(context.WithoutCancel(t.Context()), "", "delete", crd); err != nil {
			t.Error(err)
		}
	})
	kubectl(t, "", "wait", "--for=condition=Established", "--timeout=30s", crd)
}

func policy(namespace, name string) string {
	return fmt.Sprintf(`
apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: %[2]s, namespace: %[1]s}
spec:
  routes: [{hostnames: [%[2]s.%[1]s.test]}]
  authentication: {methods: [{name: public, anonymous: {}}]}
`, namespace, name)
}

// programs says whether a new policy of a namespace comes in force, and its status says so.
func programs(t *testing.T, namespace, name string) {
	t.Helper()
	kubectl(t, policy(namespace, name), "apply", "-f", "-")
	kubectl(t, "", "wait", "--for=condition=Programmed", "--timeout=45s", "-n", namespace, "aap/"+name)
}

func exists(t *testing.T, args ...string) bool {
	t.Helper()
	_, err := useCluster(t).Kubectl(t.Context(), "", append([]string{"get"}, args...)...)
	if err != nil && !strings.Contains(err.Error(), "NotFound") && !strings.Contains(err.Error(), "not found") {
		t.Fatal(err)
	}
	return err == nil
}

// volume writes what the projected volume of a Deployment holds, taken from Secrets and ConfigMaps by name.
func volume(t *testing.T, deployment object, contents map[string]map[string][]byte) string {
	t.Helper()
	dir, err := os.MkdirTemp(suite.dir, "door-")
	must(t, err)
	for _, source := range deployment.at("spec.template.spec.volumes.0.projected.sources").([]any) {
		for kind, s := range source.(map[string]any) {
			from := object(s.(map[string]any))
			for _, item := range from["items"].([]any) {
				key, path := item.(map[string]any)["key"].(string), item.(map[string]any)["path"].(string)
				content, ok := contents[kind+" "+from["name"].(string)][key]
				if !ok {
					must(t, errors.New(kind+" "+from["name"].(string)+" has no "+key))
				}
				must(t, os.WriteFile(filepath.Join(dir, path), content, 0o600))
			}
		}
	}
	return dir
}
