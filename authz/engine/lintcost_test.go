package engine

import (
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
)

func TestWarningsOfAPolicyStandInItsConditionAccepted(t *testing.T) {
	p := onHost("p", "api.example.com", anonymous())
	p.Spec.Authorization = &v1alpha1.Authorization{Rules: []v1alpha1.Rule{
		{Name: "a", When: `request.method == "Get"`, Require: `request.path.matches("^/admin")`}}}
	e, _ := newWorld(Options{})
	_, reports := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{p}})
	for _, c := range reports[0].Conditions {
		told := strings.Contains(c.Message, "NeverTrue: 1:19: ") && strings.Contains(c.Message, "PrefixWithoutSlash: 1:22: ")
		if c.Type == v1alpha1.ConditionAccepted && (string(c.Status) != "True" || !told) {
			t.Errorf("expected a policy that is accepted, with its warnings, got %+v", c)
		}
		if c.Type == v1alpha1.ConditionResolvedRefs && strings.Contains(c.Message, "NeverTrue") {
			t.Errorf("expected nothing of rules, got %+v", c)
		}
	}
}

func TestWarningsOfAHostilePolicyAreBounded(t *testing.T) {
	p := onHost("p", "api.example.com", anonymous())
	p.Spec.Authorization = &v1alpha1.Authorization{}
	hostile := strings.Repeat(`request.method=="a"||`, 4000/21) + "true"
	for i := range 32 {
		p.Spec.Authorization.Rules = append(p.Spec.Authorization.Rules, v1alpha1.Rule{
			Name: "r" + strings.Repeat("x", i), When: v1alpha1.Expression(hostile), Require: v1alpha1.Expression(hostile)})
	}
	got := lintsOf(t, p)
	size := 0
	for _, w := range got {
		size += len(w)
	}
	if len(got) == 0 || len(got) > 8*64 || size > 256<<10 {
		t.Errorf("expected at most 8 warnings of an expression, got %d of %d bytes", len(got), size)
	}
}
