package manifest

import (
	"fmt"
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/apikey"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/objects"
	"github.com/agentauth-dev/agentauth/authz/revoke"
)

// say reports a problem of the current object.
type say func(n *yaml.Node, field, message string)

// add adds an object to the tree, unless the tree has one of its name.
func (r *reader) add(path string, doc *yaml.Node, kind string, o metav1.Object, say say) {
	id := objects.Key{Kind: kind, Namespace: o.GetNamespace(), Name: o.GetName()}
	if other, ok := r.tree.objects[id]; ok && id.Name != "" {
		say(nodeAt(doc, "metadata.name"), "metadata.name", fmt.Sprintf(
			"expected one object of this kind, namespace and name, and %s:%d has another; rename or remove one", other.file, other.places[0].line))
		return
	}
	r.tree.objects[id] = source{path, r.places(doc)}
	in := &r.tree.Input
	switch o := o.(type) {
	case *v1alpha1.AgentAuthPolicy:
		in.Policies = append(in.Policies, o)
	case *corev1.Secret:
		checkEntries(o.Data, doc, "data", say)
		checkEntries(o.StringData, doc, "stringData", say)
		s := Secret(o)
		if s.Use() == v1alpha1.UseAPIKey {
			s.Data = apikey.Digest(s.Annotations, s.Data)
		}
		in.Secrets = append(in.Secrets, s)
	case *corev1.ConfigMap:
		checkConfigMap(o, doc, say)
		c := ConfigMap(o)
		in.ConfigMaps = append(in.ConfigMaps, c)
		if c.Use() == v1alpha1.UseRevocations {
			in.Revocations = append(in.Revocations, revoke.ConfigMap{Namespace: c.Namespace, Name: c.Name, Everywhere: !namesNamespace(doc), Data: c.Data})
		}
	case *corev1.Namespace:
		in.Namespaces = append(in.Namespaces, engine.Namespace{Name: o.Name, Labels: o.Labels})
	default:
		in.AddGateway(o)
	}
}

// namesNamespace says whether the namespace of an object is written.
func namesNamespace(doc *yaml.Node) bool {
	_, metadata := lookup(doc, "metadata")
	if metadata == nil {
		return false
	}
	_, namespace := lookup(metadata, "namespace")
	return namespace != nil && follow(namespace).Value != "" && follow(namespace).ShortTag() == "!!str"
}

// Secret is a Secret for an engine.Input. stringData replaces data, as in the
// API server. API keys stay as they are: each source digests them before it
// keeps the object.
func Secret(s *corev1.Secret) *engine.Object {
	o := &engine.Object{
		Namespace: s.Namespace, Name: s.Name, Labels: s.Labels, Annotations: s.Annotations,
		Type: string(s.Type), Data: s.Data,
	}
	if len(s.StringData) > 0 {
		o.Data = make(map[string][]byte, len(s.Data)+len(s.StringData))
		maps.Copy(o.Data, s.Data)
		for k, v := range s.StringData {
			o.Data[k] = []byte(v)
		}
	}
	return o
}

// ConfigMap is a ConfigMap for an engine.Input.
func ConfigMap(c *corev1.ConfigMap) *engine.Object {
	o := &engine.Object{
		Namespace: c.Namespace, Name: c.Name, Labels: c.Labels, Annotations: c.Annotations,
		Data: make(map[string][]byte, len(c.Data)+len(c.BinaryData)),
	}
	maps.Copy(o.Data, c.BinaryData)
	for k, v := range c.Data { // the API server lets no entry be in both
		o.Data[k] = []byte(v)
	}
	return o
}

func checkConfigMap(c *corev1.ConfigMap, doc *yaml.Node, say say) {
	checkEntries(c.Data, doc, "data", say)
	checkEntries(c.BinaryData, doc, "binaryData", say)
	for _, k := range slices.Sorted(maps.Keys(c.Data)) {
		if _, twice := c.BinaryData[k]; twice {
			at := "binaryData[" + k + "]"
			say(nodeAt(doc, at), at, "the entry is in data too; remove one")
		}
	}
}

// checkEntries checks the names of the entries of a field. The message does not
// repeat a bad name: it may be a value that is indented wrongly.
func checkEntries[V any](entries map[string]V, doc *yaml.Node, field string, say say) {
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		if len(validation.IsConfigMapKey(name)) == 0 {
			continue
		}
		if _, in := lookup(doc, field); in != nil {
			if key, _ := lookup(in, name); key != nil {
				say(key, field, "expected as name of an entry at most 253 letters, digits, '-', '_' or '.'")
			}
		}
	}
}
