package controller

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/authz/engine"
)

func TestWhatWasNotReadOrIsNotWatchedIsNotKnown(t *testing.T) {
	c := &Cluster{store: newStore(), config: Config{Namespaces: []string{"shop"}}}
	meta := metav1.ObjectMeta{Namespace: "shop", Name: "one"}
	c.store.expect(&gatewayv1.HTTPRoute{})
	c.store.expect(&gatewayv1.Gateway{})
	for _, o := range []any{&corev1.Secret{ObjectMeta: meta}, &corev1.ConfigMap{ObjectMeta: meta}, &gatewayv1.HTTPRoute{ObjectMeta: meta}, &gatewayv1.Gateway{ObjectMeta: meta}} {
		c.store.OnAdd(o, true)
	}
	find := func(kind, namespace, name string) (any, bool) {
		return c.Find(kind, types.NamespacedName{Namespace: namespace, Name: name})
	}
	if _, known := find("Secret", "shop", "one"); known {
		t.Error("expected nothing to be known before everything was read")
	}
	c.read.Store(true)
	if _, known := find("Secret", "bank", "one"); known {
		t.Error("expected nothing to be known of a namespace that is not watched")
	}
	for _, kind := range []string{"Secret", "ConfigMap", "HTTPRoute", "Gateway"} {
		if o, known := find(kind, "shop", "one"); o == nil || !known {
			t.Errorf("expected the %s, got %v, %t", kind, o, known)
		}
		if o, known := find(kind, "shop", "two"); o != nil || !known {
			t.Errorf("expected no %s, got %v, %t", kind, o, known)
		}
	}
	if o, known := find("GRPCRoute", "shop", "one"); o != nil || !known {
		t.Errorf("expected a kind of which there are none to have none, got %v, %t", o, known)
	}
	if o, _ := find("Secret", "shop", "one"); o.(*engine.Object).Name != "one" {
		t.Errorf("got %v", o)
	}
}
