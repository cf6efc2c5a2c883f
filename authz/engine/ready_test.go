package engine

import (
	"errors"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/attach"
)

func TestReadyIsTheWorstCondition(t *testing.T) {
	e, _ := newWorld(Options{})
	both := onHost("both", "both.example.com", staff("nowhere"))
	both.Spec.Authorization = &v1alpha1.Authorization{Rules: []v1alpha1.Rule{{Name: "r", Require: "nope"}}}
	_, reports := e.Compile(Input{
		Policies: []*v1alpha1.AgentAuthPolicy{
			both, targeting(onHost("idle", "", staff("nowhere")), "Gateway", "edge", ""), targeting(onHost("late", "", staff("nowhere")), "Gateway", "edge", ""),
		},
		Objects: attach.Objects{Gateways: []*gatewayv1.Gateway{gatewayOf("edge", "*.example.com")}},
	})
	for name, want := range map[string]string{"both": "Invalid", "idle": "RefNotFound", "late": "Conflicted"} {
		c := named(reports, name).Conditions[0]
		if c.Type != "Ready" || c.Status != metav1.ConditionFalse || c.Reason != want || c.ObservedGeneration != 1 || c.Message == "" {
			t.Errorf("%s: expected Ready False %s, got %+v", name, want, c)
		}
	}
}

func TestAPolicyThatDecidesNothingYetIsNotReady(t *testing.T) {
	e, _ := newWorld(Options{})
	_, reports := e.Compile(Input{
		Policies: []*v1alpha1.AgentAuthPolicy{targeting(onHost("idle", "", anonymous()), "Gateway", "edge", "")},
		Objects:  attach.Objects{Gateways: []*gatewayv1.Gateway{gatewayOf("edge", "*.example.com")}},
	})
	c := reports[0].Conditions
	if c[0].Status != metav1.ConditionFalse || c[0].Reason != "TargetNotFound" || c[0].Message != c[3].Message || c[1].Status != metav1.ConditionTrue {
		t.Errorf("expected Ready to say what Programmed says, got %+v", c)
	}
}

func TestReadySaysShortlyWhatIsWarnedOf(t *testing.T) {
	e, _ := newWorld(Options{})
	e.deps.Remote.CheckURL = func(string) error { return errors.New("it is " + strings.Repeat("far ", 500)) }
	required := partners(idp)
	required.Requirement = v1alpha1.Required
	_, reports := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{
		onHost("one", "one.example.com", partners(idp)), onHost("two", "two.example.com", required, anonymous()),
	}})
	one, two := named(reports, "one").Conditions, named(reports, "two").Conditions
	if m := one[0].Message; one[0].Status != metav1.ConditionTrue || !strings.HasPrefix(m, "in force, with a warning: spec.authentication.methods[0].jwt.issuer: EgressRefused: ") || len(m) > 400 {
		t.Errorf("got %+v", one[0])
	}
	if !strings.Contains(one[2].Message, "EgressRefused: no keys can be fetched") || one[1].Message != "valid, and its routes are decided by it" {
		t.Errorf("expected what is about keys in ResolvedRefs alone, got %+v", one)
	}
	if m := two[0].Message; two[0].Status != metav1.ConditionTrue || !strings.HasPrefix(m, "in force, with 2 warnings (see Accepted and ResolvedRefs): ") {
		t.Errorf("got %+v", two[0])
	}
	if !strings.Contains(two[1].Message, "it never applies") || two[1].Reason != "Accepted" || strings.Contains(two[2].Message, "it never applies") {
		t.Errorf("expected what is about the policy in Accepted alone, got %+v", two)
	}
}

func TestTheWorstProblemIsTheFirstLineThatPeopleSee(t *testing.T) {
	e, _ := newWorld(Options{})
	required := staff("staff")
	required.Requirement = v1alpha1.Required
	p := onHost("p", "p.example.com", required, anonymous())
	p.Spec.Authorization = &v1alpha1.Authorization{Rules: []v1alpha1.Rule{{Name: "r", Require: "nope"}}}
	_, reports := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{p}})
	first, rest, _ := strings.Cut(reports[0].Conditions[0].Message, "\n")
	if !strings.HasPrefix(first, "spec.authorization.rules[0].require: ") || !strings.Contains(rest, "it never applies") {
		t.Errorf("expected what makes it invalid before the warning, got %q and %q", first, rest)
	}
}

