package engine

import (
	"fmt"
	"strings"
	"testing"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/attach"
)

func TestTheLogOfADisputedHostNamesWhoClaimsItAndNoConditionDoes(t *testing.T) {
	e, _ := newWorld(Options{})
	policies := []*v1alpha1.AgentAuthPolicy{
		ofNamespace("bank", onHost("wide", "*.acme.test", anonymous())), onHost("api", "api.acme.test", anonymous()),
		onHost("alone", "alone.test", anonymous()), ofNamespace("evil", onHost("late", "routed.test", anonymous())),
	}
	for i := range 9 {
		policies = append(policies, ofNamespace(fmt.Sprint("many-", i), onHost("p", "many.test", anonymous())))
	}
	s, reports := e.Compile(Input{Policies: policies, Objects: attach.Objects{
		Gateways:   []*gatewayv1.Gateway{gatewayOf("edge", "*.test")},
		HTTPRoutes: []*gatewayv1.HTTPRoute{routeOn("shop", "routed", names("routed.test"), "edge")},
	}})
	e.Swap(s)
	for host, want := range map[string]string{
		"api.acme.test": "hostname api.acme.test is claimed by bank/wide, shop/api; say who may use it by --hostnames",
		"x.acme.test":   "hostname *.acme.test is claimed by bank/wide, shop/api; say who may use it by --hostnames",
		"many.test":     "hostname many.test is claimed by many-0/p, many-1/p, many-2/p, many-3/p, and more; say",
	} {
		d := e.Decide(t.Context(), get(host, "/"))
		decided(t, d, authz.Error, 503, authz.HostDisputed)
		if !strings.HasPrefix(d.Detail, want) || strings.Contains(d.Body, "bank") {
			t.Errorf("%s: expected %q, got %q", host, want, d.Detail)
		}
	}
	for _, r := range reports {
		for _, c := range r.Conditions {
			for _, other := range []string{"bank", "shop", "evil", "many-"} {
				if !strings.HasPrefix(r.Policy.Namespace, other) && strings.Contains(c.Message, other) {
					t.Errorf("%s is told of %s: %s", r.Policy, other, c.Message)
				}
			}
		}
	}
	if d := e.Decide(t.Context(), get("routed.test", "/")); d.Reason == authz.HostDisputed && !strings.Contains(d.Detail, "claimed by evil/late; routes of Gateway API of namespace shop have it") {
		t.Errorf("got %+v", d)
	}
	// The dispute ends, and another takes its place.
	s, _ = e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{onHost("api", "api.acme.test", anonymous()), ofNamespace("new", onHost("other", "api.acme.test", anonymous()))}})
	e.Swap(s)
	if d := e.Decide(t.Context(), get("api.acme.test", "/")); !strings.HasPrefix(d.Detail, "hostname api.acme.test is claimed by new/other, shop/api;") {
		t.Errorf("got %q", d.Detail)
	}
}

func TestTheLogOfADisputedHostNamesNoPolicyThatIsGone(t *testing.T) {
	e, _ := newWorld(Options{})
	other := ofNamespace("new", onHost("other", "api.acme.test", anonymous()))
	for _, name := range []string{"api", "next"} {
		s, _ := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{onHost(name, "api.acme.test", anonymous()), other}})
		e.Swap(s)
		if d := e.Decide(t.Context(), get("api.acme.test", "/")); !strings.HasPrefix(d.Detail, "hostname api.acme.test is claimed by new/other, shop/"+name+";") {
			t.Errorf("got %q", d.Detail)
		}
	}
}
