package manifest

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestAFileThatCannotBeParsedIsToldWithItsLine(t *testing.T) {
	secret := "apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData:\n"
	for name, c := range map[string]struct {
		file, text string
		want       string
	}{
		"an empty file":                          {"f.yaml", "", "f.yaml:1:1: : : expected a document and the file has none; to take objects away remove the file"},
		"a file with nothing but separators":     {"f.yaml", "---\n---\n", "expected a document and the file has none"},
		"an empty file of JSON":                  {"f.json", " \n", "expected a document and the file has none"},
		"a NUL":                                  {"f.yaml", "a: b\nc: \x00\n", "f.yaml:2:1: : : a NUL byte"},
		"UTF-16":                                 {"f.yaml", "\xff\xfea\x00:\x00", "f.yaml:1:1: : : a NUL byte"},
		"bytes that are no UTF-8":                {"f.yaml", "a: b\nc: \xff\n", "f.yaml:2:1: : : bytes that are no UTF-8"},
		"a tab that indents":                     {"f.yaml", "a:\n\tb: c\n", "f.yaml:2:1: : : the line is indented with a tab"},
		"a tab behind spaces":                    {"f.yaml", "a:\n  b: x\n  \tc: d\n", "f.yaml:3:1: : : the line is indented with a tab"},
		"a value that holds a colon":             {"f.yaml", secret + "  first: " + canary + ": x\n", "f.yaml:5:1: : : a \": \" comes where no value can begin"},
		"a value that looks like an alias":       {"f.yaml", secret + "  first: *hunter2\n", "f.yaml:5:1: : : an alias (*name) names an anchor that is not above it"},
		"a value that starts with a reserved %":  {"f.yaml", secret + "  first: %" + canary + "\n", "f.yaml:5:1: : : a character no value can start with"},
		"a quote that is not closed":             {"f.yaml", secret + "  first: \"" + canary + "\n", "f.yaml:5:1: : : a quote that begins here is not closed"},
		"an escape that does not exist":          {"f.yaml", secret + "  first: \"\\" + canary + "\"\n", "f.yaml:5:1: : : an escape that YAML does not know"},
		"a bracket that is not closed":           {"f.yaml", secret + "  first: [" + canary + "\n", "brackets that begin here are not closed"},
		"an optional field of CEL in brackets":   {"f.yaml", "a:\n  b:\n  - {value: claims.?site}\n", "f.yaml:3:1: : : brackets that begin here are not closed, or lack a comma; quote a value in them"},
		"indentation that is less":               {"f.yaml", "a:\n    b: c\n  d: e\n", "f.yaml:3:1: : : this line is neither a key of a mapping nor an item of a list above it"},
		"an item among keys":                     {"f.yaml", "a:\n  b: c\n  - d\n", "f.yaml:3:1: : : this line is neither a key of a mapping nor an item of a list above it"},
		"a control character":                    {"f.yaml", "a: \x01\n", "a control character"},
		"nesting beyond all measure":             {"f.yaml", strings.Repeat("[", 20_000), "nested too deeply"},
		"nesting beyond all measure in JSON":     {"f.json", strings.Repeat("[", 20_000), "nested too deeply"},
		"a comment in JSON":                      {"f.json", "{\n // x\n}", "f.json:2:1: : : this is not JSON"},
		"a comma too many in JSON":               {"f.json", "{\n\"a\": \"" + canary + "\",\n}", "f.json:2:1: : : this is not JSON"},
		"half of JSON":                           {"f.json", "{\"a\": \"" + canary, "f.json:1:1: : : this is not JSON"},
		"something after JSON":                   {"f.json", "]", "f.json:1:1: : : this is not JSON"},
		"an unpaired surrogate in JSON":          {"f.json", `{"a": "\ud800"}`, "this is not JSON"},
		"a key of a policy in JSON twice":        {"f.json", "{\"apiVersion\": \"v1\",\n \"kind\": \"Secret\",\n\"apiVersion\": \"v1\"}", "f.json:3:1: : : the key \"apiVersion\" comes twice"},
		"a thousand documents and one":           {"f.yaml", strings.Repeat("---\na\n", 1001), "expected at most 1,000 documents in a file"},
		"a thousand documents and one, all void": {"f.yaml", strings.Repeat("---\n", 1002), "expected at most 1,000 documents in a file"},
		"a thousand documents and one, in JSON":  {"f.json", strings.Repeat("1 ", 1001), "expected at most 1,000 documents in a file"},
	} {
		t.Run(name, func(t *testing.T) {
			tree, problems := parsed(c.file, c.text)
			wantProblem(t, tree, problems, c.want)
			if strings.Contains(text(problems), "hunter2") {
				t.Error("it holds a secret")
			}
		})
	}
}

