//go:build e2e && !quick

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAPolicyOfAClusterDecidesAndItsStatusTells(t *testing.T) {
	k := useKube(t)
	a := k.agentauth(t, "one")
	ns := k.namespace(t, "decides")
	key := credential("cluster-api-key-of-the-robot")
	k.apply(t, keysOn(ns, "orders", "orders.decides.test", key))
	answers(t, soon, a, "orders.decides.test", key, 0)
	answers(t, soon, a, "orders.decides.test", othersKey, 401)

	k.wait(t, ns, "orders", "Ready")
	before := k.conditions(t, ns, "orders")
	for kind, reason := range map[string]string{"Ready": "Ready", "Accepted": "Accepted", "ResolvedRefs": "ResolvedRefs", "Programmed": "Programmed"} {
		if c := before[kind]; c.Status != "True" || c.Reason != reason || c.ObservedGeneration != 1 || c.Message == "" {
			t.Errorf("%s: got %+v", kind, c)
		}
	}
	line := strings.Fields(strings.Split(k.kubectl(t, "", "get", "aap", "-n", ns), "\n")[1])
	if !slices.Equal(line[:6], []string{"orders", "True", "Ready", `["orders.decides.test"]`, "in", "force"}) {
		t.Errorf("kubectl get aap: got %q", line)
	}
	wide := strings.Fields(strings.Split(k.kubectl(t, "", "get", "aap", "-n", ns, "-o", "wide"), "\n")[0])
	if want := []string{"NAME", "READY", "ACCEPTED", "RESOLVED", "PROGRAMMED", "REASON", "MODE", "HOSTS", "TARGETS", "MESSAGE", "AGE"}; !slices.Equal(wide, want) {
		t.Errorf("kubectl get aap -o wide: expected %q, got %q", want, wide)
	}
	for field, word := range map[string]string{
		"aap.spec": "Routes are the requests the policy decides", "aap.spec.authentication.methods.jwt.audiences": "aud",
	} {
		if text := k.kubectl(t, "", "explain", field); !strings.Contains(text, word) {
			t.Errorf("kubectl explain %s: expected %q in\n%s", field, word, text)
		}
	}

	k.kubectl(t, "", "label", "secret", "orders", "-n", ns, "agentauth.dev/use-")
	answers(t, time.Second, a, "orders.decides.test", key, 401)
	k.kubectl(t, "", "label", "secret", "orders", "-n", ns, "agentauth.dev/use=api-key")
	answers(t, time.Second, a, "orders.decides.test", key, 0)
	k.kubectl(t, "", "delete", "secret", "orders", "-n", ns)
	answers(t, time.Second, a, "orders.decides.test", key, 401)

	// What changes the spec changes the generation in the status, and not the time of a status that stays.
	k.kubectl(t, "", "patch", "aap", "orders", "-n", ns, "--type=merge", "-p", `{"spec":{"authorization":{"rules":[{"name":"never","require":"false"}]}}}`)
	within(t, soon, "generation 2", func() error {
		after := k.conditions(t, ns, "orders")["Programmed"]
		if after.ObservedGeneration != 2 || after.LastTransitionTime != before["Programmed"].LastTransitionTime {
			return fmt.Errorf("expected generation 2 and the time of %+v, got %+v", before["Programmed"], after)
		}
		return nil
	})
	k.kubectl(t, "", "delete", "aap", "orders", "-n", ns)
	answers(t, soon, a, "orders.decides.test", key, 403)
}

func TestWhatTheDocumentSaysWorks(t *testing.T) {
	k := useKube(t)
	a := k.agentauth(t, "one")
	k.namespace(t, "shop")
	k.apply(t, documented(t, "yaml")[0])
	shown := k.follow(t, documented(t, "sh")[1])
	for _, want := range []string{"condition met", "READY", "in force", "FIELD: methods"} {
		if !strings.Contains(shown, want) {
			t.Errorf("expected %q in\n%s", want, shown)
		}
	}
	answers(t, soon, a, "orders.example.com", credential("sample-api-key-of-the-warehouse-robot"), 0)

	shown = k.follow(t, documentedOn(t, "troubleshooting.md", "sh")[0])
	for _, want := range []string{"Ready True Ready: in force", "Accepted True Accepted: valid", "ResolvedRefs True ResolvedRefs: every", "Programmed True Programmed: compiled"} {
		if !strings.Contains(shown, want) {
			t.Errorf("expected %q in\n%s", want, shown)
		}
	}
}

