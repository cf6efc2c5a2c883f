package controller

import (
	"fmt"
	"maps"
	"reflect"

	corev1 "k8s.io/api/core/v1"
	crdv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
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
	// status is the newest one of a policy.
	status v1alpha1.PolicyStatus
}

// configMapObject is the value of a ConfigMap; that of a Secret is the object.
type configMapObject struct{ *engine.Object }

// newItem makes an item of an object, and leaves an item as it is. API keys
// become digests. What kubectl remembers of a manifest goes, because it may hold
// them too.
func newItem(obj any) (any, error) {
	if r, ok := obj.(*received); ok {
		obj = &r.AgentAuthPolicy
	}
	o, ok := obj.(client.Object)
	if !ok {
		if _, done := obj.(*item); done {
			return obj, nil
		}
		return nil, fmt.Errorf("expected an object, got %T", obj)
	}
	o.SetManagedFields(nil)
	if a := o.GetAnnotations(); a[corev1.LastAppliedConfigAnnotation] != "" {
		a = maps.Clone(a)
		delete(a, corev1.LastAppliedConfigAnnotation)
		o.SetAnnotations(a)
	}
	i := &item{value: o, ObjectMeta: metav1.ObjectMeta{
		Namespace: o.GetNamespace(), Name: o.GetName(), UID: o.GetUID(), ResourceVersion: o.GetResourceVersion(), Generation: o.GetGeneration(),
	}}
	switch o := o.(type) {
	case *v1alpha1.AgentAuthPolicy:
		i.status = o.Status
	case *corev1.Secret:
		if o.Labels[v1alpha1.LabelUse] == v1alpha1.UseAPIKey {
			o.Data = apikey.Digest(o.Data)
		}
		i.value = manifest.Secret(o)
	case *corev1.ConfigMap:
		i.value = configMapObject{manifest.ConfigMap(o)}
	case *corev1.Namespace:
		i.value = &engine.Namespace{Name: o.Name, Labels: o.Labels}
	case *crdv1.CustomResourceDefinition:
		i.value = slimCRD(o)
	case *gatewayv1.HTTPRoute:
		o.Status = gatewayv1.HTTPRouteStatus{}
	case *gatewayv1.GRPCRoute:
		o.Status = gatewayv1.GRPCRouteStatus{}
	case *gatewayv1.Gateway:
		o.Status = gatewayv1.GatewayStatus{}
	case *gatewayv1.ListenerSet:
		o.Status = gatewayv1.ListenerSetStatus{}
	}
	return i, nil
}

// means reports whether the engine would treat both items alike. An object that
// was deleted and created again has another UID. A spec can change in one
// generation: when the CRD of policies was replaced.
func (i *item) means(old *item) bool {
	if i.UID != old.UID || i.Generation != old.Generation {
		return false
	}
	switch v := i.value.(type) {
	case *v1alpha1.AgentAuthPolicy:
		return reflect.DeepEqual(&v.Spec, &old.value.(*v1alpha1.AgentAuthPolicy).Spec)
	case *engine.Object, configMapObject, *engine.Namespace, *crdv1.CustomResourceDefinition:
		return reflect.DeepEqual(v, old.value)
	}
	return true
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
	default:
		in.AddGateway(v)
	}
}

func nameOf(o metav1.Object) types.NamespacedName {
	return types.NamespacedName{Namespace: o.GetNamespace(), Name: o.GetName()}
}

// slimCRD keeps of a CRD which versions are served: its schemas are large, and
// only that of policies is looked at.
func slimCRD(o *crdv1.CustomResourceDefinition) *crdv1.CustomResourceDefinition {
	out := &crdv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: o.Name, UID: o.UID, ResourceVersion: o.ResourceVersion}}
	if o.Name == policiesCRD {
		out.Spec.Versions = o.Spec.Versions
		return out
	}
	if optional[o.Name] == nil {
		return out
	}
	out.Status.Conditions = o.Status.Conditions
	for _, v := range o.Spec.Versions {
		out.Spec.Versions = append(out.Spec.Versions, crdv1.CustomResourceDefinitionVersion{Name: v.Name, Served: v.Served})
	}
	return out
}
