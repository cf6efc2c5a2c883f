package controller

import (
	"testing"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

func TestAGrantsConfigMapThatCannotBeReadIsThereAllTheSame(t *testing.T) {
	i := &item{unreadable: "spec: not an object"}
	i.Namespace, i.Name = "agentauth", "grants"
	if o := i.configMap(); o.Namespace != "agentauth" || o.Name != "grants" || o.Omitted == "" {
		t.Errorf("expected an object that says that its data is missing, got %+v", o)
	}
}

func TestAnObjectOfGatewayAPIThatCannotBeReadIsToldToTheEngine(t *testing.T) {
	for kind, want := range map[string]bool{
		"httproutes.gateway.networking.k8s.io": true, "grpcroutes.gateway.networking.k8s.io": true, gateways: true, "listenersets.gateway.networking.k8s.io": true,
		gatewayClasses: false, referenceGrants: false, "secrets": false, policiesCRD: false,
	} {
		c := newCollection(&gatewayv1.HTTPRoute{}, nil, nil, nil)
		i := &item{unreadable: "spec: not an object"}
		i.Namespace, i.Name = "bank", "api"
		if err := c.items.Add(i); err != nil {
			t.Fatal(err)
		}
		k := &kinds{followed: map[string]*followed{kind: {collections: []*collection{c}, old: []*collection{c}}}}
		if got := k.input().Unreadable; got != want {
			t.Errorf("%s: expected %t, got %t", kind, want, got)
		}
	}
}
