package manifest

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/agentauth-dev/agentauth/authz/engine"
)

func TestWhatIsWrongWithAManifestIsToldWithItsPlace(t *testing.T) {
	secret := func(rest string) string {
		return "apiVersion: v1\nkind: Secret\nmetadata: {name: keys, namespace: shop}\n" + rest
	}
	change := func(old, by string) string {
		if !strings.Contains(policyText, old) {
			t.Fatalf("no %q to replace", old)
		}
		return strings.Replace(policyText, old, by, 1)
	}
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"an unknown field": {
			change("authentication:", "autentication:"),
			[]string{`f.yaml:9:3: AgentAuthPolicy shop/orders: spec: unknown field "autentication"; did you mean "authentication"?`},
		},
		"an unknown field that is like no other": {
			change("hostnames:", "where:"),
			[]string{`f.yaml:6:5: `, `spec.routes[0]: unknown field "where"; known are hostnames, matches`},
		},
		"a field in another letter case": {
			change("apiKey:", "apikey:"),
			[]string{`unknown field "apikey"; did you mean "apiKey"?`},
		},
		"a field of metadata at the top": {
			change("spec:", "name: x\nspec:"),
			[]string{`f.yaml:4:1: `, `unknown field "name"`},
		},
		"a field of something without fields": {
			change("apiKey: {selector: {matchLabels: {team: orders}}}", "anonymous: {really: yes}"),
			[]string{`unknown field "really"; it has no fields here: write {}`},
		},
		"a key that comes twice": {
			change("  authentication:", "  routes: []\n  authentication:"),
			[]string{`f.yaml:9:3: `, `spec: the key "routes" comes twice: on line 5 too`},
		},
		"a number where a string belongs": {
			change("team: orders", "team: 1"),
			[]string{`f.yaml:12:47: `, `spec.authentication.methods[0].apiKey.selector.matchLabels[team]: expected a string, came the number 1; quote it: "1"`},
		},
		"a boolean where a string belongs": {
			change("[orders.example.com]", "[true]"),
			[]string{`spec.routes[0].hostnames[0]: expected a string, came the boolean true; quote it: "true"`},
		},
		"a boolean of YAML 1.1 where a string belongs": {
			change("[orders.example.com]", "[no]"),
			[]string{`expected a string, came the boolean no; quote it: "no"`},
		},
		"a boolean of YAML 1.1 as key": {
			change("team: orders", "on: orders"),
			[]string{`expected a string as key; quote it: "on"`},
		},
		"a string where a boolean belongs": {
			change("apiKey: {selector: {matchLabels: {team: orders}}}", `basic: {allowPlaintext: "true", users: {secretRef: {name: x}}}`),
			[]string{`basic.allowPlaintext: expected true or false, came a string; write true or false, without quotes`},
		},
		"a string where a list belongs": {
			change("[orders.example.com]", "orders.example.com"),
			[]string{`spec.routes[0].hostnames: expected a list, came a string; begin each item with "- "`},
		},
		"a list where a mapping belongs": {
			change("{selector: {matchLabels: {team: orders}}}", "[]"),
			[]string{`methods[0].apiKey: expected a mapping, came a list; its fields are `},
		},
		"a field of one level below": {
			change("apiKey: {selector: {matchLabels: {team: orders}}}", `audiences: [a]`),
			[]string{`methods[0]: unknown field "audiences"; known are anonymous, `},
		},
		"a field of two that are below": {
			change("apiKey: {selector: {matchLabels: {team: orders}}}", `proofOfPossession: {require: [DPoP]}`),
			[]string{`requirement; there is one in jwt and in oauth2Introspection`},
		},
		"a name where a reference belongs": {
			change("apiKey: {selector: {matchLabels: {team: orders}}}", `basic: {users: {secretRef: people}}`),
			[]string{`basic.users.secretRef: expected a mapping, came a string; its fields are key, name, namespace`},
		},
		"a field of spec without a value": {
			change("    methods:\n    - name: keys\n      apiKey: {selector: {matchLabels: {team: orders}}}\n", ""),
			[]string{`f.yaml:9:18: `, `spec.authentication: expected a mapping, came nothing; give it a value, or leave it out`},
		},
		"an optional field of spec without a value": {
			change("matches:\n    - path: {type: PathPrefix, value: /v1}", "matches:"),
			[]string{`matches: expected a list, came nothing`},
		},
		"an item without a value": {
			change("[orders.example.com]", "[orders.example.com, ~]"),
			[]string{`hostnames[1]: expected a string, came nothing`},
		},
		"a tag that JSON has no type for": {
			change("[orders.example.com]", "[!!binary b3JkZXJz]"),
			[]string{"a YAML tag that JSON has no type for"},
		},
		"no name": {
			change("name: orders, ", ""),
			[]string{"f.yaml:3:1: AgentAuthPolicy: metadata.name: expected a name and there is none"},
		},
		"no metadata": {
			change("metadata: {name: orders, namespace: shop}\n", ""),
			[]string{"metadata.name: expected a name and there is none"},
		},
		"a name that is no DNS name": {
			change("name: orders,", "name: Orders_1,"),
			[]string{"f.yaml:3:12: ", "metadata.name: expected a DNS name"},
		},
		"a namespace that is no DNS label": {
			change("namespace: shop", "namespace: a.b"),
			[]string{"metadata.namespace: expected a DNS label"},
		},
		"a label that is no label": {
			change("namespace: shop", "namespace: shop, labels: {a: 'b c'}"),
			[]string{"metadata.labels[a]: expected at most 63 letters"},
		},
		"an annotation without a proper key": {
			change("namespace: shop", "namespace: shop, annotations: {'a b': c}"),
			[]string{"metadata.annotations: expected as key"},
		},
		"a time that is none": {
			change("namespace: shop", "namespace: shop, creationTimestamp: yesterday"),
			[]string{"metadata.creationTimestamp: expected a time as in 2027-01-31T00:00:00Z (RFC 3339)"},
		},
		"no apiVersion": {"kind: Secret\n", []string{"f.yaml:1:1: : : expected a field apiVersion"}},
		"no kind":       {"apiVersion: v1\n", []string{"expected a field kind"}},
		"two kinds": {
			"apiVersion: v1\nkind: ConfigMap\nkind: Secret\n",
			[]string{`f.yaml:3:1: : : the key "kind" comes twice`},
		},
		"an unknown kind": {
			"apiVersion: apps/v1\nkind: Deployment\n",
			[]string{`f.yaml:2:7: : kind: the kind "Deployment" is not known here; known are AgentAuthPolicy, ConfigMap, GRPCRoute, Gateway, HTTPRoute, ListenerSet, Namespace, ReferenceGrant, Secret`},
		},
		"a kind that is nearly known": {
			"apiVersion: v1\nkind: Secrets\nstringData: {a: '" + canary + "'}\n",
			[]string{`did you mean "Secret"?`},
		},
		"an unknown version": {
			change("v1alpha1", "v1"),
			[]string{`f.yaml:1:13: : apiVersion: expected agentauth.dev/v1alpha1 for kind AgentAuthPolicy, came "agentauth.dev/v1"`},
		},
		"a document that is no mapping": {"- a\n- b\n", []string{"f.yaml:1:1: : : expected a mapping with apiVersion, kind and metadata"}},
		"one name for two objects": {
			policyText + "---\n" + policyText,
			[]string{"f.yaml:16:12: AgentAuthPolicy shop/orders: metadata.name: expected one object of this kind, namespace and name, and f.yaml:1 has another"},
		},
		"one name for two objects of the default namespace": {
			change(", namespace: shop", "") + "---\n" + change("namespace: shop", "namespace: default"),
			[]string{"AgentAuthPolicy default/orders: metadata.name: expected one object"},
		},
		"base64 that is none": {
			secret("data: {first: '" + canary + "'}\n"),
			[]string{"f.yaml:4:15: Secret shop/keys: data[first]: expected base64 (RFC 4648 4) and it is not"},
		},
		"a number in a Secret": {
			secret("stringData: {first: 4815162342}\n"),
			[]string{"stringData[first]: expected a string, came a number; quote it\n"},
		},
		"a mapping in a Secret": {
			secret("stringData:\n  first: {" + canary + ": x}\n"),
			[]string{"stringData[first]: expected a string, came a mapping"},
		},
		"an unknown field of a Secret": {
			secret("stringdata: {first: '" + canary + "'}\n"),
			[]string{`unknown field "stringdata"; did you mean "stringData"?`},
		},
		"an unknown field of a Secret that is like no other": {
			secret(`"` + canary + `": x` + "\n"),
			[]string{`: unknown field; known are apiVersion, data`},
		},
		"a key of a Secret that comes twice": {
			secret("stringData:\n  first: a\n  first: '" + canary + "'\n"),
			[]string{"f.yaml:6:3: ", "stringData: a key comes twice: on line 5 too"},
		},
		"an entry of a Secret without a proper name": {
			secret("stringData:\n  '" + canary + "': x\n"),
			[]string{"f.yaml:5:3: ", "stringData: expected as name of an entry at most 253 letters"},
		},
		"an entry of a ConfigMap that comes twice": {
			"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: x}\nbinaryData: {a: eA==}\n",
			[]string{"f.yaml:5:14: ConfigMap default/c: binaryData[a]: the entry is in data too"},
		},
		"a route with an unknown field": {
			"apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: r}\nspec: {hostname: [a]}\n",
			[]string{`HTTPRoute default/r: spec: unknown field "hostname"; did you mean "hostnames"?`},
		},
		"a number that is too large": {
			"apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: r}\nspec: {parentRefs: [{name: g, port: 4294967296}]}\n",
			[]string{`spec.parentRefs[0].port: expected a whole number, came the number 4294967296; write it without quotes, and not too large`},
		},
		"a string where a number belongs": {
			"apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: r}\nspec: {parentRefs: [{name: g, port: '80'}]}\n",
			[]string{`expected a whole number, came a string; write it without quotes`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tree, problems := parsed("f.yaml", c.text)
			wantProblem(t, tree, problems, c.want...)
		})
	}
}

