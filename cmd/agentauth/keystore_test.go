package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/agentauth-dev/agentauth/authz/apikey"
)

const digestA = "sha256:5ee9c07ed4bba5ecd0eb4099aec151ebdfef25ac93f4156d4e3c2591dbbfa349"

// agentauthRuns runs a command as a user does.
func agentauthRuns(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(args, strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

func TestAFileIsChangedAsItIsWritten(t *testing.T) {
	const head = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: robot\n  labels:\n    agentauth.dev/use: api-key\n"
	const rotated = "    expires-at.agentauth.dev/first: END\n"
	for name, c := range map[string]struct{ before, after string }{
		"annotations are added": {
			head + "stringData:\n  first: " + digestA + "\n",
			head + "  annotations:\n" + rotated + "stringData:\n  first: " + digestA + "\n  next: NEW\n"},
		"annotations that are there stay": {
			head + "  annotations:\n    example.com/a: b # why\nstringData:\n  first: " + digestA + "\n",
			head + "  annotations:\n    example.com/a: b # why\n" + rotated + "stringData:\n  first: " + digestA + "\n  next: NEW\n"},
		"line ends of Windows stay": {
			strings.ReplaceAll(head+"stringData:\n  first: "+digestA+"\n", "\n", "\r\n"),
			strings.ReplaceAll(head+"  annotations:\n"+rotated+"stringData:\n  first: "+digestA+"\n  next: NEW\n", "\n", "\r\n")},
		"an indent of four stays": {
			strings.ReplaceAll(head+"stringData:\n  first: "+digestA+"\n", "  ", "    "),
			strings.ReplaceAll(head+"  annotations:\n"+rotated+"stringData:\n  first: "+digestA+"\n  next: NEW\n", "  ", "    ")},
		"another document stays byte for byte": {
			"---\n# first\nkind:   ConfigMap\napiVersion: v1\n\n\nmetadata: {name:   a}\n--- # second\n" + head + "stringData:\n  first: " + digestA + "\n---\n# nothing\n",
			"---\n# first\nkind:   ConfigMap\napiVersion: v1\n\n\nmetadata: {name:   a}\n--- # second\n" + head + "  annotations:\n" + rotated + "stringData:\n  first: " + digestA + "\n  next: NEW\n---\n# nothing\n"},
		"an item of a List is changed": {
			"apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Secret\n  metadata: {name: robot, labels: {agentauth.dev/use: api-key}}\n  stringData: {first: '" + digestA + "'}\n",
			"apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Secret\n  metadata: {name: robot, labels: {agentauth.dev/use: api-key}, annotations: {expires-at.agentauth.dev/first: END}}\n  stringData: {first: '" + digestA + "', next: 'NEW'}\n"},
		"a mark of byte order stays": {
			"\xef\xbb\xbf" + head + "stringData:\n  first: " + digestA + "\n",
			"\xef\xbb\xbf" + head + "  annotations:\n" + rotated + "stringData:\n  first: " + digestA + "\n  next: NEW\n"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "robot.yaml")
			if err := os.WriteFile(file, []byte(c.before), 0o640); err != nil {
				t.Fatal(err)
			}
			code, stdout, stderr := agentauthRuns("key", "rotate", "--policies", dir, "--secret", "robot", "--new-entry", "next")
			if code != 0 {
				t.Fatalf("exit %d: %s", code, stderr)
			}
			hash, err := apikey.Hash([]byte(strings.TrimSpace(stderr)))
			if err != nil {
				t.Fatalf("%q: %v", stderr, err)
			}
			_, end, _ := strings.Cut(strings.TrimSpace(stdout), "ends at ")
			want := strings.NewReplacer("END", `"`+end+`"`, "NEW", hash).Replace(c.after)
			got, err := os.ReadFile(file)
			if err != nil || string(got) != want {
				t.Errorf("expected\n%s\ngot\n%s%v", want, got, err)
			}
			if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
				t.Errorf("the mode changed: %v, %v", info.Mode(), err)
			}
			if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
				t.Errorf("expected one file, got %v, %v", files, err)
			}
		})
	}
}

func TestAFileThatCannotBeChangedSafelyStays(t *testing.T) {
	const head = "apiVersion: v1\nkind: Secret\nmetadata: {name: robot, labels: {agentauth.dev/use: api-key}}\n"
	for name, c := range map[string]struct{ text, says string }{
		"an alias":               {head + "stringData: {first: &d '" + digestA + "', second: *d}\n", "anchor or alias"},
		"a directive":            {"%YAML 1.1\n---\n" + head + "stringData: {first: '" + digestA + "'}\n", "a YAML directive"},
		"documents in one line":  {head + "stringData: {first: '" + digestA + "'}\n--- {a: b}\n", "cannot be told apart"},
		"data that is no base64": {head + "data: {first: '" + digestA + "'}\n", "is no base64"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "robot.yaml")
			if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			code, stdout, stderr := agentauthRuns("key", "revoke", "--policies", dir, "--secret", "robot", "--entry", "first")
			if code != 2 || stdout != "" || !strings.Contains(stderr, c.says) {
				t.Errorf("expected exit 2 and %q, got %d %q %q", c.says, code, stdout, stderr)
			}
			if got, err := os.ReadFile(file); err != nil || string(got) != c.text {
				t.Errorf("the file changed: %s%v", got, err)
			}
		})
	}
}

