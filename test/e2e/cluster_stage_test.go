//go:build e2e && !quick

package e2e

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/extauthz"
	"github.com/agentauth-dev/agentauth/test/parts"
)

// kube is the API server that these tests share, with our CRD and rights.
type kube struct {
	*parts.Cluster
	account string // kubeconfig with a token of agentauth's ServiceAccount
}

var theKube struct {
	started bool
	*kube
}

func useKube(t *testing.T) *kube {
	t.Helper()
	if !theKube.started {
		theKube.started = true
		o := outliving{t, &suite}
		c, err := parts.StartCluster(o.Context(), parts.TestDir(o))
		must(t, err)
		o.Cleanup(func() {
			if err := c.Stop(); err != nil {
				o.Errorf("%v", err)
			}
		})
		k := &kube{Cluster: c}
		k.follow(t, documented(t, "sh")[0])
		k.kubectl(t, "", "wait", "--for=condition=Established", "--timeout=30s", "crd/agentauthpolicies.agentauth.dev")
		k.account, err = c.AccountKubeconfig(t.Context(), "agentauth-system", "agentauth")
		must(t, err)
		theKube.kube = k
	}
	if theKube.kube == nil {
		t.Fatal("the API server did not start")
	}
	t.Cleanup(func() { suite.failed = suite.failed || t.Failed() })
	return theKube.kube
}

// documented are the blocks of docs/kubernetes.md in a language.
func documented(t tester, language string) []string {
	t.Helper()
	return documentedOn(t, "kubernetes.md", language)
}

func documentedOn(t tester, page, language string) []string {
	t.Helper()
	text, err := os.ReadFile("../../docs/" + page)
	must(t, err)
	var out []string
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllSubmatch(text, -1) {
		out = append(out, string(m[1]))
	}
	return out
}

// follow does what a document says, in the checkout.
func (k *kube) follow(t tester, lines string) string {
	t.Helper()
	out, err := k.Shell(t.Context(), lines)
	must(t, err)
	return out
}

func (k *kube) kubectl(t tester, stdin string, args ...string) string {
	t.Helper()
	out, err := k.Kubectl(t.Context(), stdin, args...)
	must(t, err)
	return out
}

// agentauth starts a replica that is ready.
func (k *kube) agentauth(t *testing.T, name string, args ...string) *parts.Agentauth {
	t.Helper()
	return startAgentauth(t, subdir(t, parts.TestDir(t), name), append([]string{"--kubeconfig", k.account}, args...)...)
}

// namespace makes one whose policies end with the test: namespaces do not end here.
func (k *kube) namespace(t *testing.T, name string) string {
	t.Helper()
	if _, err := k.Kubectl(t.Context(), "", "get", "namespace", name); err != nil {
		k.kubectl(t, "", "create", "namespace", name)
	}
	t.Cleanup(func() {
		if _, err := k.Kubectl(outliving{t, &suite}.Context(), "", "delete", "aap,secrets,configmaps", "--all", "-n", name); err != nil {
			t.Error(err)
		}
	})
	return name
}

func (k *kube) apply(t tester, manifests string) {
	t.Helper()
	k.kubectl(t, manifests, "apply", "-f", "-")
}

// programmed waits for a condition, as people and pipelines do.
func (k *kube) wait(t tester, namespace, policy, condition string) {
	t.Helper()
	k.kubectl(t, "", "wait", "--for=condition="+condition, "--timeout=45s", "-n", namespace, "aap/"+policy)
}

type condition struct {
	Type, Status, Reason, Message string
	ObservedGeneration            int64
	LastTransitionTime            string
}

func (k *kube) conditions(t tester, namespace, policy string) map[string]condition {
	t.Helper()
	var object struct {
		Status struct{ Conditions []condition }
	}
	must(t, json.Unmarshal([]byte(k.kubectl(t, "", "get", "aap", policy, "-n", namespace, "-o", "json")), &object))
	out := map[string]condition{}
	for _, c := range object.Status.Conditions {
		out[c.Type] = c
	}
	return out
}

// has waits for a condition's status and reason, and returns its message.
func (k *kube) has(t tester, namespace, policy, kind, status, reason string) string {
	t.Helper()
	var got condition
	within(t, 45*time.Second, policy+": "+kind, func() error {
		if got = k.conditions(t, namespace, policy)[kind]; got.Status != status || got.Reason != reason {
			return fmt.Errorf("expected %s %s, got %+v", status, reason, got)
		}
		return nil
	})
	return got.Message
}

// ask sends one check to the door.
func ask(t tester, a *parts.Agentauth, host string, key string) (authz.Decision, error) {
	t.Helper()
	u, err := url.Parse("https://" + host)
	must(t, err)
	raw := authz.Raw{Method: "GET", Scheme: "https", TLS: true, Host: u.Host, Path: "/" + strings.TrimPrefix(u.Path, "/")}
	if key != "" {
		raw.Headers = []authz.Header{{Name: "x-api-key", Value: key}}
	}
	return extauthz.Ask(t.Context(), a.GRPCAddress, raw)
}

// answers waits for an answer: a status, or 0 for an allowance.
func answers(t tester, limit time.Duration, a *parts.Agentauth, host, key string, want int) {
	t.Helper()
	within(t, limit, host, func() error {
		d, err := ask(t, a, host, key)
		if got := d.Status; err != nil || got != want || want == 0 && d.Outcome != authz.Allow {
			return fmt.Errorf("expected %d, got %s %d, %v", want, d.Outcome, got, err)
		}
		return nil
	})
}

const soon = 2 * time.Second

// keysOn is a policy that takes the keys of team t, and a Secret with one.
func keysOn(namespace, name, host, key string) string {
	return fmt.Sprintf(`
apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: %[2]s, namespace: %[1]s}
spec:
  routes: [{hostnames: [%[3]q]}]
  authentication: {methods: [{name: keys, apiKey: {selector: {matchLabels: {for: %[2]s}}}}]}
---
apiVersion: v1
kind: Secret
metadata:
  name: %[2]s
  namespace: %[1]s
  labels: {agentauth.dev/use: api-key, for: %[2]s}
  annotations: {agentauth.dev/plain-keys: "*"}
stringData: {first: %[4]q}
`, namespace, name, host, key)
}

func publicOn(namespace, name, host, more string) string {
	return fmt.Sprintf(`
apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: %s, namespace: %s}
spec:
  routes: [{hostnames: [%q]}]
  authentication: {methods: [{name: public, anonymous: {}}]}
%s
---
`, name, namespace, host, more)
}
