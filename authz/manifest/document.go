package manifest

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/objects"
)

// kinds are the kinds that are known: kind -> apiVersion -> type.
var kinds = map[string]map[string]func() metav1.Object{
	v1alpha1.Kind: {v1alpha1.GroupVersion.String(): func() metav1.Object { return &v1alpha1.AgentAuthPolicy{} }},
	"Secret":      {"v1": func() metav1.Object { return &corev1.Secret{} }},
	"ConfigMap":   {"v1": func() metav1.Object { return &corev1.ConfigMap{} }},
	"Namespace":   {"v1": func() metav1.Object { return &corev1.Namespace{} }},
	"HTTPRoute":   {gatewayAPI + "v1": func() metav1.Object { return &gatewayv1.HTTPRoute{} }},
	"GRPCRoute":   {gatewayAPI + "v1": func() metav1.Object { return &gatewayv1.GRPCRoute{} }},
	"Gateway":     {gatewayAPI + "v1": func() metav1.Object { return &gatewayv1.Gateway{} }},
	"ListenerSet": {gatewayAPI + "v1": func() metav1.Object { return &gatewayv1.ListenerSet{} }},
	"ReferenceGrant": {
		gatewayAPI + "v1":      func() metav1.Object { return &gatewayv1.ReferenceGrant{} },
		gatewayAPI + "v1beta1": func() metav1.Object { return &gatewayv1beta1.ReferenceGrant{} },
	},
}

const gatewayAPI = "gateway.networking.k8s.io/"

// onlyServer are the paths of fields that only the API server writes. A manifest
// that was read from a cluster has them.
var onlyServer = []string{"status", "metadata.managedFields"}

// document reads the object of a document.
func (r *reader) document(path string, doc *yaml.Node) {
	say := func(n *yaml.Node, field, message string) {
		r.problems.at(path, n, authz.Problem{Field: field, Message: message})
	}
	if r.otherKinds && isOther(doc) {
		r.tree.Other++
		return
	}
	if follow(doc).Kind != yaml.MappingNode {
		say(doc, "", "expected a mapping with apiVersion, kind and metadata, and this is none")
		return
	}
	version, kind, ok := typeOf(doc, say)
	if _, list := listOf(kind); ok && list {
		for _, item := range r.items(doc, version, kind, say) {
			r.document(path, item)
		}
		return
	}
	var create func() metav1.Object
	if ok {
		create = creatorOf(doc, version, kind, say)
	}
	id, named := identify(kind, doc)
	if create == nil {
		id.Kind = ""
		r.dubious[id] = true
		return
	}
	o := create()
	object := kind
	if named {
		object = id.String()
	}
	say = func(n *yaml.Node, field, message string) {
		r.problems.at(path, n, authz.Problem{Object: object, Field: field, Message: message})
	}
	c := &checker{say: say, ignored: onlyServer, quiet: kind == "Secret"}
	if kind == v1alpha1.Kind {
		c.noNull = "spec"
	}
	c.decode(doc, kind, o)
	checkMeta(o, doc, say)
	if kind == "Namespace" {
		o.SetNamespace("")
	} else if o.GetNamespace() == "" {
		o.SetNamespace("default")
	}
	r.add(path, doc, kind, o, say)
}

// typeOf is the version and kind of a document; ok is false if a problem was
// reported.
func typeOf(doc *yaml.Node, say say) (version, kind string, ok bool) {
	version, ok = headerField(doc, "apiVersion", say)
	kind, ok2 := headerField(doc, "kind", say)
	return version, kind, ok && ok2
}

// creatorOf is what makes an empty object of a kind; nil if a problem was reported.
func creatorOf(doc *yaml.Node, version, kind string, say say) (create func() metav1.Object) {
	versions, known := kinds[kind]
	if !known {
		_, at := lookup(doc, "kind")
		message := "the kind " + word(kind) + " is not known here"
		if meant := authz.Near(kind, slices.Sorted(maps.Keys(kinds))); meant != "" {
			message += fmt.Sprintf("; did you mean %q?", meant)
		}
		say(at, "kind", message+"; known are "+strings.Join(slices.Sorted(maps.Keys(kinds)), ", "))
		return nil
	}
	create = versions[version]
	if create == nil {
		_, at := lookup(doc, "apiVersion")
		say(at, "apiVersion", fmt.Sprintf("expected %s for kind %s, came %s",
			strings.Join(slices.Sorted(maps.Keys(versions)), " or "), kind, word(version)))
	}
	return create
}

