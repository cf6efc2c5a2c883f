package webhook

import (
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/engine"
)

// inForce is an engine with the policies of all hosts of two namespaces.
func inForce(t *testing.T) *engine.Engine {
	t.Helper()
	e := engine.New(engine.Deps{}, engine.Options{HostnameGrants: engine.HostnameGrants{{Namespace: "shop", Hostname: "*"}, {Namespace: "bank", Hostname: "*"}}})
	var in engine.Input
	for namespace, host := range map[string]v1alpha1.Hostname{"shop": "*.example.com", "bank": "*.bank.test"} {
		p := &v1alpha1.AgentAuthPolicy{}
		p.Namespace, p.Name = namespace, "wide"
		p.Spec.Routes = []v1alpha1.Route{{Hostnames: []v1alpha1.Hostname{host}}}
		p.Spec.Authentication.Methods = []v1alpha1.Method{{Name: "public", Anonymous: &v1alpha1.Anonymous{}}}
		in.Policies = append(in.Policies, p)
	}
	s, _ := e.Compile(in)
	e.Swap(s)
	return e
}

func TestAPolicyThatWouldHideAWildcardOfItsNamespaceIsWarnedOf(t *testing.T) {
	a := askedOf(Judge{Beside: inForce(t).Beside})
	narrow := strings.Replace(policy(public, ""), "hostnames: [orders.example.com]", "hostnames: [orders.example.com], matches: [{path: {value: /healthz}}]", 1)
	r := a.answer(t, reviewOf(t, nil, narrow, ""))
	if !r.Allowed || len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "HidesWildcard: it takes host orders.example.com from policy shop/wide, for *.example.com") {
		t.Errorf("got %+v", r)
	}
	for name, text := range map[string]string{
		"all of the host":                      policy(public, ""),
		"the wildcard itself":                  strings.Replace(narrow, "name: orders", "name: wide", 1),
		"a host of another namespace's policy": strings.Replace(narrow, "orders.example.com", "orders.bank.test", 1),
	} {
		if r := a.answer(t, reviewOf(t, func(r *admissionv1.AdmissionRequest) {}, text, "")); !r.Allowed || len(r.Warnings) != 0 {
			t.Errorf("%s: got %+v", name, r)
		}
	}
	own := strings.Replace(narrow, "routes: [", `routes: [{hostnames: ["*.example.com"]}, `, 1)
	if r := a.answer(t, reviewOf(t, nil, own, "")); len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "HidesWildcard") {
		t.Errorf("got %+v", r)
	}
	if r := askedOf(Judge{Beside: engine.New(engine.Deps{}, engine.Options{}).Beside}).answer(t, reviewOf(t, nil, narrow, "")); len(r.Warnings) != 0 {
		t.Errorf("with nothing in force: got %+v", r)
	}
}