// oneSecret is an API server that has one Secret. The first update is a conflict.
type oneSecret struct {
	t       *testing.T
	secret  corev1.Secret
	updates int
}

func (o *oneSecret) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("content-type", "application/json")
	answer := any(&o.secret)
	switch {
	case r.Method == "PUT":
		var got corev1.Secret
		body, err := io.ReadAll(r.Body)
		if err == nil {
			_, _, err = scheme.Codecs.UniversalDeserializer().Decode(body, nil, &got)
		}
		if err != nil {
			o.t.Error(err)
		}
		if o.updates++; o.updates == 1 || got.ResourceVersion != o.secret.ResourceVersion {
			o.secret.ResourceVersion = "2"
			o.secret.Data["meanwhile"] = []byte(digestA[:70] + "a")
			w.WriteHeader(http.StatusConflict)
			answer = &metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: "Failure", Reason: metav1.StatusReasonConflict, Code: http.StatusConflict}
			break
		}
		o.secret = got
		o.secret.TypeMeta = metav1.TypeMeta{Kind: "Secret", APIVersion: "v1"}
	case strings.HasSuffix(r.URL.Path, "/secrets"):
		if got := r.URL.Query().Get("labelSelector"); got != "agentauth.dev/use=api-key" {
			o.t.Errorf("Secrets of %q were read", got)
		}
		answer = &corev1.SecretList{TypeMeta: metav1.TypeMeta{Kind: "SecretList", APIVersion: "v1"}, Items: []corev1.Secret{o.secret}}
	case r.URL.Path != "/api/v1/namespaces/shop/secrets/robot":
		w.WriteHeader(http.StatusNotFound)
		answer = &metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: "Failure", Reason: metav1.StatusReasonNotFound, Code: http.StatusNotFound, Message: "not found"}
	}
	if err := json.MarshalWrite(w, answer); err != nil {
		o.t.Error(err)
	}
}

func TestKeysOfAClusterAreRotatedListedAndRevoked(t *testing.T) {
	server := &oneSecret{t: t}
	server.secret.TypeMeta = metav1.TypeMeta{Kind: "Secret", APIVersion: "v1"}
	server.secret.Namespace, server.secret.Name, server.secret.ResourceVersion = "shop", "robot", "1"
	server.secret.Labels = map[string]string{"agentauth.dev/use": "api-key"}
	server.secret.Data = map[string][]byte{"first": []byte(digestA)}
	at := httptest.NewServer(server)
	t.Cleanup(at.Close)
	config := filepath.Join(t.TempDir(), "config")
	text := fmt.Sprintf(`
apiVersion: v1
kind: Config
clusters: [{name: a, cluster: {server: %q}}]
users: [{name: u, user: {}}]
contexts: [{name: other, context: {cluster: a, user: u, namespace: other}}, {name: shop, context: {cluster: a, user: u, namespace: shop}}]
current-context: other
`, at.URL)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}

	if code, _, stderr := agentauthRuns("key", "rotate", "--kubeconfig", config, "--secret", "robot"); code != 2 || !strings.Contains(stderr, "Secret other/robot") {
		t.Errorf("the namespace of the context: got %d %s", code, stderr)
	}
	code, stdout, stderr := agentauthRuns("key", "rotate", "--kubeconfig", config, "--context", "shop", "--secret", "robot", "--entry", "first", "--new-entry", "next")
	hash, err := apikey.Hash([]byte(strings.TrimSpace(stderr)))
	if code != 0 || err != nil || !strings.HasPrefix(stdout, "Secret shop/robot in the cluster: entry next is a new key; entry first ends at ") {
		t.Fatalf("got %d %q %q", code, stdout, stderr)
	}
	_, end, _ := strings.Cut(strings.TrimSpace(stdout), "ends at ")
	if s := server.secret; server.updates != 2 || string(s.Data["next"]) != hash || s.Data["meanwhile"] == nil || s.Annotations["expires-at.agentauth.dev/first"] != end {
		t.Errorf("after %d updates: %v %v", server.updates, s.Data, s.Annotations)
	}
	if code, stdout, _ := agentauthRuns("key", "list", "--kubeconfig", config); code != 0 || strings.Count(stdout, "valid") != 3 || strings.Contains(stdout, "sha256") {
		t.Errorf("list: got %d\n%s", code, stdout)
	}
	if code, _, stderr := agentauthRuns("key", "revoke", "--kubeconfig", config, "-n", "shop", "--secret", "robot", "--entry", "first"); code != 0 {
		t.Errorf("revoke: got %d %s", code, stderr)
	}
	if s := server.secret; len(s.Data) != 2 || len(s.Annotations) != 0 {
		t.Errorf("after revoke: %v %v", s.Data, s.Annotations)
	}
	immutable := true
	server.secret.Immutable = &immutable
	if code, _, stderr := agentauthRuns("key", "revoke", "--kubeconfig", config, "-n", "shop", "--secret", "robot", "--entry", "next"); code != 2 || !strings.Contains(stderr, "is immutable") {
		t.Errorf("immutable: got %d %s", code, stderr)
	}
	server.secret.Labels = nil
	if code, _, stderr := agentauthRuns("key", "rotate", "--kubeconfig", config, "-n", "shop", "--secret", "robot"); code != 2 || !strings.Contains(stderr, "is not labelled agentauth.dev/use: api-key") {
		t.Errorf("unlabelled: got %d %s", code, stderr)
	}
}
