package engine

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// busy occupies the engine's scheduler until the test ends.
func busy(t *testing.T, e *Engine) {
	t.Helper()
	end, err := e.deps.Scheduler.Turn(t.Context(), work.Task{Owner: work.Owner{Namespace: "busy"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
}

// within decides with half a second for it.
func within(t *testing.T, e *Engine, raw authz.Raw) authz.Decision {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	return e.Decide(ctx, raw)
}

func requiring(p *v1alpha1.AgentAuthPolicy, rules ...v1alpha1.Rule) *v1alpha1.AgentAuthPolicy {
	for i := range rules {
		rules[i].Name = fmt.Sprint("rule-", i)
	}
	p.Spec.Authorization = &v1alpha1.Authorization{Rules: rules}
	return p
}

const heavyExpression = `!request.headers["x-a"].matches("^(?:.*a){300}[^a]$")`

func TestHeavyExpressionsWaitForTheirTurnAndLightOnesDoNot(t *testing.T) {
	heavy := header("x-a", strings.Repeat("a", 1<<10))
	for name, c := range map[string]struct {
		policy *v1alpha1.AgentAuthPolicy
		heavy  bool
	}{
		"a rule":                 {requiring(onHost("p", "api.example.com", anonymous()), v1alpha1.Rule{Require: heavyExpression}), true},
		"a condition":            {requiring(onHost("p", "api.example.com", anonymous()), v1alpha1.Rule{When: heavyExpression, Require: "true"}), true},
		"a header":               {setting(onHost("p", "api.example.com", anonymous()), "x-b", heavyExpression+` ? "a" : "b"`), true},
		"light rules":            {requiring(onHost("p", "api.example.com", anonymous()), v1alpha1.Rule{Require: `request.method == "GET"`}, v1alpha1.Rule{Require: `request.path.startsWith("/")`}), false},
		"a header of a list":     {setting(onHost("p", "api.example.com", anonymous()), "x-b", `identity.groups.join(",")`), false},
		"a header that is light": {setting(onHost("p", "api.example.com", anonymous()), "x-b", `request.path`), false},
	} {
		t.Run(name, func(t *testing.T) {
			e, _ := newWorld(Options{})
			load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{c.policy}})
			if d := e.Decide(t.Context(), get("api.example.com", "/", heavy)); d.Outcome != authz.Allow {
				t.Errorf("expected it to be allowed in turn, got %+v", d)
			}
			busy(t, e)
			d := within(t, e, get("api.example.com", "/", heavy))
			if c.heavy && (d.Status != 503 || d.Policy != "shop/p") || !c.heavy && d.Outcome != authz.Allow {
				t.Errorf("heavy: %t, got %+v", c.heavy, d)
			}
		})
	}
}

func TestHeavyClaimMappingsWaitForTheirTurn(t *testing.T) {
	method := partners(idp)
	method.JWT.ClaimMappings = &v1alpha1.ClaimMappings{Subject: `claims.sub.matches("^(?:.*a){150}[^a]$") ? "a" : "b"`}
	e, _ := newWorld(Options{})
	load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{onHost("p", "api.example.com", method)}})
	bearer := header("authorization", "Bearer "+tokenOf(t, idp))
	if d := e.Decide(t.Context(), get("api.example.com", "/", bearer)); d.Outcome != authz.Allow || d.Identity.Subject != "b" {
		t.Errorf("expected it to be allowed in turn, got %+v", d)
	}
	busy(t, e)
	if d := within(t, e, get("api.example.com", "/", bearer)); d.Status != 503 {
		t.Errorf("expected 503, got %+v", d)
	}
}

// A light decision never waits, however many rules it has: what it took counts,
// not what it might have taken.
func TestManyLightRulesDoNotWait(t *testing.T) {
	var rules []v1alpha1.Rule
	for range 32 {
		rules = append(rules, v1alpha1.Rule{When: `request.path.startsWith("/")`, Require: `request.method in ["GET", "POST"]`})
	}
	e, _ := newWorld(Options{})
	load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{requiring(onHost("p", "api.example.com", anonymous()), rules...)}})
	busy(t, e)
	for range 3 { // a machine that is busy may be slow once
		if d := e.Decide(t.Context(), get("api.example.com", "/")); d.Outcome == authz.Allow {
			return
		}
	}
	t.Error("expected it to be allowed at once")
}

func matching(p *v1alpha1.AgentAuthPolicy, m gatewayv1.HTTPRouteMatch) *v1alpha1.AgentAuthPolicy {
	p.Spec.Routes[0].Matches = []gatewayv1.HTTPRouteMatch{m}
	return p
}

