package source_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/manifest"
	"github.com/agentauth-dev/agentauth/authz/source"
)

func TestAProblemOfASecretIsWhereTheSecretIsWritten(t *testing.T) {
	tree, problems := manifest.Read([]manifest.File{
		{Path: "policy.yaml", Data: []byte(`apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: p, namespace: shop}
spec:
  routes: [{hostnames: [p.test]}]
  authentication:
    methods:
    - {name: a, basic: {users: {secretRef: {name: unlabelled}}}}
    - {name: b, jwt: {anyIssuer: true, anyAudience: true, hmac: {secretRef: {name: short}}}}
    - {name: c, jwt: {anyIssuer: true, anyAudience: true, jwks: {configMapRef: {name: keys}}}}
    - {name: d, basic: {users: {secretRef: {name: gone}}}}
`)},
		{Path: "objects.yaml", Data: []byte(`apiVersion: v1
kind: Secret
metadata: {name: unlabelled, namespace: shop}
stringData: {auth: x}
---
apiVersion: v1
kind: Secret
metadata:
  name: short
  namespace: shop
  labels: {agentauth.dev/use: hmac}
stringData:
  other: a
  secret: hunter2
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: keys
  namespace: shop
  labels:
    agentauth.dev/use: jwks
data:
  jwks.json: nothing
`)},
	})
	e := engine.New(engine.Deps{}, engine.Options{OneTenant: true})
	_, problems, _ = source.Compile(e, tree, problems)
	var got []string
	for _, p := range problems {
		got = append(got, fmt.Sprintf("%s:%d %s", p.File, p.Line, p.Ref))
		if strings.Contains(p.Message, "hunter2") {
			t.Errorf("a message holds a secret: %s", p.Message)
		}
	}
	want := []string{"objects.yaml:3 Secret shop/unlabelled", "objects.yaml:14 Secret shop/short", "objects.yaml:24 ConfigMap shop/keys", "policy.yaml:11 Secret shop/gone"}
	if !slices.Equal(got, want) {
		t.Errorf("expected %q, got %q", want, got)
	}
}
