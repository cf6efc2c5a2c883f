package audit_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/telemetry/audit"
)

// parts is what is recorded in a test.
func parts(t *testing.T, texts ...string) func(*audit.Config) {
	t.Helper()
	all, of, err := audit.ParseAllows(texts)
	if err != nil {
		t.Fatal(err)
	}
	return func(c *audit.Config) { c.Allows, c.AllowsOf = all, of }
}

func TestTheMostSpecificPartOfAllowancesCountsForAPolicy(t *testing.T) {
	for name, c := range map[string]struct {
		allows []string
		want   map[string]bool // policy: whether its allowances are recorded
	}{
		"nothing is said":           {nil, map[string]bool{"shop/catalog": true, "": true}},
		"a number for all":          {[]string{"0"}, map[string]bool{"shop/catalog": false, "": false}},
		"a policy before all":       {[]string{"1", "shop/catalog=0"}, map[string]bool{"shop/catalog": false, "shop/orders": true, "chat/catalog": true, "": true}},
		"a policy without all":      {[]string{"shop/catalog=none"}, map[string]bool{"shop/catalog": false, "shop/orders": true}},
		"a namespace before all":    {[]string{"all", "shop/*=0"}, map[string]bool{"shop/catalog": false, "shop/orders": false, "shopping/orders": true, "sho/p": true}},
		"a policy before its space": {[]string{"shop/catalog=1", "shop/*=0", "1"}, map[string]bool{"shop/catalog": true, "shop/orders": false, "chat/a": true}},
		"one alone is recorded":     {[]string{"none", "shop/orders=all"}, map[string]bool{"shop/orders": true, "shop/catalog": false, "": false}},
	} {
		to := &sink{}
		s := begin(t, to, parts(t, c.allows...))
		for policy := range c.want {
			d := allowed()
			d.Policy = policy
			s.Decision(t.Context(), &authz.Raw{ID: "req"}, d, at, 0)
		}
		end(t, s)
		got := map[string]bool{}
		for policy := range c.want {
			got[policy] = false
		}
		for _, r := range records(t, to.text.String()) {
			if r.Agentauth.Decision == "allow" {
				got[r.Agentauth.Policy] = true
			}
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: expected %v, got %v", name, c.want, got)
		}
	}
}

func TestRefusalsErrorsAnswersAndRevokedCredentialsOfASampledPolicyAreRecordedAlways(t *testing.T) {
	to := &sink{}
	s := begin(t, to, parts(t, "shop/*=none", "shop/catalog=0"))
	for _, outcome := range []authz.Outcome{authz.Deny, authz.Error, authz.Respond} {
		s.Decision(t.Context(), &authz.Raw{ID: "req"}, &authz.Decision{Outcome: outcome, Policy: "shop/catalog", Status: 403}, at, 0)
	}
	s.Decision(t.Context(), &authz.Raw{ID: "req"}, &authz.Decision{Outcome: authz.Allow, Policy: "shop/catalog", Identity: &authz.Identity{}, Refused: &authz.Identity{}}, at, 0)
	s.Policies([]authz.PolicyChange{{Policy: "shop/catalog"}}, 1)
	end(t, s)
	got := ""
	for _, r := range records(t, to.text.String()) {
		got += string(r.Event.Action) + r.Agentauth.Decision + " "
		if r.Agentauth.Sampled != 0 {
			t.Errorf("expected that no record of these is one of a sample, got %v", r.Agentauth.Sampled)
		}
	}
	if want := "start decisiondeny decisionerror decisionrespond decisionallow policy stop "; got != want {
		t.Errorf("expected %s, got %s", want, got)
	}
}

func TestARecordOfASampleSaysOfWhichPartItIs(t *testing.T) {
	to := &sink{}
	s := begin(t, to, parts(t, "shop/catalog=0.25", "chat/*=0.5"))
	for i := range 400 {
		for _, policy := range []string{"shop/catalog", "chat/a", "shop/orders"} {
			d := allowed()
			d.Policy = policy
			s.Decision(t.Context(), &authz.Raw{ID: fmt.Sprint("req-", policy, i)}, d, at, 0)
		}
	}
	end(t, s)
	want := map[string]float64{"shop/catalog": 0.25, "chat/a": 0.5, "shop/orders": 0}
	estimate := map[string]float64{}
	for _, r := range records(t, to.text.String())[1:] {
		a := &r.Agentauth
		if a.Decision != "allow" {
			continue
		}
		if a.Sampled != want[a.Policy] {
			t.Fatalf("%s: expected %v, got %v", a.Policy, want[a.Policy], a.Sampled)
		}
		if a.Sampled == 0 {
			estimate[a.Policy]++
		} else {
			estimate[a.Policy] += 1 / a.Sampled
		}
	}
	if estimate["shop/orders"] != 400 || estimate["shop/catalog"] < 200 || estimate["shop/catalog"] > 600 || estimate["chat/a"] < 300 || estimate["chat/a"] > 500 {
		t.Errorf("expected about 400 of each, got %v", estimate)
	}
	if text := to.text.String(); strings.Count(text, `"sampled":0.25`) == 0 || strings.Contains(text, `"sampled":0,`) {
		t.Errorf("got\n%s", text[:400])
	}
}

