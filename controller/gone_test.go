package controller

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/engine"
)

// A finalizer keeps an object there for as long as somebody likes.
func TestWhatLendsARightIsGoneAsSoonAsItIsDeletedAndWhatDecidesWhenItIsReallyGone(t *testing.T) {
	count := func(in engine.Input) int {
		return len(in.Secrets) + len(in.ConfigMaps) + len(in.ReferenceGrants) + len(in.Policies) + len(in.HTTPRoutes) + len(in.Gateways)
	}
	for name, c := range map[string]struct {
		object client.Object
		stays  int
	}{
		"a Secret":           {keySecret("the-first-key-of-the-robot"), 0},
		"a ConfigMap":        {&corev1.ConfigMap{}, 0},
		"a grant":            {&gatewayv1.ReferenceGrant{}, 0},
		"a grant of v1beta1": {&gatewayv1beta1.ReferenceGrant{}, 0},
		"a policy":           {&v1alpha1.AgentAuthPolicy{}, 1},
		"a route":            {&gatewayv1.HTTPRoute{}, 1},
		"a Gateway":          {&gatewayv1.Gateway{}, 1},
	} {
		c.object.SetNamespace("shop")
		c.object.SetName("o")
		ending := c.object.DeepCopyObject().(client.Object)
		ending.SetFinalizers([]string{"example.com/slow"})
		ending.SetDeletionTimestamp(&metav1.Time{Time: time.Now()})
		for way, put := range map[string]func(objects, any) error{
			"watched": func(o objects, object any) error { return o.Update(object) },
			"new":     func(o objects, object any) error { return o.Add(object) },
			"listed":  func(o objects, object any) error { return o.Replace([]any{object}, "") },
			"streamed": func(o objects, object any) error {
				i, err := o.Transformer()(object)
				if err != nil {
					return err
				}
				return o.Replace([]any{i}, "")
			},
		} {
			o := newObjects()
			o.kind = c.object
			if err := o.Replace([]any{asSent(c.object.DeepCopyObject())}, ""); err != nil {
				t.Fatal(err)
			}
			if count(o.input()) != 1 {
				t.Fatalf("%s: expected it to be there", name)
			}
			told(o.changed)
			if err := put(o, asSent(ending.DeepCopyObject())); err != nil {
				t.Fatal(err)
			}
			if n := count(o.input()); n != c.stays || told(o.changed) == (n == 1) {
				t.Errorf("%s, %s: expected %d, got %d", name, way, c.stays, n)
			}
			if err := o.Delete(ending); err != nil || count(o.input()) != 0 {
				t.Errorf("%s, %s: expected it to be gone in the end, error %v", name, way, err)
			}
		}
	}
}