func TestAnEmptyDocumentBesideOthersIsFine(t *testing.T) {
	tree, problems := parsed("f.yaml", "---\n# nothing\n---\n"+policyText+"---\n---\n")
	if tree == nil || len(tree.Input.Policies) != 1 {
		t.Fatal(text(problems))
	}
}

func TestAByteOrderMarkAndCRLFAreRead(t *testing.T) {
	tree, problems := parsed("f.yaml", byteOrderMark+strings.ReplaceAll(policyText+"---\n"+`apiVersion: v1
kind: Secret
metadata: {name: users}
stringData:
  auth: |
    a:b
    c:d
`, "\n", "\r\n"))
	if tree == nil {
		t.Fatal(text(problems))
	}
	if got := string(tree.Input.Secrets[0].Data["auth"]); got != "a:b\nc:d\n" {
		t.Errorf("the block is %q", got)
	}
	if got := tree.Input.Policies[0].Spec.Routes[0].Hostnames[0]; got != "orders.example.com" {
		t.Errorf("the host is %q", got)
	}
}

func TestJSONIsReadAsJSON(t *testing.T) {
	const policy = `{
	"apiVersion": "agentauth.dev/v1alpha1", "kind": "AgentAuthPolicy",
	"metadata": {"name": "NAME", "annotations": {"smile": "\ud83d\ude00\/", "word": "yes"}},
	"spec": {"routes": [{"hostnames": ["a"]}],
		"authentication": {"methods": [{"name": "x", "basic": {"allowPlaintext": true, "realm": null, "users": {"secretRef": {"name": 5}}}}]}}
}
`
	good := strings.NewReplacer("5", `"s"`, `"realm": null, `, "")
	tree, problems := parsed("f.json", byteOrderMark+good.Replace(strings.Replace(policy, "NAME", "one", 1)+strings.Replace(policy, "NAME", "two", 1)))
	if tree == nil || len(tree.Input.Policies) != 2 {
		t.Fatal(text(problems))
	}
	p := tree.Input.Policies[1]
	if p.Annotations["smile"] != "😀/" || p.Annotations["word"] != "yes" || !p.Spec.Authentication.Methods[0].Basic.AllowPlaintext {
		t.Errorf("got %+v", p)
	}
	at := tree.Locate("AgentAuthPolicy", "default", "two", "spec.authentication.methods[0].name")
	if at.Line != 11 || at.Column != 35 {
		t.Errorf("the name is at %v", at)
	}
	_, problems = parsed("f.json", strings.Replace(policy, "NAME", "one", 1))
	if got := text(problems); len(problems) != 2 ||
		!strings.Contains(got, `f.json:5:91: AgentAuthPolicy default/one: spec.authentication.methods[0].basic.realm: expected a string, came nothing`) ||
		!strings.Contains(got, `f.json:5:129: AgentAuthPolicy default/one: spec.authentication.methods[0].basic.users.secretRef.name: expected a string, came the number 5`) {
		t.Errorf("got\n%s", got)
	}
}

func TestWhatAliasesMultiplyIsBounded(t *testing.T) {
	bomb := "apiVersion: v1\nkind: Secret\nmetadata:\n  name: s\n  annotations:\n    a0: &a0 {x: y}\n"
	for i := range 30 {
		bomb += fmt.Sprintf("    a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 10), ", "))
	}
	long := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  a: &a " + strings.Repeat("x", 500_000) + "\n"
	for i := range 1000 {
		long += fmt.Sprintf("  b%d: *a\n", i)
	}
	routes := "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: r}\nspec:\n"
	lists := routes + "  hostnames: &h [" + strings.TrimSuffix(strings.Repeat("a, ", 1000), ", ") + "]\n  rules:\n" + strings.Repeat("  - matches: [{headers: *h}]\n", 2000)
	merges := "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c\n  labels: &m0 {a: b}\ndata:\n"
	for i := range 30 {
		merges += fmt.Sprintf("  m%d: &m%d {<<: [%s]}\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*m%d, ", i), 10), ", "))
	}
	merges += "  <<: *m30\n"
	for name, c := range map[string]struct{ text, want string }{
		"a billion laughs":                  {bomb, "expected"},
		"a long string a thousand times":    {long, "expected at most 1 MiB to be repeated through aliases"},
		"a long list a thousand times":      {lists, "expected"},
		"merges of merges":                  {merges, "expected at most 1 MiB to be repeated through aliases"},
		"an anchor that holds its alias":    {"apiVersion: v1\nkind: ConfigMap\nmetadata: &m\n  name: c\n  labels: *m\n", "expected a string, came a mapping"},
		"a merge of itself":                 {"apiVersion: v1\nkind: ConfigMap\nmetadata: &m\n  name: c\n  <<: *m\n", "nested too deeply"},
		"a list of itself":                  {routes + "  rules: &r\n  - filters: [{requestMirror: {backendRef: *r}}]\n", "expected a mapping, came a list"},
		"nesting of more levels than are":   {"apiVersion: v1\nkind: ConfigMap\nmetadata: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000), "expected a mapping, came a list"},
		"a document that is an alias chain": {"a: &a b\nb: &b\n- *a\nkind: *a\napiVersion: *a\n", `the kind "b" is not known here`},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			tree, problems := parsed("f.yaml", c.text)
			if tree != nil || !strings.Contains(text(problems), c.want) {
				t.Errorf("it does not say %q:\n%.2000s", c.want, text(problems))
			}
			if len(problems) > maxProblems+1 {
				t.Errorf("there are %d problems", len(problems))
			}
			if d := time.Since(began); d > 10*time.Second {
				t.Errorf("it took %v", d)
			}
		})
	}
}