func TestTheStartSaysWhichAllowancesAreRecordedWhereNotAllAre(t *testing.T) {
	for name, c := range map[string]struct{ allows, want []string }{
		"all":         {nil, nil},
		"all of each": {[]string{"1", "shop/catalog=all"}, nil},
		"none":        {[]string{"none"}, []string{"0"}},
		"some":        {[]string{"0.5", "shop/b=1", "shop/a=1e-3", "chat/*=0.1"}, []string{"0.5", "shop/a=0.001", "shop/b=1", "chat/*=0.1"}},
	} {
		to := &sink{}
		end(t, begin(t, to, parts(t, c.allows...)))
		if got := records(t, to.text.String())[0].Agentauth.Allows; !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: expected %v, got %v", name, c.want, got)
		}
	}
}

func TestTheStartSaysOfEachPolicyWhichAllowancesAreRecorded(t *testing.T) {
	texts := []string{"1"}
	for i := range 998 {
		texts = append(texts, fmt.Sprintf("%s/%s%03d=0.%020d1", strings.Repeat("n", 63), strings.Repeat("p", 250), i, 0))
	}
	texts = append(texts, "zz/*=0")
	to := &sink{}
	end(t, begin(t, to, parts(t, texts...)))
	if got := records(t, to.text.String())[0].Agentauth.Allows; len(got) != 1000 || !slices.Contains(got, "zz/*=0") {
		t.Errorf("expected all of 1000 numbers, got %d", len(got))
	}
	if _, _, err := audit.ParseAllows(append(texts, "zz/a=0")); err == nil || !strings.Contains(err.Error(), "expected at most 1000 numbers, got 1001") {
		t.Errorf("got %v", err)
	}
}

func TestAPartOfAllowancesThatCannotBeReadIsExplained(t *testing.T) {
	for _, c := range []struct {
		allows []string
		want   string
	}{
		{[]string{"NaN"}, `"NaN": expected all, none, or a number from 0 to 1`},
		{[]string{"Inf"}, `"Inf": expected all, none, or a number from 0 to 1`},
		{[]string{"shop/catalog=-Inf"}, `"shop/catalog=-Inf": expected all, none, or a number from 0 to 1`},
		{[]string{"-0.1"}, `"-0.1": expected all, none, or a number from 0 to 1`},
		{[]string{"shop/*=1.5"}, `"shop/*=1.5": expected all, none, or a number from 0 to 1`},
		{[]string{"10%"}, `"10%": expected all, none, or a number from 0 to 1, got a percentage: 0.1 is 10%`},
		{[]string{"shop/catalog=10%"}, `0.1 is 10%`},
		{[]string{""}, `"": expected all, none, or a number from 0 to 1`},
		{[]string{"shop/catalog="}, `"shop/catalog=": expected all, none, or a number from 0 to 1`},
		{[]string{"shop/catalog=0.1=0.2"}, `expected all, none, or a number from 0 to 1`},
		{[]string{"shop/catalog"}, `"shop/catalog": expected all, none, or a number from 0 to 1`},
		{[]string{"0,1"}, `"0,1": expected all, none, or a number from 0 to 1`},
		{[]string{"catalog=0.1"}, `"catalog=0.1": expected NAMESPACE/NAME or NAMESPACE/* before the =, as in shop/catalog=0.01 or shop/*=0.01, got "catalog"; a number alone is for all policies`},
		{[]string{"*=0.1"}, `got "*"`},
		{[]string{"*/*=0.1"}, `got "*/*"`},
		{[]string{"*/catalog=0.1"}, `got "*/catalog"`},
		{[]string{"shop/cat*=0.1"}, `got "shop/cat*"`},
		{[]string{"shop/=0.1"}, `got "shop/"`},
		{[]string{"/catalog=0.1"}, `got "/catalog"`},
		{[]string{"=0.1"}, `got ""`},
		{[]string{"shop/a/b=0.1"}, `got "shop/a/b"`},
		{[]string{"Shop/Catalog=0.1"}, `got "Shop/Catalog"`},
		{[]string{"shop/catalog = 0.1"}, `"shop/catalog = 0.1": expected no spaces, as in 0.1`},
		{[]string{"1", " shop/catalog=0.1"}, `expected no spaces`},
		{[]string{"0.1", "0.2"}, `"0.2": expected one number for all policies, got two: leave one out`},
		{[]string{"all", "all"}, `expected one number for all policies, got two`},
		{[]string{"shop/*=1", "shop/*=1"}, `"shop/*=1": expected one number for shop/*, got two: leave one out`},
		{[]string{"shop/a=0.1", "shop/b=1", "shop/a=0.2"}, `"shop/a=0.2": expected one number for shop/a, got two: leave one out`},
	} {
		if _, _, err := audit.ParseAllows(c.allows); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: expected %s, got %v", c.allows, c.want, err)
		}
	}
}

func TestASampleOfAPolicyCostsADecisionNoAllocation(t *testing.T) {
	s := begin(t, &sink{}, parts(t, "1", "shop/a=0", "chat/*=0", "shop/b=1e-18"))
	defer end(t, s)
	for _, policy := range []string{"shop/a", "chat/x", "shop/b"} {
		raw, d := request(), allowed()
		d.Policy = policy
		if n := testing.AllocsPerRun(200, func() { s.Decision(t.Context(), &raw, d, at, time.Millisecond) }); n > 0 {
			t.Errorf("%s: expected none for an allowance that is left out, got %v", policy, n)
		}
	}
}
