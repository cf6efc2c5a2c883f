//go:build e2e && !quick

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/agentauth-dev/agentauth/test/parts"
)

func TestNoStatusIsWrittenWhereNothingChanged(t *testing.T) {
	k := useKube(t)
	ns := k.namespace(t, "quiet")
	k.apply(t, publicOn(ns, "same", "same.quiet.test", ""))
	version := func() string {
		return k.kubectl(t, "", "get", "aap", "same", "-n", ns, "-o", "jsonpath={.metadata.resourceVersion}")
	}
	for i, name := range []string{"first", "second"} { // the second is a new leader
		a := k.agentauth(t, name)
		k.wait(t, ns, "same", "Ready")
		before := version()
		other := fmt.Sprint("other-", i)
		k.apply(t, publicOn(ns, other, other+".quiet.test", ""))
		k.wait(t, ns, other, "Ready") // by a pass over all
		if after := version(); after != before {
			t.Errorf("%s: expected resourceVersion %s to stay, got %s", name, before, after)
		}
		must(t, a.Stop())
	}
	// Somebody else's word about our policy is replaced.
	k.agentauth(t, "third")
	k.kubectl(t, "", "patch", "aap", "same", "-n", ns, "--subresource=status", "--type=json",
		"-p", `[{"op":"replace","path":"/status/conditions/0/reason","value":"Lied"}]`)
	within(t, 10*time.Second, "the truth", func() error {
		for _, c := range k.conditions(t, ns, "same") {
			if c.Reason == "Lied" {
				return fmt.Errorf("got %+v", c)
			}
		}
		return nil
	})
}

func TestAnInvalidPolicyOfAClusterAnswers503AndSaysWhereItIsWrong(t *testing.T) {
	k := useKube(t)
	a := k.agentauth(t, "one")
	ns := k.namespace(t, "invalid")
	k.apply(t, publicOn(ns, "fine", "fine.invalid-policies.test", "")+
		publicOn(ns, "typo", "typo.invalid-policies.test", `  authorization: {rules: [{name: r, require: 'identity.sub = "x"'}]}`)+
		publicOn(ns, "later", "later.invalid-policies.test", "")+
		strings.Replace(keysOn(ns, "missing", "missing.invalid-policies.test", goodKey), "{name: keys, apiKey: {selector: {matchLabels: {for: missing}}}}", "{name: staff, basic: {users: {secretRef: {name: nobody}}}}", 1))
	answers(t, soon, a, "fine.invalid-policies.test", "", 0)
	answers(t, soon, a, "typo.invalid-policies.test", "", 503)
	if m := k.has(t, ns, "typo", "Accepted", "False", "Invalid"); !strings.Contains(m, "spec.authorization.rules[0].require: ") {
		t.Errorf("expected the field's path, got %q", m)
	}
	k.has(t, ns, "typo", "Programmed", "False", "NotAccepted")
	if m := k.has(t, ns, "missing", "ResolvedRefs", "False", "RefNotFound"); !strings.Contains(m, "Secret "+ns+"/nobody") {
		t.Errorf("expected the Secret's name, got %q", m)
	}
	k.has(t, ns, "missing", "Programmed", "True", "Programmed")

	// One that was right and is edited wrongly does not go on as it was.
	k.wait(t, ns, "later", "Ready")
	k.kubectl(t, "", "patch", "aap", "later", "-n", ns, "--type=merge", "-p", `{"spec":{"authorization":{"rules":[{"name":"r","require":"1"}]}}}`)
	answers(t, soon, a, "later.invalid-policies.test", "", 503)
	k.wait(t, ns, "later", "Programmed=False")
}

func TestAReplicaThatIsKilledIsReplacedInWritingStatus(t *testing.T) {
	k := useKube(t)
	ns := k.namespace(t, "replicas")
	one, two := k.agentauth(t, "one"), k.agentauth(t, "two")
	k.apply(t, publicOn(ns, "before", "before.replicas.test", ""))
	k.wait(t, ns, "before", "Ready")
	answers(t, soon, one, "before.replicas.test", "", 0)
	answers(t, soon, two, "before.replicas.test", "", 0)

	holder := k.kubectl(t, "", "get", "lease", "agentauth-status", "-n", "agentauth-system", "-o", "jsonpath={.spec.holderIdentity}")
	leader, other := one, two
	if strings.Contains(holder, fmt.Sprintf("-%d-", two.Pid())) {
		leader, other = two, one
	} else if !strings.Contains(holder, fmt.Sprintf("-%d-", one.Pid())) {
		t.Fatalf("expected one of the two to hold the lease, got %q", holder)
	}
	must(t, leader.Signal(syscall.SIGKILL))
	<-leader.Exited()
	k.apply(t, publicOn(ns, "after", "after.replicas.test", ""))
	answers(t, soon, other, "after.replicas.test", "", 0)
	k.wait(t, ns, "after", "Ready")
}

