//go:build e2e && !quick

package e2e

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	registration "k8s.io/client-go/kubernetes/typed/admissionregistration/v1"
	core "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"

	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/controller/servingcert"
	"github.com/agentauth-dev/agentauth/controller/webhook"
	"github.com/agentauth-dev/agentauth/test/parts"
)

const (
	hookName = "agentauth.agentauth-system" // of the chart's configuration
	typo     = `  authorization: {rules: [{name: r, require: 'identity.sub == "x"'}]}`
	typoAt   = "spec.authorization.rules[0].require: "
)

// hook applies what the chart has for the webhook, for the policies of some namespaces and at an address of this
// machine: there are neither Services nor pods.
func (k *kube) hook(t *testing.T, failurePolicy, secretNamespace, address string, namespaces ...string) {
	t.Helper()
	values := fmt.Sprintf("image: {repository: registry.example.com/agentauth}\ndoor: {trustNetwork: true}\nwebhook: {enabled: true, failurePolicy: %s}\nwatchNamespaces: [%s]\n", failurePolicy, strings.Join(namespaces, ", "))
	rendered, err := parts.Helm(t.Context(), parts.TestDir(t), "", values, "template", "agentauth", "charts/agentauth", "-n", secretNamespace, "-f", "-")
	must(t, err)
	for doc := range strings.SplitSeq(rendered, "\n---") {
		var o map[string]any
		must(t, yaml.Unmarshal([]byte(doc), &o))
		meta, _ := o["metadata"].(map[string]any)
		name, _ := meta["name"].(string)
		if o["kind"] == "ValidatingWebhookConfiguration" {
			client := o["webhooks"].([]any)[0].(map[string]any)
			client["clientConfig"] = map[string]any{"url": "https://" + address + webhook.Path}
		} else if !strings.HasPrefix(name, "agentauth-webhook") {
			continue
		}
		text, err := yaml.Marshal(o)
		must(t, err)
		k.apply(t, string(text))
	}
	t.Cleanup(func() {
		o := outliving{t, &suite}
		k.kubectl(o, "", "delete", "validatingwebhookconfiguration", "agentauth."+secretNamespace)
		k.kubectl(o, "", "delete", "secret", servingcert.SecretName, "-n", secretNamespace)
	})
}

// hooked is an agentauth whose webhook the API server asks.
func (k *kube) hooked(t *testing.T, failurePolicy, namespace string) (a *parts.Agentauth, again func() *parts.Agentauth) {
	t.Helper()
	address := freeAddress(t)
	k.hook(t, failurePolicy, "agentauth-system", address, namespace)
	n := 0
	again = func() *parts.Agentauth {
		n++
		a := k.agentauth(t, fmt.Sprint("one-", n), "--webhook-address", address, "--webhook-configuration", hookName)
		within(t, 45*time.Second, "the webhook", func() error {
			_, err := k.Kubectl(t.Context(), publicOn(namespace, "try", "try.test", typo), "apply", "--dry-run=server", "-f", "-")
			if err == nil || !strings.Contains(err.Error(), typoAt) {
				return fmt.Errorf("expected a refusal, got %v", err)
			}
			return nil
		})
		return a
	}
	return again(), again
}

// refuses says how a manifest is refused.
func (k *kube) refuses(t *testing.T, manifests string, args ...string) string {
	t.Helper()
	_, err := k.Kubectl(t.Context(), manifests, append([]string{"apply", "-f", "-"}, args...)...)
	if err == nil {
		t.Fatalf("expected to be refused:\n%s", manifests)
	}
	return err.Error()
}

