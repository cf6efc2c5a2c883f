package controller

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	crdv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

func crd(version string, served bool, status crdv1.ConditionStatus) *crdv1.CustomResourceDefinition {
	return &crdv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "gateways.gateway.networking.k8s.io"},
		Spec:       crdv1.CustomResourceDefinitionSpec{Versions: []crdv1.CustomResourceDefinitionVersion{{Name: version, Served: served, Schema: &crdv1.CustomResourceValidation{}}}},
		Status:     crdv1.CustomResourceDefinitionStatus{Conditions: []crdv1.CustomResourceDefinitionCondition{{Type: crdv1.Established, Status: status}}},
	}
}

func TestAKindIsFollowedOnceItIsEstablishedAndServedAsItIsRead(t *testing.T) {
	for name, c := range map[string]struct {
		crd  *crdv1.CustomResourceDefinition
		want bool
	}{
		"established":     {crd("v1", true, crdv1.ConditionTrue), true},
		"not yet":         {crd("v1", true, crdv1.ConditionFalse), false},
		"not served":      {crd("v1", false, crdv1.ConditionTrue), false},
		"another version": {crd("v1beta1", true, crdv1.ConditionTrue), false},
	} {
		if got := established(slimCRD(c.crd)); got != c.want {
			t.Errorf("%s: expected %t, got %t", name, c.want, got)
		}
	}
	if slimCRD(crd("v1", true, "True")).Spec.Versions[0].Schema != nil {
		t.Error("the schema of a CRD is kept")
	}
}

func TestOnlyWhatChangesWhoServesWhatIsCompiled(t *testing.T) {
	s := newStore()
	route := func(uid types.UID, generation int64) *gatewayv1.HTTPRoute {
		return &gatewayv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "orders", UID: uid, Generation: generation}}
	}
	namespace := func(labels map[string]string) *corev1.Namespace {
		return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: labels}}
	}
	for i, step := range []struct {
		object any
		want   bool
	}{
		{route("1", 1), true}, {route("1", 1), false}, {route("1", 2), true}, {route("2", 2), true},
		{namespace(nil), true}, {namespace(nil), false}, {namespace(map[string]string{"team": "a"}), true},
		{&gatewayv1.Gateway{ObjectMeta: metav1.ObjectMeta{Name: "edge"}}, true}, {&gatewayv1.GRPCRoute{}, true}, {&gatewayv1.ListenerSet{}, true},
	} {
		s.OnUpdate(nil, step.object)
		if told(s.changed) != step.want {
			t.Errorf("step %d: expected a signal: %t", i, step.want)
		}
	}
	if in := s.input(); len(in.HTTPRoutes) != 1 || len(in.GRPCRoutes) != 1 || len(in.Gateways) != 1 || len(in.ListenerSets) != 1 || in.Namespaces[0].Labels["team"] != "a" {
		t.Errorf("got %+v", in)
	}
	s.OnDelete(route("2", 2))
	s.forget(&gatewayv1.Gateway{})
	if in := s.input(); len(in.HTTPRoutes) != 0 || len(in.Gateways) != 0 || !told(s.changed) {
		t.Errorf("expected them to be gone, got %+v", in)
	}
}
