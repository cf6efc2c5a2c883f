//go:build e2e

package chart

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// agentauth runs what a Deployment would, with a token of its account, but on free loopback ports.
func agentauth(t *testing.T, kubeconfig string, d *appsv1.Deployment) *parts.Agentauth {
	t.Helper()
	dir, err := os.MkdirTemp(suite.Dir, "run-")
	must(t, err)
	args, err := useCluster(t).PodArgs(t.Context(), d, dir, map[string]string{"--grpc-address": "", "--metrics-address": "", "--webhook-address": "127.0.0.1:0"})
	must(t, err)
	a, err := parts.LaunchAgentauth(parts.AgentauthConfig{Dir: dir, Binary: useBinary(t), Args: append(args, "--kubeconfig", kubeconfig)})
	must(t, err)
	t.Cleanup(func() { _ = a.Stop() })
	return a
}

// installed is a Deployment of the cluster, and a kubeconfig of its account.
func installed(t *testing.T, namespace, name string) (*appsv1.Deployment, string) {
	t.Helper()
	d, err := useCluster(t).Deployment(t.Context(), namespace, name)
	must(t, err)
	account, err := useCluster(t).AccountKubeconfig(t.Context(), namespace, d.Spec.Template.Spec.ServiceAccountName)
	must(t, err)
	return d, account
}

// startInstalled runs agentauth as the Deployment and the account of a release say, and returns when it is ready.
func startInstalled(t *testing.T, namespace, name string) *parts.Agentauth {
	t.Helper()
	d, account := installed(t, namespace, name)
	a := agentauth(t, account, d)
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
	kubectl(t, "", "wait", "--for=condition=Ready", "--timeout=45s", "-n", namespace, "aap/"+name)
}

func exists(t *testing.T, args ...string) bool {
	t.Helper()
	_, err := useCluster(t).Kubectl(t.Context(), "", append([]string{"get"}, args...)...)
	if err != nil && !strings.Contains(err.Error(), "NotFound") && !strings.Contains(err.Error(), "not found") {
		t.Fatal(err)
	}
	return err == nil
}
