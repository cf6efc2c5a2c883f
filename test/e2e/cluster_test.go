//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

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
	root, err := parts.Root()
	must(t, err)
	cmd := exec.CommandContext(t.Context(), "bash", "-ec", lines)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "KUBECONFIG="+k.Kubeconfig, "HOME="+k.Dir, "PATH="+filepath.Join(root, ".parts", "bin")+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", lines, err, out)
	}
	return string(out)
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

func TestAPolicyOfAClusterDecidesAndItsStatusTells(t *testing.T) {
	k := useKube(t)
	a := k.agentauth(t, "one")
	ns := k.namespace(t, "decides")
	key := credential("cluster-api-key-of-the-robot")
	k.apply(t, keysOn(ns, "orders", "orders.decides.test", key))
	answers(t, soon, a, "orders.decides.test", key, 0)
	answers(t, soon, a, "orders.decides.test", othersKey, 401)

	k.wait(t, ns, "orders", "Programmed")
	before := k.conditions(t, ns, "orders")
	for kind, reason := range map[string]string{"Accepted": "Accepted", "ResolvedRefs": "ResolvedRefs", "Programmed": "Programmed"} {
		if c := before[kind]; c.Status != "True" || c.Reason != reason || c.ObservedGeneration != 1 || c.Message == "" {
			t.Errorf("%s: got %+v", kind, c)
		}
	}
	line := strings.Fields(strings.Split(k.kubectl(t, "", "get", "aap", "-n", ns), "\n")[1])
	if !slices.Equal(line[:4], []string{"orders", "Enforce", "True", "True"}) {
		t.Errorf("kubectl get aap: got %q", line)
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
	for _, want := range []string{"condition met", "compiled and in force", "FIELD: methods"} {
		if !strings.Contains(shown, want) {
			t.Errorf("expected %q in\n%s", want, shown)
		}
	}
	answers(t, soon, a, "orders.example.com", credential("sample-api-key-of-the-warehouse-robot"), 0)

	shown = k.follow(t, documentedOn(t, "troubleshooting.md", "sh")[0])
	for _, want := range []string{"Accepted True Accepted: valid", "ResolvedRefs True ResolvedRefs: every", "Programmed True Programmed: compiled"} {
		if !strings.Contains(shown, want) {
			t.Errorf("expected %q in\n%s", want, shown)
		}
	}
}

func TestNoStatusIsWrittenWhereNothingChanged(t *testing.T) {
	k := useKube(t)
	ns := k.namespace(t, "quiet")
	k.apply(t, publicOn(ns, "same", "same.quiet.test", ""))
	version := func() string {
		return k.kubectl(t, "", "get", "aap", "same", "-n", ns, "-o", "jsonpath={.metadata.resourceVersion}")
	}
	for i, name := range []string{"first", "second"} { // the second is a new leader
		a := k.agentauth(t, name)
		k.wait(t, ns, "same", "Programmed")
		before := version()
		other := fmt.Sprint("other-", i)
		k.apply(t, publicOn(ns, other, other+".quiet.test", ""))
		k.wait(t, ns, other, "Programmed") // by a pass over all
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
	k.wait(t, ns, "later", "Programmed")
	k.kubectl(t, "", "patch", "aap", "later", "-n", ns, "--type=merge", "-p", `{"spec":{"authorization":{"rules":[{"name":"r","require":"1"}]}}}`)
	answers(t, soon, a, "later.invalid-policies.test", "", 503)
	k.wait(t, ns, "later", "Programmed=False")
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
	answers(t, soon, granted, "other.tenants.test", "", 503)
	k.has(t, mine, "first", "Accepted", "True", "Accepted")
	k.has(t, yours, "second", "Accepted", "False", "NotPermitted")
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
	k.wait(t, in, "in", "Programmed")
}

func TestAReplicaThatIsKilledIsReplacedInWritingStatus(t *testing.T) {
	k := useKube(t)
	ns := k.namespace(t, "replicas")
	one, two := k.agentauth(t, "one"), k.agentauth(t, "two")
	k.apply(t, publicOn(ns, "before", "before.replicas.test", ""))
	k.wait(t, ns, "before", "Programmed")
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
	k.wait(t, ns, "after", "Programmed")
}

func gauge(t tester, a *parts.Agentauth, name string) float64 {
	t.Helper()
	text, err := a.Get(t.Context(), "/metrics")
	must(t, err)
	m := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindSubmatch(text)
	if m == nil {
		t.Fatalf("no metric %s", name)
	}
	var value float64
	_, err = fmt.Sscan(string(m[1]), &value)
	must(t, err)
	return value
}

func TestChecksGoOnWithoutTheAPIServer(t *testing.T) {
	k := useKube(t)
	ns := k.namespace(t, "outage")
	key := credential("cluster-api-key-in-an-outage")
	k.apply(t, keysOn(ns, "kept", "kept.outage.test", key))
	a, strict := k.agentauth(t, "patient"), k.agentauth(t, "strict", "--max-config-age", "1s")
	answers(t, soon, a, "kept.outage.test", key, 0)
	answers(t, soon, strict, "kept.outage.test", key, 0)
	if age := gauge(t, a, "agentauth_config_age_seconds"); age != 0 {
		t.Errorf("expected age 0 while the API server is watched, got %v", age)
	}

	k.wait(t, ns, "kept", "Programmed")
	k.APIServer.Kill()
	within(t, 10*time.Second, "a growing age", func() error {
		if age := gauge(t, a, "agentauth_config_age_seconds"); age < 1.5 {
			return fmt.Errorf("got %v", age)
		}
		return nil
	})
	within(t, 30*time.Second, "the end of the lease", func() error { // and of nothing else
		var told int
		for _, one := range []*parts.Agentauth{a, strict} {
			log, err := os.ReadFile(one.Log)
			must(t, err)
			told += strings.Count(string(log), "writes no status any more")
		}
		if told != 1 {
			return fmt.Errorf("expected one replica to lose it, got %d", told)
		}
		return nil
	})
	answers(t, soon, a, "kept.outage.test", key, 0)
	answers(t, soon, a, "kept.outage.test", othersKey, 401)
	if _, err := a.Get(t.Context(), "/readyz"); err != nil {
		t.Errorf("expected ready, got %v", err)
	}
	answers(t, soon, strict, "kept.outage.test", key, 503)
	if _, err := strict.Get(t.Context(), "/readyz"); err == nil || !strings.Contains(err.Error(), "--max-config-age") {
		t.Errorf("expected not ready and why, got %v", err)
	}

	must(t, k.StartAPIServer(t.Context()))
	within(t, time.Minute, "age 0", func() error {
		if age := gauge(t, a, "agentauth_config_age_seconds"); age != 0 {
			return fmt.Errorf("got %v", age)
		}
		return nil
	})
	answers(t, time.Minute, strict, "kept.outage.test", key, 0)
	k.apply(t, publicOn(ns, "new", "new.outage.test", ""))
	answers(t, soon, a, "new.outage.test", "", 0)
	k.wait(t, ns, "new", "Programmed")
}

func TestWithoutAnAPIServerAReplicaIsNotReady(t *testing.T) {
	k := useKube(t)
	nowhere := filepath.Join(parts.TestDir(t), "nowhere.kubeconfig")
	port, err := parts.FreePort()
	must(t, err)
	content, err := os.ReadFile(k.account)
	must(t, err)
	write(t, nowhere, strings.Replace(string(content), k.URL, "https://127.0.0.1:"+itoa(port), 1))
	a, err := parts.LaunchAgentauth(parts.AgentauthConfig{Dir: subdir(t, filepath.Dir(nowhere), "one"), Binary: binary, Args: []string{"--kubeconfig", nowhere}})
	must(t, err)
	t.Cleanup(func() { must(t, a.Stop()) })
	within(t, 10*time.Second, "a refusal", func() error {
		d, err := ask(t, a, "any.test", "")
		if err != nil || d.Status != 503 {
			return fmt.Errorf("expected 503, got %d, %v", d.Status, err)
		}
		if _, err := a.Get(t.Context(), "/readyz"); err == nil || !strings.Contains(err.Error(), "503") {
			t.Errorf("expected not ready, got %v", err)
		}
		return nil
	})
}

func TestACRDThatComesLaterIsWaitedFor(t *testing.T) {
	dir := parts.TestDir(t)
	c, err := parts.StartCluster(t.Context(), dir)
	must(t, err)
	t.Cleanup(func() { must(t, c.Stop()) })
	a, err := parts.LaunchAgentauth(parts.AgentauthConfig{Dir: subdir(t, dir, "one"), Binary: binary, Args: []string{"--kubeconfig", c.Kubeconfig}})
	must(t, err)
	t.Cleanup(func() { must(t, a.Stop()) })
	k := &kube{Cluster: c}
	within(t, 10*time.Second, "a try", func() error {
		log, err := os.ReadFile(a.Log)
		if err == nil && !strings.Contains(string(log), "agentauthpolicies") {
			err = fmt.Errorf("got %s", log)
		}
		return err
	})
	if _, err := a.Get(t.Context(), "/readyz"); err == nil {
		t.Error("expected not ready")
	}
	k.follow(t, documented(t, "sh")[0])
	k.kubectl(t, "", "wait", "--for=condition=Established", "--timeout=30s", "crd/agentauthpolicies.agentauth.dev")
	k.apply(t, publicOn("default", "late", "late.test", ""))
	answers(t, time.Minute, a, "late.test", "", 0)
	within(t, soon, "readiness", func() error {
		_, err := a.Get(t.Context(), "/readyz")
		return err
	})
}

var wants = regexp.MustCompile(`^# wants: (.+?): (.+)\n`)

func TestTheAPIServerRefusesWhatTheSchemaRefuses(t *testing.T) {
	k := useKube(t)
	files, err := filepath.Glob("../../testdata/invalid/*.yaml")
	must(t, err)
	if len(files) < 150 {
		t.Fatalf("expected at least 150 files, got %d", len(files))
	}
	k.namespace(t, "shop")
	for _, file := range files {
		data, err := os.ReadFile(file)
		must(t, err)
		var object struct {
			Metadata struct{ Namespace string }
		}
		must(t, yaml.Unmarshal(data, &object))
		namespace := "default"
		if object.Metadata.Namespace != "" {
			namespace = object.Metadata.Namespace
		}
		status, answer, err := k.Do(t.Context(), "POST", "/apis/agentauth.dev/v1alpha1/namespaces/"+namespace+"/agentauthpolicies?dryRun=All&fieldValidation=Strict", "application/yaml", data)
		must(t, err)
		m := wants.FindSubmatch(data)
		if m == nil {
			t.Fatalf("%s: expected a first line with what it wants", file)
		}
		if status < 400 || status >= 500 {
			t.Errorf("%s: expected to be refused, got %d %s", file, status, answer)
			continue
		}
		var refusal struct{ Message string }
		must(t, json.Unmarshal(answer, &refusal))
		if strings.HasPrefix(string(m[1]), "metadata.") {
			continue // the API server's words for these are its own
		}
		if !strings.Contains(refusal.Message, string(m[2])) {
			t.Errorf("%s: expected %q, got %s", filepath.Base(file), m[2], refusal.Message)
		}
	}
}
