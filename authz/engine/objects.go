package engine

import (
	"slices"
	"strings"
	"weak"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
)

// objectKey names a Secret or ConfigMap.
type objectKey struct{ kind, namespace, name string }

func (k objectKey) String() string { return k.kind + " " + k.namespace + "/" + k.name }

// objects are the Secrets and ConfigMaps of an Input, by name and, for API
// keys, by each label.
type objects struct {
	byKey   map[objectKey]*Object
	byLabel map[string][]*Object
	prints  map[objectKey]fingerprint
	printed map[weak.Pointer[Object]]fingerprint
	grants  referenceGrants
}

// newObjects takes over the fingerprints of objects that did not change.
func newObjects(in Input, printed map[weak.Pointer[Object]]fingerprint) *objects {
	o := &objects{
		byKey:   make(map[objectKey]*Object, len(in.Secrets)+len(in.ConfigMaps)),
		byLabel: map[string][]*Object{},
		prints:  make(map[objectKey]fingerprint, len(in.Secrets)+len(in.ConfigMaps)),
		printed: make(map[weak.Pointer[Object]]fingerprint, len(in.Secrets)+len(in.ConfigMaps)),
		grants:  newReferenceGrants(in.ReferenceGrants),
	}
	o.add("Secret", in.Secrets, printed)
	o.add("ConfigMap", in.ConfigMaps, printed)
	for key, obj := range o.byKey {
		if key.kind != "Secret" || obj.Use() != v1alpha1.UseAPIKey {
			continue
		}
		for k, v := range obj.Labels {
			l := labelKey(obj.Namespace, k, v)
			o.byLabel[l] = append(o.byLabel[l], obj)
		}
	}
	for _, list := range o.byLabel {
		slices.SortFunc(list, func(a, b *Object) int { return strings.Compare(a.Name, b.Name) })
	}
	return o
}

func (o *objects) add(kind string, list []*Object, printed map[weak.Pointer[Object]]fingerprint) {
	for _, obj := range list {
		key := objectKey{kind, obj.Namespace, obj.Name}
		same := weak.Make(obj)
		was, known := printed[same]
		if !known {
			was = fingerprintOf(kind, obj)
		}
		o.byKey[key], o.prints[key], o.printed[same] = obj, was, was
	}
}

// printOf is the fingerprint of a Secret.
func (o *objects) printOf(secret *Object) fingerprint {
	return o.prints[objectKey{"Secret", secret.Namespace, secret.Name}]
}

func labelKey(namespace, key, value string) string { return namespace + "\x00" + key + "\x00" + value }

// selectKeys returns, by name, the Secrets of API keys that have all labels.
func (o *objects) selectKeys(namespace string, labels map[string]v1alpha1.LabelValue) []*Object {
	var smallest []*Object
	found := false
	for k, v := range labels {
		if list := o.byLabel[labelKey(namespace, k, string(v))]; !found || len(list) < len(smallest) {
			smallest, found = list, true
		}
	}
	var out []*Object
	for _, obj := range smallest {
		if hasLabels(obj, labels) {
			out = append(out, obj)
		}
	}
	return out
}

func hasLabels(o *Object, labels map[string]v1alpha1.LabelValue) bool {
	for k, v := range labels {
		if got, ok := o.Labels[k]; !ok || got != string(v) {
			return false
		}
	}
	return true
}
