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

// hides is the message of HidesWildcard of a policy; "" if it has none.
func hides(reports []Report, name string) string {
	for _, p := range named(reports, name).Problems {
		if p.Lint == authz.HidesWildcard {
			return p.Message
		}
	}
	return ""
}

func withMethod(p *v1alpha1.AgentAuthPolicy, method string) *v1alpha1.AgentAuthPolicy {
	p = under(p, "/")
	for i := range p.Spec.Routes[0].Matches {
		m := gatewayv1.HTTPMethod(method)
		p.Spec.Routes[0].Matches[i].Method = &m
	}
	return p
}

func ofNamespace(namespace string, p *v1alpha1.AgentAuthPolicy) *v1alpha1.AgentAuthPolicy {
	p.Namespace = namespace
	return p
}

func TestAPolicyThatTakesAHostFromAWildcardIsTold(t *testing.T) {
	wide := func() *v1alpha1.AgentAuthPolicy { return onHost("wide", "*.acme.test", anonymous()) }
	for name, c := range map[string]struct {
		policies []*v1alpha1.AgentAuthPolicy
		told     string // a word of the message; "" is no warning
	}{
		"a path of its host":           {[]*v1alpha1.AgentAuthPolicy{wide(), under(onHost("p", "api.acme.test", anonymous()), "/healthz")}, "policy shop/wide, for *.acme.test"},
		"a method of its host":         {[]*v1alpha1.AgentAuthPolicy{wide(), withMethod(onHost("p", "api.acme.test", anonymous()), "GET")}, "shop/wide"},
		"a regular expression":         {[]*v1alpha1.AgentAuthPolicy{wide(), matchingPath(onHost("p", "api.acme.test", anonymous()), "/[a-z]+")}, "shop/wide"},
		"a wildcard below a wildcard":  {[]*v1alpha1.AgentAuthPolicy{wide(), under(onHost("p", "*.api.acme.test", anonymous()), "/healthz")}, "shop/wide"},
		"all of its host":              {[]*v1alpha1.AgentAuthPolicy{wide(), onHost("p", "api.acme.test", anonymous())}, ""},
		"all of its host with another": {[]*v1alpha1.AgentAuthPolicy{wide(), under(onHost("p", "api.acme.test", anonymous()), "/healthz"), onHost("rest", "api.acme.test", anonymous())}, ""},
		"another host":                 {[]*v1alpha1.AgentAuthPolicy{wide(), under(onHost("p", "acme.test", anonymous()), "/healthz")}, ""},
		"no wildcard":                  {[]*v1alpha1.AgentAuthPolicy{under(onHost("p", "api.acme.test", anonymous()), "/healthz")}, ""},
		"what the wildcard has":        {[]*v1alpha1.AgentAuthPolicy{under(wide(), "/v1/x"), under(onHost("p", "api.acme.test", anonymous()), "/v1")}, ""},
		"less than the wildcard has":   {[]*v1alpha1.AgentAuthPolicy{under(wide(), "/v1"), under(onHost("p", "api.acme.test", anonymous()), "/v1/x")}, "shop/wide"},
		"its own wildcard": {[]*v1alpha1.AgentAuthPolicy{func() *v1alpha1.AgentAuthPolicy {
			p := wide()
			p.Name, p.Spec.Routes = "p", append(p.Spec.Routes, under(onHost("", "api.acme.test"), "/healthz").Spec.Routes[0])
			return p
		}()}, "this policy itself"},
		"the wildcard of another namespace": {[]*v1alpha1.AgentAuthPolicy{ofNamespace("bank", wide()), under(onHost("p", "api.acme.test", anonymous()), "/healthz")}, "policy bank/wide"},
	} {
		t.Run(name, func(t *testing.T) {
			e, _ := newWorld(Options{OneTenant: true})
			_, reports := e.Compile(Input{Policies: c.policies})
			got := hides(reports, "p")
			if (got == "") != (c.told == "") || !strings.Contains(got, c.told) {
				t.Errorf("expected %q, got %q", c.told, got)
			}
			if hides(reports, "wide") != "" {
				t.Error("the policy of the wildcard is told")
			}
			ready := named(reports, "p").Conditions
			if ready[0].Reason != "Ready" || strings.Contains(ready[1].Message, "HidesWildcard: ") != (got != "") {
				t.Errorf("expected a warning in Accepted, got %+v", ready)
			}
		})
	}
}

func TestATenantIsToldOfAWildcardWithoutTheNamesOfAnothersPolicies(t *testing.T) {
	e, _ := newWorld(Options{HostnameGrants: HostnameGrants{{Namespace: "bank", Hostname: "*.acme.test"}, {Namespace: "shop", Hostname: "*.acme.test"}}})
	_, reports := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{
		ofNamespace("bank", onHost("wide", "*.acme.test", anonymous())), under(onHost("p", "api.acme.test", anonymous()), "/healthz"),
	}})
	if got := hides(reports, "p"); !strings.Contains(got, "a policy of another namespace, for *.acme.test") || strings.Contains(got, "bank") || strings.Contains(got, "wide") {
		t.Errorf("got %q", got)
	}
	for name, c := range map[string]string{"dispute": "bank", "grant": "shop"} {
		options := Options{}
		if name == "grant" {
			options.HostnameGrants = HostnameGrants{{Namespace: c, Hostname: "*.acme.test"}}
		}
		e, _ := newWorld(options)
		_, reports := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{
			ofNamespace("bank", onHost("wide", "*.acme.test", anonymous())), under(onHost("p", "api.acme.test", anonymous()), "/healthz"),
		}})
		if got := hides(reports, "p"); got != "" {
			t.Errorf("%s: expected nothing of a wildcard that is not in force, got %q", name, got)
		}
	}
}

