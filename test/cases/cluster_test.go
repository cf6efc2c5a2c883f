//go:build e2e

package cases

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	"sigs.k8s.io/yaml"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/source"
	"github.com/agentauth-dev/agentauth/controller"
	"github.com/agentauth-dev/agentauth/test/parts"
)

// Of Secrets without a label nothing is read. What agentauth keeps of a key that it has read is a digest. The newest bytes of a watch are client-go's, so
// there is more to read before the heap is looked at. The key is made by another program, and read after that.
func TestNoAPIKeyIsInTheHeap(t *testing.T) {
	c := startCluster(t)
	dir := t.TempDir()
	var files []string
	for _, name := range []string{"listed", "watched", "unlabelled"} {
		file := filepath.Join(dir, name)
		files = append(files, file)
		if out, err := exec.CommandContext(t.Context(), "sh", "-c", `printf %s "$(openssl rand -hex 24)" >"$1"`, "sh", file).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	add := func(name, from string) {
		c.kubectl(t, "create", "secret", "generic", name, "-n", "shop", from)
		c.kubectl(t, "label", "secret", name, "-n", "shop", "agentauth.dev/use=api-key", "team=robots")
		c.kubectl(t, "annotate", "secret", name, "-n", "shop", "agentauth.dev/plain-keys=*")
	}
	create(t, c, `
apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: keys, namespace: shop}
spec:
  routes: [{hostnames: [api.example.com]}]
  authentication: {methods: [{name: keys, apiKey: {selector: {matchLabels: {team: robots}}}}]}
`)
	c.kubectl(t, "create", "secret", "generic", "unlabelled", "-n", "shop", "--from-file=key="+files[2])
	add("listed", "--from-file=key="+files[0])
	f := loadFiles(t)[0]
	e := newEngine(t, f, engine.Input{})
	seen := make(chan int, 1000)
	follow(t, c, e, func(in engine.Input) { seen <- len(in.Secrets) })
	add("watched", "--from-file=key="+files[1])
	const more = 20
	for i := range more {
		add(fmt.Sprint("more-", i), "--from-literal=key="+strings.Repeat(fmt.Sprint("another-key-", i, "-"), 20))
	}
	for <-seen != more+2 {
		continue // until all were seen
	}
	for _, key := range heapHoldsNone(t, dir, files)[:2] {
		if d := e.Decide(t.Context(), authz.Raw{Method: "GET", Scheme: "https", TLS: true, Host: "api.example.com", Path: "/", Time: Now,
			Headers: []authz.Header{{Name: "x-api-key", Value: key}}}); d.Outcome != authz.Allow {
			t.Errorf("expected the key to be one, got %s: %s", d.Reason, d.Detail)
		}
	}
}

// heapHoldsNone fails if the heap holds what is in the files, which it returns.
func heapHoldsNone(t *testing.T, dir string, files []string) []string {
	t.Helper()
	runtime.GC()
	runtime.GC() // what pools keep for one more
	dump, err := os.Create(filepath.Join(dir, "heap"))
	if err != nil {
		t.Fatal(err)
	}
	defer dump.Close()
	debug.WriteHeapDump(dump.Fd())
	heap, err := os.ReadFile(dump.Name())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(heap, []byte("sha256:")) {
		t.Fatal("expected a heap with digests")
	}
	var keys []string
	for _, file := range files {
		key, err := os.ReadFile(file)
		if err != nil || len(key) != 48 {
			t.Fatalf("expected a key of 48 bytes, got %d: %v", len(key), err)
		}
		keys = append(keys, string(key))
		for form, text := range map[string]string{"itself": string(key), "in base64": base64.StdEncoding.EncodeToString(key)} {
			if i := bytes.Index(heap, []byte(text)); i >= 0 {
				t.Errorf("the heap holds the key %s, in %q", form, heap[max(0, i-200):min(len(heap), i+200)])
			}
		}
	}
	return keys
}

// The fourth way: through a real API server, its schema and its defaults, and the watches.
func TestAnAPIServerDecidesEveryCase(t *testing.T) {
	c := startCluster(t)
	forEachFile(t, func(t *testing.T, f File) {
		create(t, c, f.Policies)
		e := newEngine(t, f, engine.Input{})
		follow(t, c, e, nil)
		forEachCase(t, f, func(t *testing.T, c Case) {
			d := e.Decide(t.Context(), c.Raw)
			if err := Check(&d, c.Want, true); err != nil {
				t.Error(err)
			}
		})
	})
}

type cluster struct {
	*parts.Cluster
	rest *rest.Config
}

// gatewayKinds are those of Gateway API that are read.
var gatewayKinds = []string{"gateways", "listenersets", "httproutes", "grpcroutes", "referencegrants"}

// namespaces are those that the cases use.
var namespaces = []string{"default", "shop", "other"}

func startCluster(t testing.TB) *cluster {
	t.Helper()
	klog.SetSlogLogger(slog.New(slog.DiscardHandler)) // what client-go has to say of short lives
	p, err := parts.StartCluster(t.Context(), parts.TestDir(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	c := &cluster{Cluster: p}
	if c.rest, err = clientcmd.BuildConfigFromFlags("", p.Kubeconfig); err != nil {
		t.Fatal(err)
	}
	root, err := parts.Root()
	if err != nil {
		t.Fatal(err)
	}
	c.kubectl(t, "apply", "--server-side", "-f", root+"/config/crd")
	c.kubectl(t, "wait", "--for=condition=Established", "--timeout=30s", "crd/agentauthpolicies.agentauth.dev")
	c.install(t, gatewayKinds...)
	for _, ns := range namespaces[1:] {
		c.kubectl(t, "create", "namespace", ns)
	}
	return c
}

// install installs kinds of Gateway API.
func (c *cluster) install(t testing.TB, kinds ...string) {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range kinds {
		c.kubectl(t, "apply", "--server-side", "-f", filepath.Join(strings.TrimSpace(string(dir)), "config/crd/standard/gateway.networking.k8s.io_"+kind+".yaml"))
		c.kubectl(t, "wait", "--for=condition=Established", "--timeout=30s", "crd/"+kind+".gateway.networking.k8s.io")
	}
}

func (c *cluster) kubectl(t testing.TB, args ...string) {
	t.Helper()
	if _, err := c.Kubectl(t.Context(), "", args...); err != nil {
		t.Fatal(err)
	}
}

// follow makes the cluster the source of e until the test ends, and returns when what is there is in force.
func follow(t testing.TB, c *cluster, e *engine.Engine, loaded func(engine.Input)) {
	t.Helper()
	first := make(chan struct{})
	keeper := &source.Keeper{Engine: e, Log: slog.New(slog.DiscardHandler), Loaded: func(source.Load) {}, Ready: func() {}}
	follower, err := controller.New(controller.Config{
		REST: c.rest, LeaseNamespace: "default", Identity: fmt.Sprintf("%s-%p", t.Name(), e), Log: slog.New(slog.DiscardHandler), Revoke: keeper.Revoke,
		Load: func(ctx context.Context, in engine.Input) ([]engine.Report, bool) {
			reports, inForce := keeper.Cluster(ctx, in)
			if first != nil {
				close(first)
				first = nil
			}
			if loaded != nil {
				loaded(in)
			}
			return reports, inForce
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	wait := first
	go func() { done <- follower.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	select {
	case <-wait:
	case err := <-done:
		t.Fatalf("ended: %v", err)
	case <-time.After(30 * time.Second):
		t.Fatal("nothing came in force within 30 s")
	}
}

// object is a manifest and when it says that it was created.
type object struct {
	text, collection, name, created string
}

func collection(kind, namespace string) string {
	switch kind {
	case "Secret":
		return "/api/v1/namespaces/" + namespace + "/secrets"
	case "ConfigMap":
		return "/api/v1/namespaces/" + namespace + "/configmaps"
	case "HTTPRoute", "GRPCRoute", "Gateway", "ListenerSet", "ReferenceGrant":
		return "/apis/gateway.networking.k8s.io/v1/namespaces/" + namespace + "/" + strings.ToLower(kind) + "s"
	}
	return "/apis/agentauth.dev/v1alpha1/namespaces/" + namespace + "/agentauthpolicies"
}

func parseObjects(t *testing.T, text string, label func(namespace, manifest string)) []object {
	t.Helper()
	var out []object
	for _, doc := range documents.Split(text, -1) {
		var head struct {
			Kind     string
			Metadata struct{ Namespace, Name, CreationTimestamp string }
		}
		if err := yaml.Unmarshal([]byte(doc), &head); err != nil {
			t.Fatal(err)
		}
		if head.Kind == "Namespace" {
			label(head.Metadata.Name, doc)
			continue
		}
		out = append(out, object{doc, collection(head.Kind, cmp.Or(head.Metadata.Namespace, "default")), head.Metadata.Name, head.Metadata.CreationTimestamp})
	}
	slices.SortStableFunc(out, func(a, b object) int { return strings.Compare(a.created, b.created) })
	return out
}

// asPatch makes JSON of a manifest. Namespaces are there, and do not end here.
func asPatch(t *testing.T, manifest string) []byte {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(manifest))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// create makes objects in the order of their age, those of one age within one second: times of creation are
// the API server's, in whole seconds. They are deleted when the test ends.
func create(t *testing.T, c *cluster, text string) {
	t.Helper()
	t.Cleanup(func() {
		for _, ns := range namespaces {
			for _, kind := range []string{"AgentAuthPolicy", "Secret", "ConfigMap", "HTTPRoute", "GRPCRoute", "ListenerSet", "Gateway", "ReferenceGrant"} {
				c.do(t, "DELETE", collection(kind, ns), "", nil)
			}
		}
	})
	last := ""
	for list := parseObjects(t, text, func(ns, manifest string) {
		c.do(t, "PATCH", "/api/v1/namespaces/"+ns, "application/strategic-merge-patch+json", asPatch(t, manifest))
	}); len(list) > 0; {
		n := slices.IndexFunc(list, func(o object) bool { return o.created != list[0].created })
		if n < 0 {
			n = len(list)
		}
		for last = c.createAtOnce(t, list[:n], last); last == ""; last = c.createAtOnce(t, list[:n], "") {
			for _, o := range list[:n] {
				c.do(t, "DELETE", o.collection+"/"+o.name, "", nil)
			}
		}
		list = list[n:]
	}
}

// createAtOnce makes objects after a second, and returns theirs; "" if they have several.
func (c *cluster) createAtOnce(t *testing.T, list []object, after string) string {
	t.Helper()
	for after != "" && time.Now().UTC().Format(time.RFC3339) <= after {
		time.Sleep(10 * time.Millisecond) // for the API server's clock there is nothing to poll
	}
	second, one := "", true
	for i, o := range list {
		answer := c.do(t, "POST", o.collection+"?fieldValidation=Strict", "application/yaml", []byte(o.text))
		var made struct {
			Metadata struct{ CreationTimestamp string }
		}
		if err := json.Unmarshal(answer, &made); err != nil {
			t.Fatal(err)
		}
		one = one && (i == 0 || made.Metadata.CreationTimestamp == second)
		second = made.Metadata.CreationTimestamp
	}
	if !one {
		return ""
	}
	return second
}

func (c *cluster) do(t testing.TB, method, path, contentType string, body []byte) []byte {
	t.Helper()
	status, answer, err := c.Do(context.Background(), method, path, contentType, body)
	if err == nil && status >= 300 {
		err = fmt.Errorf("%s %s: %d %s\n%s", method, path, status, answer, body)
	}
	if err != nil {
		t.Fatal(err)
	}
	return answer
}
