package manifest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
)

func TestASecretIsReadAsTheAPIServerReadsIt(t *testing.T) {
	tree, problems := parsed("f.yaml", `
apiVersion: v1
kind: Secret
metadata: {name: users, namespace: shop, labels: {agentauth.dev/use: basic}, annotations: {a: b}}
type: kubernetes.io/basic-auth
immutable: true
data: {username: YWRhCg==, password: b2xk}
stringData: {password: new}
`)
	if len(problems) > 0 {
		t.Fatal(text(problems))
	}
	s := tree.Input.Secrets[0]
	if got := fmt.Sprintf("%s/%s %s %s %s %q %q", s.Namespace, s.Name, s.Type, s.Use(), s.Annotations["a"], s.Data["username"], s.Data["password"]); got !=
		`shop/users kubernetes.io/basic-auth basic b "ada\n" "new"` {
		t.Errorf("got %s", got)
	}
}

func TestAConfigMapHasTextAndBinaryData(t *testing.T) {
	tree, problems := parsed("f.yaml", `
apiVersion: v1
kind: ConfigMap
metadata: {name: keys, labels: {agentauth.dev/use: jwks}}
data: {text: "a\n"}
binaryData: {binary: AAE=}
`)
	if len(problems) > 0 {
		t.Fatal(text(problems))
	}
	c := tree.Input.ConfigMaps[0]
	if c.Namespace != "default" || c.Use() != "jwks" || string(c.Data["text"]) != "a\n" || !bytes.Equal(c.Data["binary"], []byte{0, 1}) {
		t.Errorf("got %+v", c)
	}
}

func TestOfAPIKeysOnlyDigestsAreKept(t *testing.T) {
	const key = "a-raw-key-of-more-than-20-bytes"
	tree, problems := parsed("f.yaml", `
apiVersion: v1
kind: Secret
metadata: {name: keys, labels: {agentauth.dev/use: api-key}, annotations: {agentauth.dev/plain-keys: "*"}}
stringData: {first: `+key+`, second: short} # `+key+`
data: {third: YS1yYXcta2V5LW9mLW1vcmUtdGhhbi0yMC1ieXRlcw==}
`)
	if len(problems) > 0 {
		t.Fatal(text(problems))
	}
	sum := sha256.Sum256([]byte(key))
	data := tree.Input.Secrets[0].Data
	for _, id := range []string{"first", "third"} {
		if got, want := string(data[id]), "sha256:"+hex.EncodeToString(sum[:]); got != want {
			t.Errorf("%s is %s, want %s", id, got, want)
		}
	}
	if got := string(data["second"]); !strings.HasPrefix(got, "invalid:") || strings.Contains(got, "short\n") {
		t.Errorf("the second is %s", got)
	}
	for id, source := range tree.objects {
		for _, p := range source.places {
			if strings.Contains(p.key, key[:8]) {
				t.Errorf("the places of %v hold the key", id)
			}
		}
	}
}

func TestAFieldIsLocatedOrElseItsNearestParent(t *testing.T) {
	tree, problems := parsed("f.yaml", policyText+"---\n"+`apiVersion: v1
kind: Secret
metadata: {name: orders, namespace: shop}
stringData:
  first: x
---
apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: anchors, namespace: shop}
spec: &spec
  routes: &routes
  - hostnames: [a]
  authentication:
    methods:
    - &method
      name: keys
      apiKey: {selector: {matchLabels: {a.b/c: d}}}
    - <<: *method
      name: more
`)
	if len(problems) > 0 {
		t.Fatal(text(problems))
	}
	for _, c := range []struct {
		kind, name, field string
		line, column      int
	}{
		{"AgentAuthPolicy", "orders", "", 1, 1},
		{"AgentAuthPolicy", "orders", "spec", 4, 1},
		{"AgentAuthPolicy", "orders", "spec.routes[0].hostnames[0]", 6, 17},
		{"AgentAuthPolicy", "orders", "spec.routes[0].hostnames[7]", 6, 5},
		{"AgentAuthPolicy", "orders", "spec.routes[0].matches[0].path.value", 8, 32},
		{"AgentAuthPolicy", "orders", "spec.authentication.methods[0].apiKey.selector.matchLabels[team]", 12, 41},
		{"AgentAuthPolicy", "orders", "spec.authentication.methods[0].apiKey.from[0].header", 12, 7},
		{"AgentAuthPolicy", "orders", "spec.precedence", 4, 1},
		{"AgentAuthPolicy", "orders", "nowhere[", 1, 1},
		{"AgentAuthPolicy", "anchors", "spec.authentication.methods[0].apiKey.selector.matchLabels[a.b/c]", 30, 41},
		{"AgentAuthPolicy", "anchors", "spec.authentication.methods[1].apiKey.selector", 30, 16},
		{"AgentAuthPolicy", "anchors", "spec.authentication.methods[1].name", 32, 7},
		{"Secret", "orders", "stringData[first]", 18, 3},
		{"Secret", "nobody", "stringData[first]", 0, 0},
	} {
		want := authz.Position{File: "f.yaml", Line: c.line, Column: c.column}
		if c.line == 0 {
			want.File = ""
		}
		if got := tree.Locate(c.kind, "shop", c.name, c.field); got != want {
			t.Errorf("%s %s %s: got %v, want %v", c.kind, c.name, c.field, got, want)
		}
	}
}

func TestMergedKeysAreWeakerThanThoseThatAreWritten(t *testing.T) {
	tree, problems := parsed("f.yaml", strings.Replace(policyText, "metadata: {name: orders, namespace: shop}", `metadata:
  name: orders
  labels: &l {a: "1", b: "1"}
  annotations:
    <<: [{b: "2", c: "2"}, *l]
    a: "3"
    d: "3"`, 1))
	if len(problems) > 0 {
		t.Fatal(text(problems))
	}
	if got := fmt.Sprint(tree.Input.Policies[0].Annotations); got != "map[a:3 b:2 c:2 d:3]" {
		t.Errorf("got %s", got)
	}
}
