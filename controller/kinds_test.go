package controller

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	crdv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllertest"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"
)

// crd has versions that are served, and others, which begin with "-".
func crd(kind string, status crdv1.ConditionStatus, versions ...string) *crdv1.CustomResourceDefinition {
	out := &crdv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: kind + ".gateway.networking.k8s.io"},
		Status:     crdv1.CustomResourceDefinitionStatus{Conditions: []crdv1.CustomResourceDefinitionCondition{{Type: crdv1.Established, Status: status}}},
	}
	for _, v := range versions {
		name, not := strings.CutPrefix(v, "-")
		out.Spec.Versions = append(out.Spec.Versions, crdv1.CustomResourceDefinitionVersion{Name: name, Served: !not, Schema: &crdv1.CustomResourceValidation{}})
	}
	return out
}

func TestAKindIsFollowedOnceItIsEstablishedAndServedAsItIsRead(t *testing.T) {
	for name, c := range map[string]struct {
		crd  *crdv1.CustomResourceDefinition
		want string
	}{
		"established":                    {crd("gateways", "True", "v1"), "v1"},
		"not yet":                        {crd("gateways", "False", "v1"), ""},
		"not served":                     {crd("gateways", "True", "-v1"), ""},
		"another version":                {crd("gateways", "True", "v1beta1"), ""},
		"grants of both versions":        {crd("referencegrants", "True", "v1beta1", "v1"), "v1 v1beta1"},
		"grants of an older Gateway API": {crd("referencegrants", "True", "v1alpha2", "v1beta1"), "v1beta1"},
		"grants of a newer one":          {crd("referencegrants", "True", "v1", "-v1beta1"), "v1"},
		"grants that are not there yet":  {crd("referencegrants", "False", "v1", "v1beta1"), ""},
		"another kind":                   {crd("udproutes", "True", "v1"), ""},
	} {
		var got []string
		for _, v := range served(slimCRD(c.crd)) {
			got = append(got, v.name)
		}
		if got := strings.Join(got, " "); got != c.want {
			t.Errorf("%s: expected %q, got %q", name, c.want, got)
		}
	}
	if slimCRD(crd("gateways", "True", "v1")).Spec.Versions[0].Schema != nil {
		t.Error("the schema of a CRD is kept")
	}
}

func TestOnlyWhatChangesWhoServesWhatIsCompiled(t *testing.T) {
	s := newStore()
	for _, versions := range optional {
		for _, v := range versions {
			s.expect(v.object())
		}
	}
	s.expect(&corev1.Namespace{})
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
		{&gatewayv1.ReferenceGrant{}, true}, {&gatewayv1.ReferenceGrant{}, false}, {&gatewayv1beta1.ReferenceGrant{}, true},
		{&gatewayv1.TLSRoute{}, false},
	} {
		s.OnUpdate(nil, step.object)
		if told(s.changed) != step.want {
			t.Errorf("step %d: expected a signal: %t", i, step.want)
		}
	}
	if in := s.input(); len(in.HTTPRoutes) != 1 || len(in.GRPCRoutes) != 1 || len(in.Gateways) != 1 || len(in.ListenerSets) != 1 || len(in.ReferenceGrants) != 2 || in.Namespaces[0].Labels["team"] != "a" {
		t.Errorf("got %+v", in)
	}
	s.OnDelete(route("2", 2))
	s.expect(&gatewayv1.GRPCRoute{}) // followed anew, it may have fewer
	s.forget(&gatewayv1.Gateway{})
	s.forget(&gatewayv1beta1.ReferenceGrant{})
	s.OnAdd(&gatewayv1beta1.ReferenceGrant{}, false) // what a stopped informer still had to tell
	if in := s.input(); len(in.HTTPRoutes) != 0 || len(in.GRPCRoutes) != 0 || len(in.Gateways) != 0 || len(in.ReferenceGrants) != 1 || !told(s.changed) {
		t.Errorf("expected them to be gone, got %+v", in)
	}
}

// unread is a cache that has read v1beta1, and never reads v1.
type unread struct{ cache.Cache }

func (unread) GetInformer(_ context.Context, o client.Object, _ ...cache.InformerGetOption) (cache.Informer, error) {
	if _, ok := o.(*gatewayv1beta1.ReferenceGrant); ok {
		return controllertest.NewFakeInformer(controllertest.Synced), nil
	}
	return controllertest.NewFakeInformer(), nil
}

func (unread) RemoveInformer(context.Context, client.Object) error { return nil }

// Nobody would tell that a grant is gone whose version is not watched any more.
func TestAGrantOfAVersionThatIsGoneIsNotInForceForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		k := &kinds{ctx: t.Context(), cache: unread{}, store: s, watches: newWatches(time.Now), log: slog.New(slog.DiscardHandler), followed: map[string]followed{}}
		k.OnAdd(crd("referencegrants", "True", "v1beta1"), true)
		s.OnAdd(&gatewayv1beta1.ReferenceGrant{ObjectMeta: metav1.ObjectMeta{Namespace: "identity", Name: "keys"}}, true)
		k.OnUpdate(nil, crd("referencegrants", "True", "v1", "-v1beta1"))
		time.Sleep(patience - time.Second)
		if in := s.input(); len(in.ReferenceGrants) != 1 {
			t.Errorf("expected the grant to stay until the new version was read, got %+v", in.ReferenceGrants)
		}
		time.Sleep(2 * time.Second)
		if in := s.input(); len(in.ReferenceGrants) != 0 || !told(s.changed) {
			t.Errorf("expected the grant to go, got %+v", in.ReferenceGrants)
		}
	})
}
