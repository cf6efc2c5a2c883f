//go:build e2e

package chart

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// follow does what one block of the pages says, in the checkout: the one that starts with these words.
func follow(t *testing.T, words string) string {
	t.Helper()
	var found []string
	for _, block := range documented(t, "sh") {
		if strings.HasPrefix(block, words) {
			found = append(found, block)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%q: expected one block that starts with %q, found %d", pages, words, len(found))
	}
	followed[found[0]] = true
	out, err := useCluster(t).Shell(t.Context(), found[0])
	must(t, err)
	return out
}

var followed = map[string]bool{}

const crd = "crd/agentauthpolicies.agentauth.dev"

// The one test of the life of a release: each step needs the one before.
func TestTheDocumentInstallsUpgradesAndUninstalls(t *testing.T) {
	namespaces(t, "agentauth-system", "agentauth-bank", "gate-system", "shop", "bank", "elsewhere")
	for _, step := range []struct {
		name string
		run  func(t *testing.T)
	}{
		{"it installs, and says what is next", installs},
		{"under its account it serves all namespaces", servesAll},
		{"with the webhook it has its certificate trusted", hooks},
		{"narrowed to a namespace it has rights there only", narrows},
		{"an upgrade brings the CRD of the new chart and keeps policies", upgrades},
		{"a rollback brings back the CRD that was, and nothing else does", rollsBack},
		{"tenants are given rights, and an older program is gone back to", changesValues},
		{"a second release serves other namespaces", second},
		{"a third in a namespace that has one is refused", sameNamespace},
		{"what is uninstalled is gone, but for the CRD and the policies", uninstalls},
		{"under another name it installs again", reinstalls},
		{"without the CRD there are no policies", deletesCRD},
	} {
		if !t.Run(step.name, step.run) {
			t.FailNow()
		}
	}
	for _, block := range documented(t, "sh") {
		if !followed[block] && !strings.HasPrefix(block, "docker ") { // test/image does what the Dockerfile says
			t.Errorf("%q have a block that nothing follows:\n%s", pages, block)
		}
	}
}

func installs(t *testing.T) {
	notes := follow(t, "helm install agentauth charts/agentauth --namespace agentauth-system")
	for _, want := range []string{"agentauth.agentauth-system.svc:9001", "kind: AgentAuthPolicy", "rollout status deployment/agentauth"} {
		if !strings.Contains(notes, want) {
			t.Errorf("expected %q in\n%s", want, notes)
		}
	}
	if strings.Contains(notes, "NOBODY") {
		t.Errorf("somebody was named:\n%s", notes)
	}
	// There is no kubelet here; what it would say is said for it.
	kubectl(t, "", "patch", "deployment", "agentauth", "-n", "agentauth-system", "--subresource=status", "--type=merge",
		"-p", `{"status":{"observedGeneration":1,"replicas":2,"updatedReplicas":2,"readyReplicas":2,"availableReplicas":2}}`)
	follow(t, "kubectl -n agentauth-system rollout status")

	// The policy that the notes show is one.
	hello, proxy := heredocs(t, notes)
	kubectl(t, hello, "apply", "--dry-run=server", "--validate=strict", "-f", "-")

	// What asks agentauth is what the page of Envoy Gateway shows, which is tried with it.
	page, err := os.ReadFile("../../docs/envoy-gateway.md")
	must(t, err)
	for _, o := range objects(t, proxy) {
		spec := text(t, o["spec"])
		shown := false
		for _, m := range regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$").FindAllSubmatch(page, -1) {
			for _, of := range objects(t, string(m[1])) {
				same := strings.NewReplacer("name: orders", "name: YOUR-ROUTE", "namespace: shop", "namespace: default").Replace(text(t, of["spec"]))
				shown = shown || of.kind() == o.kind() && of["apiVersion"] == o["apiVersion"] && same == spec
			}
		}
		if !shown {
			t.Errorf("expected docs/envoy-gateway.md to show this %s:\n%s", o.kind(), spec)
		}
	}
}

// heredocs are the two documents that the notes have a shell apply.
func heredocs(t *testing.T, notes string) (first, second string) {
	t.Helper()
	found := regexp.MustCompile(`(?ms)<<EOF\n(.*?)^ *EOF$`).FindAllStringSubmatch(notes, -1)
	if len(found) != 2 {
		t.Fatalf("expected two documents in the notes, found %d:\n%s", len(found), notes)
	}
	unindent := regexp.MustCompile(`(?m)^  `)
	return unindent.ReplaceAllString(found[0][1], ""), unindent.ReplaceAllString(found[1][1], "")
}