func TestAManifestBecomesItsObject(t *testing.T) {
	tree, problems := parsed("f.yaml", strings.Replace(policyText, "namespace: shop",
		"creationTimestamp: 2026-01-02T03:04:05Z, labels: {a: b}, managedFields: [{manager: x, fieldsV1: {a: {}}}]", 1)+
		"status: {whatever: [1]}\n")
	if len(problems) > 0 {
		t.Fatal(text(problems))
	}
	p := tree.Input.Policies[0]
	if p.Namespace != "default" || p.Name != "orders" || p.Kind != "AgentAuthPolicy" || p.Labels["a"] != "b" {
		t.Errorf("got %v %v", p.TypeMeta, p.ObjectMeta)
	}
	if want := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC); !p.CreationTimestamp.Time.Equal(want) {
		t.Errorf("created %v, want %v", p.CreationTimestamp, want)
	}
	path := p.Spec.Routes[0].Matches[0].Path
	if string(*path.Type) != "PathPrefix" || *path.Value != "/v1" {
		t.Errorf("the path is %v %v", path.Type, path.Value)
	}
	if got := p.Spec.Authentication.Methods[0].APIKey.Selector.MatchLabels["team"]; got != "orders" {
		t.Errorf("the label is %q", got)
	}
}

func TestWordsOfYAML11AreBooleans(t *testing.T) {
	for word, want := range map[string]bool{"yes": true, "ON": true, "y": true, "True": true, "no": false, "Off": false, "N": false, "false": false} {
		tree, problems := parsed("f.yaml", strings.Replace(policyText, "apiKey: {selector: {matchLabels: {team: orders}}}",
			"basic: {allowPlaintext: "+word+", users: {secretRef: {name: x}}}", 1))
		if len(problems) > 0 {
			t.Errorf("%s: %s", word, text(problems))
		} else if got := tree.Input.Policies[0].Spec.Authentication.Methods[0].Basic.AllowPlaintext; got != want {
			t.Errorf("%s is %v", word, got)
		}
	}
}

