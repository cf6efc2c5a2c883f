package manifest

import (
	"strings"
	"testing"
)

// indented is a document as an item of a list.
func indented(text string) string {
	return "- " + strings.TrimPrefix(strings.ReplaceAll("\n"+strings.TrimSuffix(text, "\n"), "\n", "\n  "), "\n  ") + "\n"
}

const secretText = `apiVersion: v1
kind: Secret
metadata: {name: keys, namespace: shop, labels: {agentauth.dev/use: hmac}}
stringData: {secret: a-secret-of-more-than-32-bytes-for-tests}
`

func TestAListIsItsItems(t *testing.T) {
	untyped := func(text string) string { return text[strings.Index(text, "metadata:"):] }
	for name, text := range map[string]string{
		"of kubectl":             "apiVersion: v1\nitems:\n" + indented(policyText) + indented(secretText) + "kind: List\nmetadata:\n  resourceVersion: \"\"\n",
		"beside other documents": policyText + "---\napiVersion: v1\nkind: List\nitems:\n" + indented(secretText),
		"of one kind": "apiVersion: agentauth.dev/v1alpha1\nkind: AgentAuthPolicyList\nmetadata: {resourceVersion: '7'}\nitems:\n" + indented(policyText) +
			"---\napiVersion: v1\nkind: SecretList\nitems:\n" + indented(secretText),
		"of one kind, as an API server answers": "apiVersion: agentauth.dev/v1alpha1\nkind: AgentAuthPolicyList\nitems:\n" + indented(untyped(policyText)) +
			"---\napiVersion: v1\nkind: SecretList\nitems:\n" + indented(untyped(secretText)),
	} {
		tree, problems := parsed("f.yaml", text)
		if tree == nil || len(tree.Input.Policies) != 1 || len(tree.Input.Secrets) != 1 {
			t.Errorf("%s: %s", name, problems)
			continue
		}
		if got := string(tree.Input.Secrets[0].Data["secret"]); got != "a-secret-of-more-than-32-bytes-for-tests" {
			t.Errorf("%s: got %q", name, got)
		}
		at := tree.Locate("AgentAuthPolicy", "shop", "orders", "spec.authentication.methods[0]")
		if line := strings.Split(text, "\n")[at.Line-1]; !strings.Contains(line, "name: keys") {
			t.Errorf("%s: the method is at %+v: %s", name, at, line)
		}
	}
	for _, empty := range []string{"[]", "null", ""} {
		if tree, problems := parsed("f.yaml", "apiVersion: v1\nkind: List\nitems: "+empty+"\n"); tree == nil {
			t.Error(text(problems))
		}
	}
}

func TestWhatIsWrongInAListIsToldWithItsPlace(t *testing.T) {
	head := "apiVersion: v1\nkind: List\nitems:\n"
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"an unknown field of an item": {head + indented(strings.Replace(policyText, "authentication:", "autentication:", 1)),
			[]string{`f.yaml:12:5: AgentAuthPolicy shop/orders: spec: unknown field "autentication"`}},
		"an unknown kind":              {head + indented("apiVersion: v1\nkind: Service\nmetadata: {name: a}\n"), []string{`f.yaml:5:`, `the kind "Service" is not known here`}},
		"an item without a kind":       {head + indented("apiVersion: v1\nmetadata: {name: a}\n"), []string{"f.yaml:4:", "expected a field kind"}},
		"an item that is a text":       {head + "- a\n", []string{"f.yaml:4:", "expected a mapping"}},
		"no items":                     {"apiVersion: v1\nkind: List\n", []string{"items: expected a list of objects and there is none"}},
		"items of a wrong type":        {"apiVersion: v1\nkind: List\nitems: {a: b}\n", []string{"f.yaml:3:", "items: expected a list"}},
		"another version":              {"apiVersion: v2\nkind: List\nitems: []\n", []string{"f.yaml:1:", `expected v1 for kind List`}},
		"another version of the items": {"apiVersion: agentauth.dev/v1\nkind: AgentAuthPolicyList\nitems: []\n", []string{"f.yaml:1:", `came "agentauth.dev/v1"`}},
		"an unknown field":             {head + indented(secretText) + "item: []\n", []string{"unknown field in a List"}},
		"a list in a list":             {head + indented(head+indented(secretText)), []string{"items[0]: expected an object, came a list in a list"}},
		"a list of what is not known":  {"apiVersion: v1\nkind: ServiceList\nitems: []\n", []string{`the kind "ServiceList" is not known here`}},
		"an object twice":              {head + indented(secretText) + indented(secretText), []string{"f.yaml:10:", "f.yaml:4 has another"}},
		"more than a thousand":         {head + strings.Repeat("- {}\n", 1001), []string{"expected at most 1,000 objects in the lists of a file"}},
	} {
		t.Run(name, func(t *testing.T) {
			tree, problems := parsed("f.yaml", c.text)
			wantProblem(t, tree, problems, c.want...)
		})
	}
}