func TestEventsTellWhenAPolicyComesInForceAndGoesOutOfIt(t *testing.T) {
	k := useKube(t)
	ns := k.namespace(t, "events")
	k.apply(t, publicOn(ns, "there", "there.events.test", ""))
	first := k.agentauth(t, "first")
	k.wait(t, ns, "there", "Ready")
	broken := publicOn(ns, "flaps", "flaps.events.test", `  authorization: {rules: [{name: r, require: 'identity.sub = "x"'}]}`)
	k.apply(t, broken)
	k.wait(t, ns, "flaps", "Ready=False")
	events := func(policy, reason string) string {
		return k.kubectl(t, "", "get", "events.events.k8s.io", "-n", ns, "--field-selector", "regarding.name="+policy+",reason="+reason,
			"-o", `jsonpath={range .items[*]}{.type} {.note} {.series.count}{"\n"}{end}`)
	}
	expect := func(policy, reason string, count int, words ...string) {
		t.Helper()
		within(t, soon, "Events of "+policy, func() error {
			out := events(policy, reason)
			if n := strings.Count(out, "\n"); n != count {
				return fmt.Errorf("expected %d, got %q", count, out)
			}
			for _, word := range words {
				if !strings.Contains(out, word) {
					return fmt.Errorf("expected %q in %q", word, out)
				}
			}
			return nil
		})
	}
	expect("there", "Ready", 1, "Normal in force")
	expect("flaps", "Invalid", 1, "Warning spec.authorization.rules[0].require: ")
	k.apply(t, publicOn(ns, "flaps", "flaps.events.test", ""))
	expect("flaps", "Ready", 1, "Normal in force")
	if out := k.kubectl(t, "", "describe", "aap", "flaps", "-n", ns); !strings.Contains(out, "Invalid") || !strings.Contains(out, "agentauth.dev/controller") {
		t.Errorf("expected Events in\n%s", out)
	}

	// A policy that goes in and out by what it refers to is counted, not told of again and again.
	k.apply(t, strings.Replace(keysOn(ns, "refers", "refers.events.test", goodKey), "{name: keys, apiKey: {selector: {matchLabels: {for: refers}}}}", "{name: staff, basic: {users: {secretRef: {name: refers}}}}", 1))
	for range 3 {
		k.kubectl(t, "", "label", "secret", "refers", "-n", ns, "agentauth.dev/use=basic", "--overwrite")
		k.has(t, ns, "refers", "Ready", "False", "RefInvalid")
		k.kubectl(t, "", "label", "secret", "refers", "-n", ns, "agentauth.dev/use-")
		k.has(t, ns, "refers", "Ready", "False", "RefNotFound")
	}
	expect("refers", "RefNotFound", 1, " 2") // client-go writes further counts every half an hour

	// Another leader finds the statuses as they are to be.
	must(t, first.Stop())
	k.agentauth(t, "second")
	k.apply(t, publicOn(ns, "other", "other.events.test", ""))
	k.wait(t, ns, "other", "Ready")
	expect("there", "Ready", 1)
}

// A CRD of an older version is a step of every upgrade.
func TestWithACRDThatHasNoObservedGenerationConditionsAreWrittenAllTheSame(t *testing.T) {
	dir := parts.TestDir(t)
	c, err := parts.StartCluster(t.Context(), dir)
	must(t, err)
	t.Cleanup(func() { must(t, c.Stop()) })
	k := &kube{Cluster: c}
	var crd map[string]any
	text, err := os.ReadFile("../../config/crd/agentauth.dev_agentauthpolicies.yaml")
	must(t, err)
	must(t, yaml.Unmarshal(text, &crd))
	whole, err := json.Marshal(crd)
	must(t, err)
	versions := crd["spec"].(map[string]any)["versions"].([]any)
	schema := versions[0].(map[string]any)["schema"].(map[string]any)["openAPIV3Schema"].(map[string]any)
	delete(schema["properties"].(map[string]any)["status"].(map[string]any)["properties"].(map[string]any), "observedGeneration")
	older, err := json.Marshal(crd)
	must(t, err)
	k.apply(t, string(older))
	k.kubectl(t, "", "wait", "--for=condition=Established", "--timeout=30s", "crd/agentauthpolicies.agentauth.dev")
	a, err := parts.LaunchAgentauth(parts.AgentauthConfig{Dir: subdir(t, dir, "one"), Binary: binary, Args: []string{"--kubeconfig", c.Kubeconfig}})
	must(t, err)
	t.Cleanup(func() { must(t, a.Stop()) })
	k.apply(t, publicOn("default", "p", "p.test", ""))
	k.wait(t, "default", "p", "Ready")
	observed := func() string {
		return k.kubectl(t, "", "get", "aap", "p", "-n", "default", "-o", "jsonpath={.status.observedGeneration}")
	}
	if got := observed(); got != "" {
		t.Errorf("expected none, got %q", got)
	}
	k.apply(t, string(whole))
	within(t, time.Minute, "status.observedGeneration once the CRD has it", func() error {
		if got := observed(); got != "1" {
			return fmt.Errorf("got %q", got)
		}
		return nil
	})
}