func TestTheWarningOfAWildcardComesAndGoesWithWhatItIsAbout(t *testing.T) {
	e, _ := newWorld(Options{OneTenant: true})
	narrow := under(onHost("p", "api.acme.test", anonymous()), "/healthz")
	wide, rest := onHost("wide", "*.acme.test", anonymous()), onHost("rest", "api.acme.test", anonymous())
	var many []*v1alpha1.AgentAuthPolicy
	for _, h := range strings.Fields("a b c d e f g h i j k l") {
		many = append(many, onHost("other-"+h, h+".other.test", anonymous()))
	}
	for i, step := range []struct {
		policies []*v1alpha1.AgentAuthPolicy
		told     bool
	}{
		{[]*v1alpha1.AgentAuthPolicy{narrow}, false},
		{[]*v1alpha1.AgentAuthPolicy{narrow, wide}, true},
		{append([]*v1alpha1.AgentAuthPolicy{narrow, wide}, many...), true},
		{append([]*v1alpha1.AgentAuthPolicy{narrow, wide, rest}, many...), false},
		{[]*v1alpha1.AgentAuthPolicy{narrow, wide}, true},
		{[]*v1alpha1.AgentAuthPolicy{narrow}, false},
		{append([]*v1alpha1.AgentAuthPolicy{narrow, wide}, many...), true},
		{append([]*v1alpha1.AgentAuthPolicy{narrow}, many[1:]...), false},
	} {
		s, reports := e.Compile(Input{Policies: step.policies})
		e.Swap(s)
		if told := hides(reports, "p") != ""; told != step.told {
			t.Errorf("step %d: expected a warning: %t", i, step.told)
		}
	}
}

func TestWarningsOfHostsAreBounded(t *testing.T) {
	p := under(onHost("p", "h0.acme.test", anonymous()), "/healthz")
	for _, h := range strings.Fields("h1 h2 h3 h4 h5 h6 h7 h8 h9") {
		p.Spec.Routes[0].Hostnames = append(p.Spec.Routes[0].Hostnames, v1alpha1.Hostname(h+".acme.test"))
	}
	e, _ := newWorld(Options{OneTenant: true})
	_, reports := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{p, onHost("wide", "*.acme.test", anonymous())}})
	if got := named(reports, "p").Problems; len(got) != 6 || got[5].Message != "and more hosts" {
		t.Errorf("got %d: %v", len(got), got)
	}
}

func TestWhereNoPolicyDecidesExplainTellsWhatIsNear(t *testing.T) {
	e, _ := newWorld(Options{OneTenant: true})
	var list []*v1alpha1.AgentAuthPolicy
	for i := range 30 {
		list = append(list, under(onHost(fmt.Sprintf("p-%02d", i), "many.test", anonymous()), fmt.Sprintf("/%02d", i)))
	}
	load(t, e, Input{
		Policies: append(list, under(onHost("r", "api.example.com", anonymous()), "/v1")),
		Objects: attach.Objects{Gateways: []*gatewayv1.Gateway{gatewayOf("edge", "*.example.com")},
			HTTPRoutes: []*gatewayv1.HTTPRoute{routeOn("shop", "api", names("api.example.com"), "edge"), routeOn("shop", "bare", names("bare.example.com"), "edge")}},
	})
	for host, want := range map[string][]string{
		"many.test":        {"/00 (shop/p-00), /01 (shop/p-01)", "/09 (shop/p-09) and 20 more"},
		"else.test":        {"no policy has host else.test; policies have: api.example.com, many.test"},
		"api.example.com":  {"no policy has the route or its Gateway as a target; host api.example.com has policies for: /v1 (shop/r)"},
		"bare.example.com": {"no policy has the route or its Gateway as a target; no policy has host bare.example.com"},
	} {
		d, steps := e.Explain(t.Context(), get(host, "/nowhere"))
		decided(t, d, authz.Deny, 403, authz.NoPolicy)
		if same := e.Decide(t.Context(), get(host, "/nowhere")); same.Detail != d.Detail || strings.Contains(d.Detail, "shop/") {
			t.Errorf("%s: the log of a server gets %q", host, same.Detail)
		}
		last := steps[len(steps)-1]
		for _, words := range want {
			if last.Outcome != authz.StepNone || !strings.Contains(last.Came, words) || len(last.Came) > 1024 {
				t.Errorf("%s: expected %q, got %+v", host, words, last)
			}
		}
	}
}