func TestWhatIsLostInPartIsSaidWhileThePolicyIsReady(t *testing.T) {
	e, _ := newWorld(Options{})
	half := newer(onHost("half", "first.example.com", anonymous()))
	half.Spec.Routes[0].Hostnames = append(half.Spec.Routes[0].Hostnames, "half.example.com")
	_, reports := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{older(onHost("first", "first.example.com", anonymous())), half}})
	if c := named(reports, "half").Conditions[0]; c.Status != metav1.ConditionTrue || !strings.HasPrefix(c.Message, "in force in part, with a problem: ") {
		t.Errorf("got %+v", c)
	}
	if c := named(reports, "first").Conditions[0]; c.Message != "in force" {
		t.Errorf("got %+v", c)
	}
}

func TestAnAncestorWhereAnotherPolicyDecidesIsNotReadyThere(t *testing.T) {
	e, _ := newWorld(Options{})
	_, reports := e.Compile(Input{
		Objects: attach.Objects{
			Gateways:   []*gatewayv1.Gateway{gatewayOf("strict", "*.example.org"), gatewayOf("edge", "*.example.com")},
			HTTPRoutes: []*gatewayv1.HTTPRoute{routeOn("shop", "api", names("api.example.com", "api.example.org"), "strict", "edge")},
		},
		Policies: []*v1alpha1.AgentAuthPolicy{
			targeting(onHost("api", "", anonymous()), "HTTPRoute", "api", ""),
			overriding(targeting(onHost("strict", "", anonymous()), "Gateway", "strict", "")),
		},
	})
	api := named(reports, "api")
	if api.Conditions[0].Status != metav1.ConditionTrue {
		t.Errorf("got %+v", api.Conditions[0])
	}
	for i, want := range []string{"True Ready", "False Overridden"} { // edge, strict
		c := api.Ancestors[i].Conditions
		if len(c) != 4 || c[0].Type != "Ready" || string(c[0].Status)+" "+c[0].Reason != want {
			t.Errorf("expected Ready %s first, got %+v", want, c)
		}
	}
}

func TestAWarningOfTheSpecIsTheConditionAcceptedsAndOneOfKeysIsThatOfReferences(t *testing.T) {
	for _, l := range authz.Lints() {
		of := authz.Problem{Severity: authz.Warning, Lint: l}.OfReferences()
		switch l {
		case authz.SelectsNothing, authz.NotAKey, authz.OddAnnotation, authz.KeyEnded, authz.KeysUnreachable, authz.EgressRefused:
			if !of {
				t.Errorf("%s: expected ResolvedRefs", l)
			}
		default:
			if of {
				t.Errorf("%s: expected Accepted", l)
			}
		}
	}
}

func TestATargetOfAKindThatIsNotInstalledIsToldSo(t *testing.T) {
	e, _ := newWorld(Options{})
	p := targeting(onHost("p", "", anonymous()), "HTTPRoute", "orders", "")
	compile := func(absent ...v1alpha1.TargetKind) string {
		s, reports := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{p}, Objects: attach.Objects{Absent: absent}})
		e.Swap(s)
		return reports[0].Conditions[0].Message
	}
	const none = "the cluster has no kind HTTPRoute: Gateway API is not installed, or not httproutes.gateway.networking.k8s.io in version v1"
	for i, absent := range [][]v1alpha1.TargetKind{{"GRPCRoute"}, {"GRPCRoute", "Gateway", "HTTPRoute"}, nil} {
		if m := compile(absent...); strings.Contains(m, none) != (i == 1) || strings.Contains(m, "there is none (yet)") != (i != 1) {
			t.Errorf("%v: got %q", absent, m)
		}
	}
}
