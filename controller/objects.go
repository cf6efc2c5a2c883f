package controller

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"reflect"

	corev1 "k8s.io/api/core/v1"
	crdv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/apikey"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/manifest"
)

// item is what a collection holds of an object of the API server.
type item struct {
	metav1.ObjectMeta // of it only what names the object and its state
	// value is what the engine takes. It stays the same pointer until the engine
	// would make something else of it.
	value any
	// unreadable says why an object has no value: it is left out.
	unreadable string
	// size is about how many bytes a labelled object has, also where its content
	// was omitted.
	size    int
	omitted bool
	// status is the newest one of a policy.
	status policyStatus
	// written is the resourceVersion that the policy got when its status was
	// written from here, if that is newer than what the watch has delivered.
	written string
}

// configMapObject is the value of a ConfigMap; that of a Secret is the object.
type configMapObject struct{ *engine.Object }

// definition is the value of a CRD.
type definition struct {
	*crdv1.CustomResourceDefinition
	// spec is the digest of all that it says of the kind.
	spec [sha256.Size]byte
}

// newItem makes an item of an object of a kind, and leaves an item as it is. API
// keys become digests. What kubectl remembers of a manifest goes, because it may
// hold them too.
func newItem(kind client.Object, obj any) (any, error) {
	switch o := obj.(type) {
	case *item:
		return o, nil
	case *received:
		return o.item(kind), nil
	case client.Object:
		i := &item{ObjectMeta: nameAndState(o)}
		i.value = valueOf(o)
		if labelled := i.labelledObject(); labelled != nil {
			i.size = sizeOf(labelled)
		}
		return i, nil
	}
	return nil, fmt.Errorf("expected an object, got %T", obj)
}

// maxReason bounds what is said of an object that cannot be read.
const maxReason = 200

func (r *received) item(kind client.Object) *item {
	i := &item{ObjectMeta: nameAndState(r), unreadable: r.unreadable}
	if r.unreadable == "" {
		o, err := r.as(kind)
		if err != nil {
			i.unreadable = "spec: " + err.Error()
		} else if i.value = valueOf(o); isRead(r.Name) {
			if d, ok := i.value.(definition); ok {
				d.spec = sha256.Sum256(r.spec)
				i.value = d
			}
		}
	}
	i.unreadable = authz.Cut(i.unreadable, maxReason)
	if _, policy := i.value.(*v1alpha1.AgentAuthPolicy); policy {
		i.status = readStatus(r.status)
	}
	return i
}

func nameAndState(o metav1.Object) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: o.GetNamespace(), Name: o.GetName(), UID: o.GetUID(), ResourceVersion: o.GetResourceVersion(), Generation: o.GetGeneration(),
		CreationTimestamp: o.GetCreationTimestamp(), DeletionTimestamp: o.GetDeletionTimestamp(),
	}
}

// valueOf is what the engine takes of an object.
func valueOf(o client.Object) any {
	switch o := o.(type) {
	case *corev1.Secret:
		if o.Labels[v1alpha1.LabelUse] == v1alpha1.UseAPIKey {
			o.Data = apikey.Digest(o.Annotations, o.Data)
		}
		s := manifest.Secret(o)
		s.Annotations = withoutManifest(s.Annotations)
		return s
	case *corev1.ConfigMap:
		c := manifest.ConfigMap(o)
		c.Annotations = withoutManifest(c.Annotations)
		return configMapObject{c}
	case *corev1.Namespace:
		return &engine.Namespace{Name: o.Name, Labels: o.Labels}
	case *crdv1.CustomResourceDefinition:
		return slimCRD(o)
	case *gatewayv1.GatewayClass:
		return &engine.GatewayClass{Name: o.Name, Accepted: meta.IsStatusConditionTrue(o.Status.Conditions, string(gatewayv1.GatewayClassConditionStatusAccepted))}
	}
	return o
}

// withoutManifest are annotations without what kubectl remembers.
func withoutManifest(annotations map[string]string) map[string]string {
	if annotations[corev1.LastAppliedConfigAnnotation] == "" {
		return annotations
	}
	out := maps.Clone(annotations)
	delete(out, corev1.LastAppliedConfigAnnotation)
	return out
}

// means reports whether the engine would treat both items alike. An object that
// was deleted and created again has another UID. A spec can change in one
// generation: when the CRD of its kind was replaced.
func (i *item) means(old *item) bool {
	return i.UID == old.UID && i.Generation == old.Generation && i.unreadable == old.unreadable && reflect.DeepEqual(i.value, old.value)
}

// isGone reports whether the object counts as deleted. What lends a right is gone
// as soon as its owner deletes it, whoever still has to finish something. A
// policy or a route stays until it is really gone: without it another policy may
// decide.
func (i *item) isGone() bool {
	switch i.value.(type) {
	case *engine.Object, configMapObject, *gatewayv1.ReferenceGrant, *gatewayv1beta1.ReferenceGrant:
		return i.DeletionTimestamp != nil
	}
	return false
}

// configMap is a ConfigMap of hostname grants or revocations. One that cannot be read is
// there all the same: nobody knows what it says.
func (i *item) configMap() *engine.Object {
	if o, ok := i.value.(configMapObject); ok {
		return o.Object
	}
	return &engine.Object{Namespace: i.Namespace, Name: i.Name, Omitted: i.unreadable}
}

// addTo adds the item to what is compiled.
func (i *item) addTo(in *engine.Input) {
	switch v := i.value.(type) {
	case *v1alpha1.AgentAuthPolicy:
		in.Policies = append(in.Policies, v)
	case *engine.Object:
		in.Secrets = append(in.Secrets, v)
	case configMapObject:
		in.ConfigMaps = append(in.ConfigMaps, v.Object)
	case *engine.Namespace:
		in.Namespaces = append(in.Namespaces, *v)
	case *engine.GatewayClass:
		in.GatewayClasses = append(in.GatewayClasses, *v)
	case definition, nil: // nothing for the engine
	default:
		in.AddGateway(v)
	}
}

func nameOf(o metav1.Object) types.NamespacedName {
	return types.NamespacedName{Namespace: o.GetNamespace(), Name: o.GetName()}
}

// isRead reports whether the CRD of this name is of a kind that is read.
func isRead(name string) bool { return name == policiesCRD || optional[name] != nil }

// slimCRD keeps of a CRD which versions are served: its schemas are large, and
// only that of policies is looked at.
func slimCRD(o *crdv1.CustomResourceDefinition) definition {
	out := &crdv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: o.Name, UID: o.UID}}
	switch {
	case o.Name == policiesCRD:
		out.Spec.Versions = o.Spec.Versions
	case isRead(o.Name):
		out.Status.Conditions = o.Status.Conditions
		for _, v := range o.Spec.Versions {
			out.Spec.Versions = append(out.Spec.Versions, crdv1.CustomResourceDefinitionVersion{Name: v.Name, Served: v.Served})
		}
	}
	return definition{CustomResourceDefinition: out}
}