func TestOnlyTheFirstProblemsOfAFileAreTold(t *testing.T) {
	_, problems := parsed("f.yaml", policyText+"  x: {"+strings.Repeat("y: 1, ", 10)+"}\n"+strings.Repeat("---\na: b\n", 900))
	if len(problems) != maxProblems+1 {
		t.Errorf("there are %d problems", len(problems))
	}
}

func FuzzRead(f *testing.F) {
	f.Add("f.yaml", []byte(policyText))
	f.Add("f.json", []byte(`{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "data": {"a": "YQ=="}}`))
	f.Add("f.yaml", []byte("apiVersion: v1\nkind: Secret\nmetadata: {name: &a a, labels: {<<: {b: *a}}}\nstringData: {a: |-\n   b\n}\n---\n- !!x y\n"))
	f.Add("f.yaml", []byte("apiVersion: v1\nkind: List\nitems:\n- &a {apiVersion: v1, kind: Secret, metadata: {name: a}, stringData: &d {a: b}}\n- *a\n- {<<: *a, metadata: {name: b}}\n"))
	f.Add("f.yaml", []byte("a:\n  b: \"c\" in d\n  e: [\"f\" g]\n"))
	f.Add("f.yaml", []byte("a: &a [*a]\n<<: *a\n? [b]\n: c\n"))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		if (File{Path: name}).isJSON() {
			name = "f.json"
		} else {
			name = "f.yaml"
		}
		tree, problems := Read([]File{{Path: name, Data: data}})
		failed := false
		for _, p := range problems {
			failed = failed || p.Severity.Fatal()
			if p.Message == "" || p.File != name || p.Line < 0 {
				t.Errorf("a problem that says nothing: %+v", p)
			}
		}
		if failed != (tree == nil) {
			t.Errorf("tree %v, problems:\n%s", tree, text(problems))
		}
		if tree == nil {
			return
		}
		for _, p := range tree.Input.Policies {
			if at := tree.Locate("AgentAuthPolicy", p.Namespace, p.Name, "spec.routes[0].hostnames[0]"); at.Line == 0 {
				t.Errorf("policy %s/%s is nowhere", p.Namespace, p.Name)
			}
		}
	})
}

// FuzzSecrets breaks Secrets around a value, in ways that leave it part of one.
func FuzzSecrets(f *testing.F) {
	for _, around := range [][2]string{
		{"", ""}, {"'", "'"}, {"\"", ""}, {"*", ""}, {"&", " x"}, {"!", " x"}, {"[", ""}, {"{", ": x}"}, {"x: ", ""}, {"|\n  ", "\n x"},
		{"\n  ", ": x"}, {"\n", ": x"}, {"\t", "\n\t"}, {"%", ""}, {"!!binary ", ""}, {"!!int ", ""}, {"- ", "\n- "}, {"? ", "\n: "}, {"<<: ", ""},
	} {
		f.Add(around[0], around[1])
	}
	const head = "apiVersion: v1\nkind: Secret\nmetadata: {name: keys, labels: {agentauth.dev/use: api-key}}\n"
	f.Fuzz(func(t *testing.T, before, after string) {
		if strings.Contains(before+after, "kind") || strings.Contains(before+after, "---") || strings.Contains(before+after, "...") || strings.Contains(before+after, "\\") {
			return // another document: no Secret any more
		}
		for _, field := range []string{"stringData:\n  first: ", "data:\n  first: ", "metadata:\n  name: ", "type: "} {
			_, problems := parsed("f.yaml", head+field+before+canary+after+"\n")
			if got := text(problems); strings.Contains(got, canary) {
				t.Errorf("%q %q: it holds the secret:\n%s", before, after, got)
			}
		}
	})
}