func servesAll(t *testing.T) {
	a := startInstalled(t, "agentauth-system", "agentauth")
	programs(t, "elsewhere", "first")
	if metrics, err := a.Get(t.Context(), "/metrics"); err != nil || !strings.Contains(string(metrics), "\nagentauth_leader 1\n") {
		t.Errorf("expected the replica that wrote the status to lead: %v\n%s", err, metrics)
	}
	must(t, a.Stop())
}

func hooks(t *testing.T) {
	follow(t, "helm upgrade agentauth charts/agentauth --namespace agentauth-system --reset-then-reuse-values --set webhook")
	a := startInstalled(t, "agentauth-system", "agentauth")
	trusts(t, "agentauth.agentauth-system")
	must(t, a.Stop())
}

func narrows(t *testing.T) {
	wide, account := installed(t, "agentauth-system", "agentauth")
	follow(t, "helm upgrade agentauth charts/agentauth --namespace agentauth-system --reset-then-reuse-values --set 'watchNamespaces")
	startInstalled(t, "agentauth-system", "agentauth")
	programs(t, "shop", "narrow")
	for question, want := range map[string]string{
		"list secrets -n shop": "yes", "list secrets -n elsewhere": "no", "list secrets -n agentauth-system": "no", "get secrets -n shop": "no",
		"patch agentauthpolicies.agentauth.dev -n shop": "no", "update secrets -n shop": "no", "create pods -n agentauth-system": "no",
		"update leases.coordination.k8s.io/another -n agentauth-system": "no",
	} {
		out, err := useCluster(t).Kubectl(t.Context(), "", append(append([]string{"auth", "can-i"}, strings.Fields(question)...), "--as=system:serviceaccount:agentauth-system:agentauth")...)
		if got := strings.TrimSpace(out); got != want {
			t.Errorf("%s: expected %s, got %s %v", question, want, got, err)
		}
	}
	// What it ran with before wants more than it may now: rights that are missing do not go unnoticed.
	a := agentauth(t, account, wide)
	parts.Within(t, 20*time.Second, func() error {
		log, err := os.ReadFile(a.Log)
		if err == nil && !strings.Contains(string(log), "forbidden") {
			err = os.ErrNotExist
		}
		return err
	})
	if ready(t, a) == nil {
		t.Error("expected a replica without its rights not to be ready")
	}
}

// old is the chart with another CRD than it has now.
func old(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(suite.Dir, "old")
	must(t, os.CopyFS(dir, os.DirFS("../../"+chartDir)))
	file := filepath.Join(dir, "files/crd/agentauth.dev_agentauthpolicies.yaml")
	data, err := os.ReadFile(file)
	must(t, err)
	must(t, os.WriteFile(file, []byte(strings.Replace(string(data), "    - aap\n", "    - oldaap\n", 1)), 0o600))
	return dir
}

func upgrades(t *testing.T) {
	shortName := func() string { return kubectl(t, "", "get", crd, "-o", "jsonpath={.spec.names.shortNames[0]}") }
	_, err := helm(t, "", "upgrade", "agentauth", old(t), "-n", "agentauth-system", "--reset-then-reuse-values")
	must(t, err)
	if got := shortName(); got != "oldaap" {
		t.Fatalf("expected the old chart's CRD, got short name %s", got)
	}
	follow(t, "helm upgrade agentauth charts/agentauth --namespace agentauth-system --reset-then-reuse-values\n")
	if got := shortName(); got != "aap" {
		t.Errorf("expected the new chart's CRD, got short name %s", got)
	}
	if !exists(t, "agentauthpolicies.agentauth.dev", "narrow", "-n", "shop") {
		t.Error("a policy is gone")
	}
	if exists(t, "clusterrole", "agentauth:agentauth-system") {
		t.Error("the value watchNamespaces was not kept")
	}
}

func rollsBack(t *testing.T) {
	shortName := func() string { return kubectl(t, "", "get", crd, "-o", "jsonpath={.spec.names.shortNames[0]}") }
	follow(t, "helm rollback agentauth")
	if got := shortName(); got != "oldaap" {
		t.Errorf("expected the CRD of the old chart, got short name %s", got)
	}
	follow(t, "helm template agentauth charts/agentauth")
	if got := shortName(); got != "aap" {
		t.Errorf("expected the CRD of this chart, got short name %s", got)
	}
	follow(t, "helm upgrade agentauth charts/agentauth --namespace agentauth-system --reset-then-reuse-values\n")
	if !exists(t, "aap", "narrow", "-n", "shop") {
		t.Error("a policy is gone")
	}
}

