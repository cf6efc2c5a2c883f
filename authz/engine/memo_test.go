package engine

import (
	"maps"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
)

// two are two policies with Secrets of their own.
func two() Input {
	return Input{
		Policies: []*v1alpha1.AgentAuthPolicy{
			setting(onHost("orders", "orders.example.com", staff("staff"), keys("orders"), partners(idp)), "x-agent-id", "identity.subject"),
			onHost("stock", "stock.example.com", staff("stock"), keys("stock")),
		},
		Secrets: []*Object{alice("staff"), alice("stock"), robot("order-keys", "orders", robotKey), robot("stock-keys", "stock", robotKey)},
	}
}

// copied is the same Input in other memory, as a source reads it anew.
func copied(in Input) Input {
	var out Input
	for _, p := range in.Policies {
		out.Policies = append(out.Policies, p.DeepCopy())
	}
	for _, o := range in.Secrets {
		c := *o
		c.Labels, c.Annotations, c.Data = maps.Clone(o.Labels), maps.Clone(o.Annotations), maps.Clone(o.Data)
		out.Secrets = append(out.Secrets, &c)
	}
	return out
}

func policyOf(s *Snapshot, name string) *compiled {
	return s.policies[slices.IndexFunc(s.policies, func(p *compiled) bool {
		return p != nil && p.Name == types.NamespacedName{Namespace: "shop", Name: name}
	})]
}

func TestWhatDidNotChangeIsTakenOver(t *testing.T) {
	for name, c := range map[string]struct {
		change        func(*Input)
		orders, stock bool // is it compiled again?
	}{
		"nothing": {func(*Input) {}, false, false},
		"a status": {func(in *Input) {
			in.Policies[0].ResourceVersion, in.Policies[0].Labels = "2", map[string]string{"a": "b"}
		}, false, false},
		"a header":                            {func(in *Input) { in.Policies[0].Spec.Response.Upstream.Headers[0].Value = "'x'" }, true, false},
		"a generation":                        {func(in *Input) { in.Policies[0].Generation++ }, true, false},
		"a hostname":                          {func(in *Input) { in.Policies[1].Spec.Routes[0].Hostnames[0] = "s.example.com" }, false, true},
		"a password":                          {func(in *Input) { in.Secrets[0].Data["password"] = []byte("another") }, true, false},
		"a Secret's label":                    {func(in *Input) { in.Secrets[1].Labels[v1alpha1.LabelUse] = "hmac" }, false, true},
		"a Secret that is gone":               {func(in *Input) { in.Secrets = in.Secrets[1:] }, true, false},
		"a key more":                          {func(in *Input) { in.Secrets[2] = robot("order-keys", "orders", robotKey, robotKey+"2") }, true, false},
		"a Secret of keys more":               {func(in *Input) { in.Secrets = append(in.Secrets, robot("new", "stock", robotKey+"3")) }, false, true},
		"an annotation of a key":              {func(in *Input) { in.Secrets[3].Annotations = map[string]string{v1alpha1.AnnotationScopes: "a"} }, false, true},
		"a Secret of keys that changes hands": {func(in *Input) { in.Secrets[2].Labels["team"] = "stock" }, true, true},
		"a Secret that nobody uses":           {func(in *Input) { in.Secrets = append(in.Secrets, alice("nobody")) }, false, false},
		"a policy more":                       {func(in *Input) { in.Policies = append(in.Policies, onHost("new", "new.example.com", anonymous())) }, false, false},
		"the order":                           {func(in *Input) { in.Policies[0], in.Policies[1] = in.Policies[1], in.Policies[0] }, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			e, _ := newWorld(Options{})
			before := load(t, e, two())
			next := copied(two())
			c.change(&next)
			after, _ := e.Compile(next)
			if again := policyOf(after, "orders") != policyOf(before, "orders"); again != c.orders {
				t.Errorf("orders is compiled again: %t, expected %t", again, c.orders)
			}
			if again := policyOf(after, "stock") != policyOf(before, "stock"); again != c.stock {
				t.Errorf("stock is compiled again: %t, expected %t", again, c.stock)
			}
		})
	}
}

func TestAnEditedPolicyKeepsItsKeySet(t *testing.T) {
	e, w := newWorld(Options{})
	load(t, e, two())
	next := copied(two())
	next.Policies[0].Spec.Response.Upstream.Headers[0].Value = `"another"`
	next.Policies[0].Generation++
	load(t, e, next)
	if len(w.made) != 1 || w.made[0].started.Load() != 1 || w.made[0].closed.Load() != 0 {
		t.Errorf("expected one key set, started once and not closed; got %d", len(w.made))
	}
	d := e.Decide(t.Context(), get("orders.example.com", "/", header("authorization", "Bearer "+tokenOf(t, idp))))
	decided(t, d, authz.Allow, 0, authz.Allowed)
	if len(d.Set) != 1 || d.Set[0].Value != "another" {
		t.Errorf("got %v", d.Set)
	}
}

func TestAChangedSecretIsInForceAndTheOldOneIsNot(t *testing.T) {
	e, _ := newWorld(Options{})
	load(t, e, two())
	old := get("stock.example.com", "/", header("x-api-key", robotKey))
	decided(t, e.Decide(t.Context(), old), authz.Allow, 0, authz.Allowed)
	next := copied(two())
	next.Secrets[3] = robot("stock-keys", "stock", "another-key-of-the-robot")
	load(t, e, next)
	decided(t, e.Decide(t.Context(), old), authz.Deny, 401, authz.UnknownCredential)
	decided(t, e.Decide(t.Context(), get("stock.example.com", "/", header("x-api-key", "another-key-of-the-robot"))), authz.Allow, 0, authz.Allowed)
	decided(t, e.Decide(t.Context(), get("orders.example.com", "/", header("x-api-key", robotKey))), authz.Allow, 0, authz.Allowed)
}

func TestAReferenceIsInForceWhenItResolves(t *testing.T) {
	e, _ := newWorld(Options{})
	in := Input{Policies: []*v1alpha1.AgentAuthPolicy{onHost("p", "api.example.com", staff("staff"))}}
	ask := get("api.example.com", "/", header("authorization", "Basic YWxpY2U6c2VzYW1l"))
	s, _ := e.Compile(in)
	e.Swap(s)
	decided(t, e.Decide(t.Context(), ask), authz.Error, 503, authz.Unavailable)
	decided(t, e.Decide(t.Context(), get("api.example.com", "/")), authz.Deny, 401, authz.NoCredential)
	in.Secrets = []*Object{alice("staff")}
	load(t, e, in)
	decided(t, e.Decide(t.Context(), ask), authz.Allow, 0, authz.Allowed)
	in.Secrets = nil
	s, _ = e.Compile(in)
	e.Swap(s)
	decided(t, e.Decide(t.Context(), ask), authz.Error, 503, authz.Unavailable)
}

func TestCompilingAgainGivesTheSameReports(t *testing.T) {
	in, _ := everything(t)
	e, _ := newWorld(Options{})
	first, before := e.Compile(in)
	e.Swap(first)
	_, after := e.Compile(in)
	if len(before) != len(after) {
		t.Fatalf("expected %d reports, got %d", len(before), len(after))
	}
	for i := range before {
		if a, b := before[i].Conditions[2], after[i].Conditions[2]; a != b || len(before[i].Problems) != len(after[i].Problems) {
			t.Errorf("expected %v, got %v", before[i], after[i])
		}
	}
}