// headerField is a field that says the type of a document. It may come once:
// with two kinds nobody knows whether the document is a Secret.
func headerField(doc *yaml.Node, name string, say say) (string, bool) {
	key, value := lookup(doc, name)
	if key == nil {
		say(doc, "", "expected a field "+name+"; it says, with others, what this document is")
		return "", false
	}
	mapping := follow(doc)
	for i := 0; i < len(mapping.Content); i += 2 {
		if k := follow(mapping.Content[i]); k != follow(key) && k.Kind == yaml.ScalarNode && k.Value == name {
			say(k, "", "the key \""+name+"\" comes twice; remove one, or put \"---\" between two documents")
			return "", false
		}
	}
	if value = follow(value); value.Kind != yaml.ScalarNode || tagOf(value) != "!!str" || value.Value == "" {
		say(key, name, "expected a string")
		return "", false
	}
	return value.Value, true
}

var wordLike = regexp.MustCompile(`^[A-Za-z0-9./-]{1,100}$`)

// word repeats a kind or version if it looks like one. Any other text may be a
// secret in a wrong place.
func word(s string) string {
	if wordLike.MatchString(s) {
		return `"` + s + `"`
	}
	return "that was given"
}

// identify reads the name of an object before its document is checked, so that
// every problem has it.
func identify(kind string, doc *yaml.Node) (objects.Key, bool) {
	id := objects.Key{Kind: kind, Namespace: "default"}
	_, meta := lookup(doc, "metadata")
	if meta == nil {
		return id, false
	}
	if _, ns := lookup(meta, "namespace"); ns != nil && follow(ns).Value != "" {
		id.Namespace = follow(ns).Value
	}
	if _, name := lookup(meta, "name"); name != nil {
		id.Name = follow(name).Value
	}
	return id, len(validation.IsDNS1123Label(id.Namespace)) == 0 && len(validation.IsDNS1123Subdomain(id.Name)) == 0
}

// checkMeta checks metadata by the rules of the API server.
func checkMeta(o metav1.Object, doc *yaml.Node, say say) {
	const dns = "letters of lower case, digits and '-', with a letter or digit at both ends"
	if name := o.GetName(); name == "" {
		say(nodeAt(doc, "metadata"), "metadata.name", "expected a name and there is none")
	} else if len(validation.IsDNS1123Subdomain(name)) > 0 {
		say(nodeAt(doc, "metadata.name"), "metadata.name", "expected a DNS name of at most 253 characters: labels of "+dns+", separated by '.'")
	}
	if ns := o.GetNamespace(); ns != "" && len(validation.IsDNS1123Label(ns)) > 0 {
		say(nodeAt(doc, "metadata.namespace"), "metadata.namespace", "expected a DNS label of at most 63 characters: "+dns)
	}
	for _, k := range slices.Sorted(maps.Keys(o.GetLabels())) {
		at := "metadata.labels[" + k + "]"
		if len(validation.IsQualifiedName(k)) > 0 {
			say(nodeAt(doc, at), "metadata.labels", "expected as key a name of at most 63 letters, digits, '-', '_' or '.', with or without a DNS prefix and '/'")
		} else if len(validation.IsValidLabelValue(o.GetLabels()[k])) > 0 {
			say(nodeAt(doc, at), at, "expected at most 63 letters, digits, '-', '_' or '.', with a letter or digit at both ends; longer things are annotations")
		}
	}
	for _, k := range slices.Sorted(maps.Keys(o.GetAnnotations())) {
		if len(validation.IsQualifiedName(strings.ToLower(k))) > 0 {
			say(nodeAt(doc, "metadata.annotations["+k+"]"), "metadata.annotations", "expected as key a name of at most 63 letters, digits, '-', '_' or '.', with or without a DNS prefix and '/'")
		}
	}
}
