package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/validate"
)

// expressions is a policy with so many different regular expressions in headers
// and query parameters.
func expressions(n int) *v1alpha1.AgentAuthPolicy {
	p := &v1alpha1.AgentAuthPolicy{}
	p.Name, p.Namespace = "large", "shop"
	p.Spec.Authentication.Methods = []v1alpha1.Method{{Name: "public", Anonymous: &v1alpha1.Anonymous{}}}
	var all []gatewayv1.HTTPRouteMatch
	for i := range n {
		name := gatewayv1.HTTPHeaderName(fmt.Sprint("x-", i%8))
		if i%16 == 0 {
			all = append(all, gatewayv1.HTTPRouteMatch{})
		}
		m := &all[len(all)-1]
		if value := fmt.Sprintf("%d-x{1,100}", i); i%16 < 8 {
			m.Headers = append(m.Headers, gatewayv1.HTTPHeaderMatch{Type: new(gatewayv1.HeaderMatchRegularExpression), Name: name, Value: value})
		} else {
			m.QueryParams = append(m.QueryParams, gatewayv1.HTTPQueryParamMatch{Type: new(gatewayv1.QueryParamMatchRegularExpression), Name: name, Value: value})
		}
	}
	for i, matches := range slices.Collect(slices.Chunk(all, 64)) {
		p.Spec.Routes = append(p.Spec.Routes, v1alpha1.Route{Hostnames: []v1alpha1.Hostname{v1alpha1.Hostname(fmt.Sprintf("h%d.example.test", i))}, Matches: matches})
	}
	return p
}

// What one policy may make every replica hold is bounded, and a policy that
// wants more has its hosts answer 503.
func TestAPolicyHasNoMoreRegularExpressionsThanItsShare(t *testing.T) {
	e, _ := newWorld(Options{})
	for n, invalid := range map[int]bool{validate.MaxPatterns: false, validate.MaxPatterns + 1: true, 16 * 64 * 16: true} {
		s, reports := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{expressions(n)}})
		e.Swap(s)
		problems := reports[0].Problems
		if got := len(problems) > 0; got != invalid || got && (len(problems) != 1 || problems[0].Severity != authz.Invalid || problems[0].Field != "spec.routes" || !strings.Contains(problems[0].Message, "at most 256 different")) {
			t.Errorf("%d: got %v", n, problems)
		}
		if held := len(s.find.Policy(0).Entries); invalid && held > 16 {
			t.Errorf("%d: expected an entry for each host, got %d", n, held)
		}
		if invalid {
			decided(t, e.Decide(t.Context(), get("h0.example.test", "/")), authz.Error, 503, authz.PolicyInvalid)
		}
	}
	same := expressions(16) // each is held once
	same.Spec.Routes = append(same.Spec.Routes, same.Spec.Routes[0])
	if n := validate.Patterns(same.Spec.Routes); n != 16 {
		t.Errorf("expected 16, got %d", n)
	}
}