func TestOfTwoNamespacesNeitherGetsAHostThatBothClaim(t *testing.T) {
	k := useKube(t)
	mine, yours := k.namespace(t, "tenant-mine"), k.namespace(t, "tenant-yours")
	open := k.agentauth(t, "open")
	k.apply(t, publicOn(mine, "first", "api.tenants.test", "")+publicOn(mine, "alone", "alone.elsewhere.test", ""))
	answers(t, soon, open, "api.tenants.test", "", 0)
	k.apply(t, publicOn(yours, "second", "*.tenants.test", ""))
	answers(t, soon, open, "api.tenants.test", "", 503)
	answers(t, soon, open, "other.tenants.test", "", 503)
	answers(t, soon, open, "alone.elsewhere.test", "", 0)
	if m := k.has(t, mine, "first", "Accepted", "False", "Conflicted"); strings.Contains(m, yours) || strings.Contains(m, "second") {
		t.Errorf("the other's objects are named: %s", m)
	}
	if m := k.has(t, yours, "second", "Accepted", "False", "Conflicted"); strings.Contains(m, mine) || strings.Contains(m, "first") {
		t.Errorf("the other's objects are named: %s", m)
	}
	must(t, open.Stop())

	granted := k.agentauth(t, "granted", "--hostnames", mine+"=*.tenants.test,"+yours+"=*.yours.test")
	answers(t, soon, granted, "api.tenants.test", "", 0)
	answers(t, soon, granted, "other.tenants.test", "", 403)
	k.has(t, mine, "first", "Accepted", "True", "Accepted")
	k.has(t, yours, "second", "Accepted", "False", "NotPermitted")

	// More is granted, and taken away, while it runs: by a ConfigMap of its own namespace, and by no other.
	k.apply(t, grantsIn(yours, yours+": '*.tenants.test'"))
	k.apply(t, grantsIn("agentauth-system", yours+": '*.tenants.test'"))
	answers(t, soon, granted, "other.tenants.test", "", 0)
	k.kubectl(t, "", "delete", "configmap", "grants", "-n", "agentauth-system")
	answers(t, soon, granted, "other.tenants.test", "", 403)
}

func TestANamespaceThatIsNotWatchedDecidesNothing(t *testing.T) {
	k := useKube(t)
	in, out := k.namespace(t, "watched"), k.namespace(t, "unwatched")
	k.apply(t, publicOn(in, "in", "in.watched.test", "")+publicOn(out, "out", "out.watched.test", ""))
	k.kubectl(t, "", "create", "serviceaccount", "narrow", "-n", "agentauth-system")
	k.kubectl(t, "", "create", "rolebinding", "narrow", "-n", in, "--clusterrole=agentauth", "--serviceaccount=agentauth-system:narrow")
	k.kubectl(t, "", "create", "clusterrolebinding", "narrow", "--clusterrole=agentauth-cluster", "--serviceaccount=agentauth-system:narrow")
	k.kubectl(t, "", "create", "rolebinding", "narrow", "-n", "agentauth-system", "--role=agentauth-status", "--serviceaccount=agentauth-system:narrow")
	account, err := k.AccountKubeconfig(t.Context(), "agentauth-system", "narrow")
	must(t, err)
	a := k.agentauth(t, "narrow", "--kubeconfig", account, "--watch-namespaces", in)
	answers(t, soon, a, "in.watched.test", "", 0)
	answers(t, soon, a, "out.watched.test", "", 403)
	k.wait(t, in, "in", "Ready")
}

// grantsIn is a ConfigMap of hostname grants.
func grantsIn(namespace, entry string) string {
	return `
apiVersion: v1
kind: ConfigMap
metadata: {name: grants, namespace: ` + namespace + `, labels: {agentauth.dev/use: hostname-grants}}
data: {` + entry + `}
`
}
