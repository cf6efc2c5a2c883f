package policydir

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/apikey"
	"github.com/agentauth-dev/agentauth/authz/engine"
)

// builder makes a Tree of files.
type builder struct {
	tree     *Tree
	problems problems
}

// build reads everything, also after a mistake: who corrects one wants to know
// of the others. The tree is nil if there is any.
func build(c *content) (*Tree, []authz.Problem) {
	b := &builder{tree: &Tree{objects: map[objectID]source{}}}
	for _, p := range c.problems {
		b.problems.add(p)
	}
	for _, f := range c.files {
		b.file(f)
	}
	if b.problems.fatal {
		return nil, b.problems.sorted()
	}
	return b.tree, b.problems.sorted()
}

func (b *builder) file(f file) {
	docs, broken := parse(f)
	for _, doc := range docs {
		b.manifest(f.path, doc)
	}
	switch {
	case broken != nil:
		broken.File = f.path
		b.problems.add(*broken)
	case len(docs) == 0:
		b.problems.add(invalid(f.path, 1, "expected a document and the file has none; to take objects away remove the file"))
	}
}

// parse returns the documents of a file, those before a mistake too.
func parse(f file) ([]*yaml.Node, *authz.Problem) {
	data := bytes.TrimPrefix(f.data, []byte(byteOrderMark))
	if i := bytes.IndexByte(data, 0); i >= 0 {
		return nil, atLine(lineOf(data, i), "a NUL byte; expected text in UTF-8")
	}
	if i := invalidUTF8(data); i >= 0 {
		return nil, atLine(lineOf(data, i), "bytes that are no UTF-8; save the file as UTF-8, and put binary data into a Secret's data or a ConfigMap's binaryData")
	}
	if isJSON(f.path) {
		return parseJSON(data)
	}
	return parseYAML(data)
}

func invalidUTF8(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

// add keeps an object, unless there is one of its name.
func (b *builder) add(path string, doc *yaml.Node, kind string, o metav1.Object, say func(n *yaml.Node, field, message string)) {
	id := objectID{kind, o.GetNamespace(), o.GetName()}
	if other, ok := b.tree.objects[id]; ok && id.name != "" {
		say(nodeAt(doc, "metadata.name"), "metadata.name", fmt.Sprintf(
			"expected one object of this kind, namespace and name, and %s:%d has another; rename or remove one", other.file, other.node.Line))
		return
	}
	b.tree.objects[id] = source{path, doc}
	in := &b.tree.Input
	switch o := o.(type) {
	case *v1alpha1.AgentAuthPolicy:
		in.Policies = append(in.Policies, o)
	case *corev1.Secret:
		in.Secrets = append(in.Secrets, secret(o, doc, say))
		erase(doc)
	case *corev1.ConfigMap:
		in.ConfigMaps = append(in.ConfigMaps, configMap(o, doc, say))
	case *corev1.Namespace:
		in.Namespaces = append(in.Namespaces, engine.Namespace{Name: o.Name, Labels: o.Labels})
	default:
		in.AddGateway(o)
	}
}

func secret(s *corev1.Secret, doc *yaml.Node, say func(n *yaml.Node, field, message string)) *engine.Object {
	o := &engine.Object{
		Namespace: s.Namespace, Name: s.Name, Labels: s.Labels, Annotations: s.Annotations,
		Type: string(s.Type), Data: map[string][]byte{},
	}
	maps.Copy(o.Data, s.Data)
	for k, v := range s.StringData { // written over data, as the API server does
		o.Data[k] = []byte(v)
	}
	checkKeys(o.Data, doc, say, "data", "stringData")
	if o.Use() == v1alpha1.UseAPIKey {
		o.Data = apikey.Digest(o.Data)
	}
	return o
}

func configMap(c *corev1.ConfigMap, doc *yaml.Node, say func(n *yaml.Node, field, message string)) *engine.Object {
	o := &engine.Object{
		Namespace: c.Namespace, Name: c.Name, Labels: c.Labels, Annotations: c.Annotations,
		Data: map[string][]byte{},
	}
	maps.Copy(o.Data, c.BinaryData)
	for k, v := range c.Data {
		if _, twice := o.Data[k]; twice {
			at := "binaryData[" + k + "]"
			say(nodeAt(doc, at), at, "the entry is in data too; remove one")
		}
		o.Data[k] = []byte(v)
	}
	checkKeys(o.Data, doc, say, "data", "binaryData")
	return o
}

// checkKeys checks the names of entries. A bad one is not repeated: it may be a
// value that is indented wrongly.
func checkKeys(data map[string][]byte, doc *yaml.Node, say func(n *yaml.Node, field, message string), in ...string) {
	for _, k := range slices.Sorted(maps.Keys(data)) {
		if len(validation.IsConfigMapKey(k)) == 0 {
			continue
		}
		for _, field := range in {
			if _, m := lookup(doc, field); m != nil {
				if key, _ := lookup(m, k); key != nil {
					say(key, field, "expected as name of an entry at most 253 letters, digits, '-', '_' or '.'")
				}
			}
		}
	}
}