func TestWhatOnlyLooksLikeATypeIsAStringOnceQuoted(t *testing.T) {
	tree, problems := parsed("f.yaml", strings.Replace(policyText, "metadata: {name: orders, namespace: shop}",
		"metadata:\n  name: orders\n  annotations:\n    a: \"1\"\n    b: 'yes'\n    c: !!str 2\n    d: 2026-01-02\n    e: |-\n      no\n", 1))
	if len(problems) > 0 {
		t.Fatal(text(problems))
	}
	want := map[string]string{"a": "1", "b": "yes", "c": "2", "d": "2026-01-02", "e": "no"}
	if got := tree.Input.Policies[0].Annotations; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestAnEmptyTimeIsNoTime(t *testing.T) {
	tree, problems := parsed("f.yaml", strings.Replace(policyText, "namespace: shop", "creationTimestamp: null, labels: null", 1))
	if len(problems) > 0 {
		t.Fatal(text(problems))
	}
	if !tree.Input.Policies[0].CreationTimestamp.IsZero() {
		t.Error("it has a time")
	}
}

func TestWhatGatewayAPISaysIsRead(t *testing.T) {
	tree, problems := parsed("f.yaml", `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: a}
spec:
  parentRefs: [{name: g, port: 443}]
  rules: [{backendRefs: [{name: b, port: 80, weight: 1}], timeouts: {request: 1s}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: a}
spec: {rules: [{matches: [{method: {service: s}}]}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: a}
spec:
  gatewayClassName: c
  listeners: [{name: l, port: 443, protocol: HTTPS, allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {a: b}}}}}]
---
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: {name: a}
spec: {from: [{group: agentauth.dev, kind: AgentAuthPolicy, namespace: x}], to: [{group: "", kind: Secret}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: {name: b}
spec: {from: [], to: []}
---
apiVersion: gateway.networking.k8s.io/v1
kind: ListenerSet
metadata: {name: a}
spec: {parentRef: {name: a}, listeners: [{name: l, port: 443, protocol: HTTPS}]}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: orders}}
`)
	if tree == nil || len(problems) != 0 {
		t.Fatalf("want a tree without problems, got:\n%s", text(problems))
	}
	in := &tree.Input
	if len(in.HTTPRoutes) != 1 || len(in.GRPCRoutes) != 1 || len(in.Gateways) != 1 || len(in.ListenerSets) != 1 {
		t.Errorf("not everything was read: %+v", in)
	}
	if want := []engine.Namespace{{Name: "shop", Labels: map[string]string{"team": "orders"}}}; !reflect.DeepEqual(in.Namespaces, want) {
		t.Errorf("expected %v, got %v", want, in.Namespaces)
	}
	if g := in.ReferenceGrants; len(g) != 2 || g[0].Namespace != "default" || g[0].Spec.From[0].Namespace != "x" || g[0].Spec.To[0].Kind != "Secret" || g[1].Name != "b" {
		t.Errorf("expected the ReferenceGrants of both versions, got %+v", g)
	}
}

func TestEveryFieldOfEveryKindHasATypeThatCanBeRead(t *testing.T) {
	seen := map[reflect.Type]bool{}
	var check func(typ reflect.Type, at string)
	check = func(typ reflect.Type, at string) {
		if seen[typ] || slices.Contains(onlyServer, at) || typ == timeType {
			return
		}
		seen[typ] = true
		switch typ.Kind() {
		case reflect.String, reflect.Bool, reflect.Int, reflect.Int32, reflect.Int64, reflect.Uint8, reflect.Uint16:
		case reflect.Pointer, reflect.Slice:
			check(typ.Elem(), at)
		case reflect.Map:
			if typ.Key().Kind() != reflect.String {
				t.Errorf("%s: the keys of %v", at, typ)
			}
			check(typ.Elem(), at)
		case reflect.Struct:
			f := fieldsOf(typ)
			if len(f) == 0 && typ.NumField() > 0 {
				t.Errorf("%s: %v reads itself", at, typ)
			}
			for name, field := range f {
				check(field, join(at, name))
			}
		default:
			t.Errorf("%s: %v", at, typ)
		}
	}
	for _, versions := range kinds {
		for _, create := range versions {
			check(reflect.TypeOf(create()).Elem(), "")
		}
	}
	if !seen[reflect.TypeFor[metav1.ObjectMeta]()] {
		t.Error("metadata was not looked at")
	}
}
