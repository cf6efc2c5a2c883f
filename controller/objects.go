package controller

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
	crdv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/apikey"
)

// slim is what happens to every object before the cache keeps it. API keys
// become digests, and what kubectl remembers of a manifest goes, because it
// may hold them too.
func slim(obj any) (any, error) {
	if r, ok := obj.(*received); ok {
		obj = &r.AgentAuthPolicy
	}
	o, ok := obj.(metav1.Object)
	if !ok {
		return obj, nil // a tombstone: what is in it came through here before
	}
	o.SetManagedFields(nil)
	if a := o.GetAnnotations(); a[corev1.LastAppliedConfigAnnotation] != "" {
		a = maps.Clone(a)
		delete(a, corev1.LastAppliedConfigAnnotation)
		o.SetAnnotations(a)
	}
	if s, ok := obj.(*corev1.Secret); ok && s.Labels[v1alpha1.LabelUse] == v1alpha1.UseAPIKey {
		s.Data = apikey.Digest(s.Data)
	}
	switch o := obj.(type) {
	case *corev1.Namespace:
		return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: o.Name, UID: o.UID, ResourceVersion: o.ResourceVersion, Labels: o.Labels}}, nil
	case *crdv1.CustomResourceDefinition:
		return slimCRD(o), nil
	case *gatewayv1.HTTPRoute:
		o.Status = gatewayv1.HTTPRouteStatus{}
	case *gatewayv1.GRPCRoute:
		o.Status = gatewayv1.GRPCRouteStatus{}
	case *gatewayv1.Gateway:
		o.Status = gatewayv1.GatewayStatus{}
	case *gatewayv1.ListenerSet:
		o.Status = gatewayv1.ListenerSetStatus{}
	}
	return obj, nil
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