func changesValues(t *testing.T) {
	const values = "helm upgrade agentauth charts/agentauth --namespace agentauth-system --reset-then-reuse-values --set "
	follow(t, values+"rbac.aggregate")
	if !exists(t, "clusterrole", "agentauth-edit:agentauth-system") {
		t.Error("expected a role for tenants")
	}
	follow(t, values+"image.tag")
	if got := kubectl(t, "", "get", "deployment", "agentauth", "-n", "agentauth-system", "-o", "jsonpath={..image}"); got != "registry.example.com/agentauth:v0.0.9" {
		t.Errorf("expected the image of the document, got %s", got)
	}
}

func second(t *testing.T) {
	follow(t, "helm install agentauth charts/agentauth --namespace agentauth-bank")
	startInstalled(t, "agentauth-system", "agentauth")
	startInstalled(t, "agentauth-bank", "agentauth")
	kubectl(t, policy("elsewhere", "nobodys"), "apply", "-f", "-")
	programs(t, "bank", "second")
	programs(t, "shop", "beside")
	if out := kubectl(t, "", "get", "aap", "nobodys", "-n", "elsewhere", "-o", "jsonpath={.status.conditions}"); out != "" {
		t.Errorf("expected a policy that nobody watches, got conditions %s", out)
	}
}

func sameNamespace(t *testing.T) {
	_, err := helm(t, trusting+"crds: {enabled: false}", "install", "other", chartDir, "-n", "agentauth-system", "-f", "-")
	if err == nil || !strings.Contains(err.Error(), "agentauth-status") || !strings.Contains(err.Error(), "cannot be imported into the current release") {
		t.Errorf("expected it to be refused because of agentauth-status, got %v", err)
	}
}

func uninstalls(t *testing.T) {
	follow(t, "helm uninstall agentauth --namespace agentauth-system")
	left := kubectl(t, "", "get", "deployments,services,serviceaccounts,networkpolicies,poddisruptionbudgets,roles,rolebindings,secrets", "-n", "agentauth-system", "-o", "name")
	if left != "" {
		t.Errorf("expected nothing to be left, got\n%s", left)
	}
	if exists(t, "role", "agentauth:agentauth-system", "-n", "shop") {
		t.Error("a Role is left in a watched namespace")
	}
	for _, kept := range [][]string{{crd}, {"aap", "narrow", "-n", "shop"}, {"aap", "first", "-n", "elsewhere"}} {
		if !exists(t, kept...) {
			t.Errorf("%q is gone", kept)
		}
	}
	startInstalled(t, "agentauth-bank", "agentauth")
	programs(t, "bank", "still")
}

func reinstalls(t *testing.T) {
	_, err := helm(t, trusting, "install", "gate", chartDir, "-n", "gate-system", "-f", "-")
	if err == nil || !strings.Contains(err.Error(), "agentauthpolicies.agentauth.dev") {
		t.Fatalf("expected the CRD of another release to be left alone, got %v", err)
	}
	follow(t, "helm install gate charts/agentauth")
	if got := kubectl(t, "", "get", crd, "-o", `jsonpath={.metadata.annotations.meta\.helm\.sh/release-name}`); got != "gate" {
		t.Errorf("expected the CRD to be gate's, got %q", got)
	}
	startInstalled(t, "gate-system", "gate-agentauth")
	programs(t, "shop", "again")

	// And under the name that it had, nothing needs to be said.
	for range 2 {
		_, err = helm(t, "", "uninstall", "gate", "-n", "gate-system")
		must(t, err)
		_, err = helm(t, trusting, "install", "gate", chartDir, "-n", "gate-system", "-f", "-")
		must(t, err)
	}
}

func deletesCRD(t *testing.T) {
	for name, namespace := range map[string]string{"gate": "gate-system", "agentauth": "agentauth-bank"} {
		_, err := helm(t, "", "uninstall", name, "-n", namespace)
		must(t, err)
	}
	follow(t, "kubectl delete crd")
	if exists(t, crd) {
		t.Error("the CRD is still there")
	}
}