func TestItemsOfAListThatShareValuesOfASecretKeepThem(t *testing.T) {
	tree, problems := parsed("f.yaml", `apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Secret, metadata: {name: a}, stringData: &data {secret: a-secret-of-more-than-32-bytes-for-tests}}
- {apiVersion: v1, kind: Secret, metadata: {name: b}, stringData: *data}
`)
	if tree == nil {
		t.Fatal(text(problems))
	}
	for _, s := range tree.Input.Secrets {
		if len(s.Data["secret"]) != 40 {
			t.Errorf("%s has %q", s.Name, s.Data["secret"])
		}
	}
}

func TestOtherKindsAreIgnoredWhereThatIsAskedFor(t *testing.T) {
	for name, c := range map[string]struct {
		text  string
		other bool
	}{
		"a Service":                         {"apiVersion: v1\nkind: Service\nmetadata: {name: a}\n", true},
		"a SealedSecret":                    {"apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: a}\n", true},
		"a Kustomization":                   {"apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [a.yaml]\n", true},
		"a Kustomization without a kind":    {"resources: [a.yaml]\n", true},
		"a chart":                           {"apiVersion: v2\nname: a\nversion: 1.0.0\n", true},
		"a patch":                           {"- op: remove\n  path: /spec\n", true},
		"a Gateway of another group":        {"apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: a}\n", true},
		"a Secret of another group":         {"apiVersion: x.example.com/v1\nkind: Secret\nmetadata: {name: a}\n", true},
		"a List of another kind":            {"apiVersion: v1\nkind: ServiceList\nitems: []\n", true},
		"a TCPRoute":                        {"apiVersion: gateway.networking.k8s.io/v1alpha2\nkind: TCPRoute\nmetadata: {name: a}\n", true},
		"a version of ours that is none":    {"apiVersion: agentauth.dev/v1\nkind: AgentAuthPolicy\nmetadata: {name: a}\n", false},
		"a kind of ours that is none":       {"apiVersion: agentauth.dev/v1alpha1\nkind: AgentAuthPolcy\nmetadata: {name: a}\n", false},
		"our kind in another group":         {"apiVersion: agentauth.io/v1alpha1\nkind: AgentAuthPolicy\nmetadata: {name: a}\n", false},
		"our kind without a version":        {"kind: AgentAuthPolicy\nmetadata: {name: a}\n", false},
		"our group without a kind":          {"apiVersion: agentauth.dev/v1alpha1\nmetadata: {name: a}\n", false},
		"a list of ours of another version": {"apiVersion: agentauth.dev/v1\nkind: AgentAuthPolicyList\nitems: []\n", false},
		"another version of a known kind":   {"apiVersion: gateway.networking.k8s.io/v1alpha2\nkind: HTTPRoute\nmetadata: {name: a}\n", false},
		"a mistake in a Secret":             {"apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringdata: {}\n", false},
	} {
		tree, _, problems := Options{OtherKinds: true}.Read([]File{{Path: "f.yaml", Data: []byte(c.text + "---\n" + policyText)}})
		if (tree != nil) != c.other {
			t.Errorf("%s: %s", name, text(problems))
		} else if tree != nil && (tree.Other != 1 || len(tree.Input.Policies) != 1) {
			t.Errorf("%s: got %d others and %d policies", name, tree.Other, len(tree.Input.Policies))
		}
		if tree, _ := parsed("f.yaml", c.text); tree != nil {
			t.Errorf("%s: it is read without the option", name)
		}
	}
	tree, _, problems := Options{OtherKinds: true}.Read([]File{{Path: "f.yaml", Data: []byte("apiVersion: v1\nkind: List\nitems:\n" + indented(policyText) + indented("apiVersion: v1\nkind: Service\nmetadata: {name: a}\n"))}})
	if tree == nil || tree.Other != 1 || len(tree.Input.Policies) != 1 {
		t.Error(text(problems))
	}
}

func TestAFileOfCommentsAloneIsIgnored(t *testing.T) {
	for _, comments := range []string{"# nothing\n", "  # nothing", "---\n# nothing\n", "# a\n---\n# b\n...\n", byteOrderMark + "# nothing\r\n"} {
		tree, problems := Read([]File{{Path: "a.yaml", Data: []byte(comments)}, {Path: "b.yaml", Data: []byte(policyText)}})
		if tree == nil || len(tree.Input.Policies) != 1 {
			t.Errorf("%q: %s", comments, text(problems))
		}
	}
}