func TestWhatTheSchemaCannotSeeIsRefusedAtApply(t *testing.T) {
	k := useKube(t)
	ns := k.namespace(t, "hooked")
	a, _ := k.hooked(t, "Fail", ns)

	said := k.refuses(t, publicOn(ns, "typo", "typo.hooked.test", typo))
	for _, want := range []string{"typo", typoAt, "undefined field 'sub'"} {
		if !strings.Contains(said, want) {
			t.Errorf("expected %q in what the user sees, got %s", want, said)
		}
	}
	k.apply(t, publicOn(ns, "fine", "fine.hooked.test", ""))
	k.wait(t, ns, "fine", "Ready")
	if said := k.refuses(t, publicOn(ns, "fine", "fine.hooked.test", typo)); !strings.Contains(said, typoAt) {
		t.Errorf("got %s", said)
	}
	answers(t, soon, a, "fine.hooked.test", "", 0)

	// What is not there yet may come: manifests are applied in any order.
	k.apply(t, strings.Replace(publicOn(ns, "staff", "staff.hooked.test", ""), "{name: public, anonymous: {}}", "{name: staff, basic: {users: {secretRef: {name: staff}}}}", 1))
	if text, err := a.Get(t.Context(), "/metrics"); err != nil || !strings.Contains(string(text), `agentauth_webhook_reviews_total{result="refused"}`) {
		t.Errorf("expected refusals to be counted, got %v", err)
	}
	if end := gauge(t, a, "agentauth_webhook_certificate_expiry_timestamp_seconds"); end < float64(time.Now().Add(24*time.Hour).Unix()) {
		t.Errorf("expected a certificate that is valid for long, got %v", end)
	}
}

func TestEachPolicyThatOnlyCompileRefusesIsRefusedByTheAPIServer(t *testing.T) {
	k := useKube(t)
	ns := k.namespace(t, "hooked-all")
	k.hooked(t, "Ignore", ns)
	files, err := filepath.Glob("../../testdata/invalid/compile-only/*.yaml")
	must(t, err)
	if len(files) < 20 {
		t.Fatalf("expected at least 20 files, got %d", len(files))
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		must(t, err)
		text := strings.Replace(string(data), "namespace: shop", "namespace: "+ns, 1)
		status, answer, err := k.Do(t.Context(), "POST", "/apis/agentauth.dev/v1alpha1/namespaces/"+ns+"/agentauthpolicies?dryRun=All&fieldValidation=Strict", "application/yaml", []byte(text))
		must(t, err)
		var refusal struct{ Message string }
		must(t, json.Unmarshal(answer, &refusal))
		m := wants.FindSubmatch(data)
		if status != 422 || !strings.Contains(refusal.Message, string(m[2])) {
			t.Errorf("%s: expected %q, got %d %s", filepath.Base(file), m[2], status, answer)
		}
	}
}

func TestAnInvalidPolicyCanBeGivenUpAlsoWhileAgentauthIsAway(t *testing.T) {
	k := useKube(t)
	ns := k.namespace(t, "hooked-away")
	k.apply(t, publicOn(ns, "old", "old.hooked-away.test", typo)) // before there is a webhook
	a, again := k.hooked(t, "Fail", ns)
	giveUp := func(step string) {
		t.Helper()
		k.kubectl(t, "", "label", "aap", "old", "-n", ns, "step="+step)
		k.kubectl(t, "", "patch", "aap", "old", "-n", ns, "--type=merge", "-p", fmt.Sprintf(`{"metadata":{"finalizers":["example.com/%s"]}}`, step))
	}
	giveUp("asked")
	must(t, a.Stop())
	k.kubectl(t, "", "label", "aap", "old", "-n", ns, "step-")
	giveUp("away")
	k.kubectl(t, "", "delete", "aap", "old", "-n", ns, "--wait=false")
	k.kubectl(t, "", "patch", "aap", "old", "-n", ns, "--type=merge", "-p", `{"metadata":{"finalizers":null}}`)
	if _, err := k.Kubectl(t.Context(), "", "get", "aap", "old", "-n", ns); err == nil {
		t.Error("expected it to be gone")
	}
	if said := k.refuses(t, publicOn(ns, "new", "new.hooked-away.test", "")); !strings.Contains(said, "failed calling webhook") {
		t.Errorf("expected Fail to refuse while nobody answers, got %s", said)
	}
	again() // with the certificate that is there
	k.apply(t, publicOn(ns, "new", "new.hooked-away.test", ""))
}

func TestWithIgnorePoliciesAreTakenWhileAgentauthIsAway(t *testing.T) {
	k := useKube(t)
	ns := k.namespace(t, "hooked-ignore")
	a, _ := k.hooked(t, "Ignore", ns)
	k.refuses(t, publicOn(ns, "typo", "typo.hooked-ignore.test", typo))
	must(t, a.Stop())
	k.apply(t, publicOn(ns, "typo", "typo.hooked-ignore.test", typo))
	k.agentauth(t, "later") // says so in its condition
	k.wait(t, ns, "typo", "Accepted=False")
}

