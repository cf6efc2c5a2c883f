package extauthz

import (
	"context"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
)

// recorder keeps what it was told, as the decision log does.
type recorder struct {
	next Decider
	got  authz.Decision
}

func (r *recorder) Decide(ctx context.Context, raw authz.Raw) authz.Decision {
	r.got = r.next.Decide(ctx, raw)
	return r.got
}

func deciding(d authz.Decision) Decider {
	return decide(func(context.Context, authz.Raw) authz.Decision { return d })
}

func TestWhatIsRecordedOfADecisionIsWhatEnvoyIsTold(t *testing.T) {
	set := []authz.Header{{Name: "x-agent-id", Value: "a"}}
	for name, d := range map[string]authz.Decision{
		"an allowance":                    {Outcome: authz.Allow, Set: set, Remove: []string{"x-b"}},
		"an allowance that has no form":   {Outcome: authz.Allow, Set: []authz.Header{{Name: "x-a", Value: "a\r\nb: c"}}},
		"metadata that has no form":       {Outcome: authz.Allow, Metadata: map[string]any{"a": []any{map[string]any{"b": "\xff"}}}},
		"metadata of no kind":             {Outcome: authz.Allow, Metadata: map[string]any{"a": struct{}{}}},
		"metadata of each kind":           {Outcome: authz.Allow, Metadata: map[string]any{"a": []any{map[string]any{"b": "c", "d": nil}, true, math.Inf(1), 1}}},
		"a refusal":                       {Outcome: authz.Deny, Status: 401},
		"a refusal that has no form":      {Outcome: authz.Deny, Status: 401, Body: "\xff"},
		"a refusal without a status":      {Outcome: authz.Deny},
		"a refusal with one of a success": {Outcome: authz.Deny, Status: 200},
		"an error without a status":       {Outcome: authz.Error},
		"an answer":                       {Outcome: authz.Respond, Status: 200, Body: "{}"},
		"an answer without a status":      {Outcome: authz.Respond},
	} {
		r := &recorder{next: Writable(deciding(d))}
		got, err := silentChecker(r).Check(t.Context(), parse(t, plaintextCheck))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		told := ReadAnswer(got)
		if told.Outcome != r.got.Outcome && !(told.Outcome == authz.Deny && r.got.Outcome == authz.Error) || told.Status != r.got.Status || told.Body != r.got.Body {
			t.Errorf("%s: Envoy is told %s %d %s, recorded is %s %d %s", name, told.Outcome, told.Status, told.Body, r.got.Outcome, r.got.Status, r.got.Body)
		}
	}
}

func TestARefusalInThePlaceOfADecisionKeepsWhoseItIs(t *testing.T) {
	id, version := &authz.Identity{Subject: "robot"}, &authz.PolicyVersion{Generation: 7}
	d := Writable(deciding(authz.Decision{Outcome: authz.Allow, Reason: authz.Allowed, Policy: "shop/a", Version: version, Method: "keys", Identity: id,
		Set: []authz.Header{{Name: "x-agent-id", Value: "s3cret\n"}}, Token: "x-agent-id"})).Decide(t.Context(), authz.Raw{})
	if d.Policy != "shop/a" || d.Version != version || d.Method != "keys" || d.Identity != id || d.Token != "" {
		t.Errorf("got %+v", d)
	}
	if want := "header x-agent-id has a value that is no field value"; !strings.Contains(d.Detail, want) || strings.Contains(d.Detail+d.Body, "s3cret") {
		t.Errorf("expected %q, got %q", want, d.Detail)
	}
}

func TestADecisionThatCanBeWrittenStaysAsItIsAndCostsNothingMore(t *testing.T) {
	d := authz.Decision{Outcome: authz.Allow, Reason: authz.Allowed, Policy: "shop/a", Set: []authz.Header{{Name: "x-agent-id", Value: "a"}}, Remove: []string{"x-b"},
		Metadata: map[string]any{"a": []any{"b", 1.0, map[string]any{"c": nil}}}}
	w, raw := Writable(deciding(d)), authz.Raw{}
	if got := w.Decide(t.Context(), raw); !reflect.DeepEqual(got, d) {
		t.Errorf("got %+v", got)
	}
	if n := testing.AllocsPerRun(200, func() { w.Decide(t.Context(), raw) }); n > 0 {
		t.Errorf("expected no allocation, got %v", n)
	}
}