func TestHeavyMatchesWaitForTheirTurnAndAreNoAllowanceWithoutOne(t *testing.T) {
	heavy, quick := `(?:\PZ*\pL){300}`, "[a-z]+"
	header1 := func(value string) gatewayv1.HTTPRouteMatch {
		return gatewayv1.HTTPRouteMatch{Headers: []gatewayv1.HTTPHeaderMatch{{Type: new(gatewayv1.HeaderMatchRegularExpression), Name: "x-a", Value: value}}}
	}
	query := func(value string) gatewayv1.HTTPRouteMatch {
		return gatewayv1.HTTPRouteMatch{QueryParams: []gatewayv1.HTTPQueryParamMatch{{Type: new(gatewayv1.QueryParamMatchRegularExpression), Name: "q", Value: value}}}
	}
	path := func(value string) gatewayv1.HTTPRouteMatch {
		return gatewayv1.HTTPRouteMatch{Path: &gatewayv1.HTTPPathMatch{Type: new(gatewayv1.PathMatchRegularExpression), Value: &value}}
	}
	text := strings.Repeat("a", 4<<10)
	for name, c := range map[string]struct {
		match gatewayv1.HTTPRouteMatch
		path  string
		heavy bool
	}{
		"a header":       {header1(heavy), "/", true},
		"a query":        {query(heavy), "/?q=" + text + "&q=" + text + ";q=" + text, true},
		"a path":         {path("/" + heavy), "/" + text, true},
		"a quick header": {header1(quick), "/", false},
		"a quick query":  {query(quick), "/?q=" + text[:64], false},
		"a quick path":   {path("/" + quick), "/" + text[:64], false},
	} {
		t.Run(name, func(t *testing.T) {
			value := text
			if !c.heavy {
				value = text[:64]
			}
			e, _ := newWorld(Options{})
			load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{matching(onHost("p", "api.example.com", anonymous()), c.match), under(onHost("rest", "api.example.com", anonymous()), "/rest")}})
			busy(t, e)
			d := within(t, e, get("api.example.com", c.path, header("x-a", value)))
			if c.heavy && d.Status != 503 || !c.heavy && (d.Outcome != authz.Allow || d.Policy != "shop/p") {
				t.Errorf("heavy: %t, got %+v", c.heavy, d)
			}
		})
	}
}

// The case of a stranger: seven values of 8 KiB.
func TestMatchesOfManyLongValuesEndAtTheDeadline(t *testing.T) {
	m := gatewayv1.HTTPRouteMatch{QueryParams: []gatewayv1.HTTPQueryParamMatch{{Type: new(gatewayv1.QueryParamMatchRegularExpression), Name: "q", Value: `(?:\PZ*\pL){300}`}}}
	e, _ := newWorld(Options{})
	load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{matching(onHost("p", "api.example.com", anonymous()), m)}})
	value := "q=" + strings.Repeat("a", 8<<10)
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Millisecond)
	defer cancel()
	start := time.Now()
	d := e.Decide(ctx, get("api.example.com", "/?"+strings.Repeat(value+"&", 6)+value+";x"))
	if d.Outcome == authz.Allow || time.Since(start) > 10*time.Second {
		t.Errorf("expected no allowance, and soon, got %s after %v", d.Outcome, time.Since(start))
	}
}

func TestAnAnswerAfterItsDeadlineIsNoAllowance(t *testing.T) {
	for name, c := range map[string]struct {
		options Options
		host    string
		policy  string
	}{
		"by a policy":      {Options{}, "api.example.com", "shop/p"},
		"of nobody's host": {Options{AllowUnmatched: true}, "else.example.com", ""},
	} {
		e, _ := newWorld(c.options)
		load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{onHost("p", "api.example.com", anonymous())}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond) // less than the margin
		d := e.Decide(ctx, get(c.host, "/"))
		cancel()
		if d.Outcome != authz.Error || d.Status != 503 || d.Policy != c.policy {
			t.Errorf("%s: expected 503, got %+v", name, d)
		}
		if d := e.Decide(t.Context(), get(c.host, "/")); d.Outcome != authz.Allow {
			t.Errorf("%s: expected it to be allowed in time, got %+v", name, d)
		}
	}
}

// Each look-up of a parameter goes over the whole query, which the caller makes long.
func TestExpressionsThatReadALongQueryEndAtTheDeadline(t *testing.T) {
	expression := v1alpha1.Expression(strings.Repeat(`!("a" in request.query) && `, 5) + `!("b" in request.query)`)
	var rules []v1alpha1.Rule
	for range 32 {
		rules = append(rules, v1alpha1.Rule{Require: expression})
	}
	e, _ := newWorld(Options{})
	load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{requiring(onHost("p", "api.example.com", anonymous()), rules...)}})
	d, steps := explainWithin(t, e, 200*time.Millisecond, get("api.example.com", "/?"+strings.Repeat("[&", 50_000)))
	if d.Outcome != authz.Error || len(steps) >= len(rules) {
		t.Errorf("expected 503 after some of the rules, got %s after %d", d.Outcome, len(steps))
	}
}

func explainWithin(t *testing.T, e *Engine, limit time.Duration, raw authz.Raw) (authz.Decision, []authz.Step) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	return e.Explain(ctx, raw)
}