// The product's own code with a certificate of 24 seconds, asked by the real API server, which refuses whatever it
// cannot verify.
func TestNoPolicyIsRefusedWhileTheWebhooksCertificateIsRenewed(t *testing.T) {
	k := useKube(t)
	ns := k.namespace(t, "hooked-renewal")
	config, err := clientcmd.BuildConfigFromFlags("", k.Kubeconfig)
	must(t, err)
	secrets, err := core.NewForConfig(config)
	must(t, err)
	configurations, err := registration.NewForConfig(config)
	must(t, err)
	address := freeAddress(t)
	k.hook(t, "Fail", ns, address, ns)
	keeper := servingcert.New(servingcert.Config{
		Secrets: secrets.Secrets(ns), Configurations: configurations.ValidatingWebhookConfigurations(), Configuration: "agentauth." + ns,
		Validity: 24 * time.Second, Settle: 2 * time.Second, Interval: 250 * time.Millisecond, Log: slog.New(slog.DiscardHandler),
	})
	server, err := webhook.Listen(webhook.Config{
		Address: address, Certificate: keeper.Certificate, Judge: webhook.Judge{Options: engine.Options{}},
		Log: slog.New(slog.DiscardHandler), Reviewed: func(string) {},
	})
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); keeper.Run(ctx) }()
	go func() { _ = server.Serve() }()
	defer func() {
		cancel()
		<-ended
		_ = server.Shutdown(context.WithoutCancel(t.Context()))
	}()

	asked := 0
	ask := func() error {
		asked++
		status, answer, err := k.Do(t.Context(), "POST", "/apis/agentauth.dev/v1alpha1/namespaces/"+ns+"/agentauthpolicies?dryRun=All",
			"application/yaml", []byte(strings.Split(publicOn(ns, "asked", "asked.hooked-renewal.test", ""), "---")[0]))
		if err == nil && status != 201 {
			err = fmt.Errorf("%d %s", status, answer)
		}
		return err
	}
	within(t, 30*time.Second, "the webhook", ask)
	served := map[string]bool{}
	within(t, 3*time.Minute, "the third certificate", func() error {
		if err := ask(); err != nil {
			t.Fatalf("after %d certificates and %d requests: %v", len(served), asked, err)
		}
		shown, err := keeper.Certificate(nil)
		must(t, err)
		if served[shown.Leaf.SerialNumber.String()] = true; len(served) < 3 {
			return fmt.Errorf("got %d", len(served))
		}
		return nil
	})
	if asked < 100 {
		t.Errorf("expected at least 100 requests meanwhile, got %d", asked)
	}
}

func TestFilesOfTheWebhooksCertificateAreReadAgainWhenTheyChange(t *testing.T) {
	k := useKube(t)
	ca, err := parts.NewCA("of the webhook")
	must(t, err)
	dir, address := parts.TestDir(t), freeAddress(t)
	renew := func() (certFile, keyFile, serial string) {
		t.Helper()
		pair, err := ca.Server()
		must(t, err)
		certFile, keyFile, err = pair.Write(dir, "webhook")
		must(t, err)
		both, err := tls.X509KeyPair(pair.Cert, pair.Key)
		must(t, err)
		return certFile, keyFile, both.Leaf.SerialNumber.String()
	}
	certFile, keyFile, first := renew()
	k.agentauth(t, "one", "--webhook-address", address, "--webhook-tls-cert", certFile, "--webhook-tls-key", keyFile)
	shows := func(serial string) {
		t.Helper()
		within(t, 45*time.Second, "certificate "+serial, func() error {
			conn, err := (&tls.Dialer{Config: &tls.Config{RootCAs: ca.Pool(), MinVersion: tls.VersionTLS12}}).DialContext(t.Context(), "tcp", address)
			if err != nil {
				return err
			}
			defer conn.Close()
			if got := conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.String(); got != serial {
				return fmt.Errorf("got %s", got)
			}
			return nil
		})
	}
	shows(first)
	_, _, second := renew()
	shows(second)
}
