package engine

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/jwks"
)

func byIssuer(name string, j v1alpha1.JWT) *v1alpha1.AgentAuthPolicy {
	j.AnyAudience = true
	return onHost(name, name+".example.com", v1alpha1.Method{Name: "token", JWT: &j})
}

func resolvedRefs(t *testing.T, reports []Report, policy string) metav1.Condition {
	t.Helper()
	for _, r := range reports {
		for _, c := range r.Conditions {
			if r.Policy.Name == policy && c.Type == v1alpha1.ConditionResolvedRefs {
				return c
			}
		}
	}
	t.Fatalf("no report on %s", policy)
	return metav1.Condition{}
}

func TestKeysThatCannotBeFetchedAreAWarningOfTheirPolicies(t *testing.T) {
	e, w := newWorld(Options{OneTenant: true})
	in := Input{Policies: []*v1alpha1.AgentAuthPolicy{
		byIssuer("by-issuer", v1alpha1.JWT{Issuer: "https://idp.example.com"}),
		byIssuer("by-url", v1alpha1.JWT{AnyIssuer: true, JWKS: &v1alpha1.JWKS{URI: "https://idp.example.com/keys"}}),
		onHost("other", "other.example.com", anonymous()),
	}}
	w.status = &jwks.Status{Error: "discovery: the host name does not resolve"}
	snapshot, reports := e.Compile(in)
	if c := resolvedRefs(t, reports, "by-issuer"); c.Message != "every reference resolves" {
		t.Errorf("before anything was fetched: %s", c.Message)
	}
	e.Swap(snapshot)

	again := func() []Report {
		t.Helper()
		snapshot, reports := e.Compile(in)
		e.Swap(snapshot)
		return reports
	}
	reports = again()
	for policy, want := range map[string]string{
		"by-issuer": "spec.authentication.methods[0].jwt.issuer: ",
		"by-url":    "spec.authentication.methods[0].jwt.jwks.uri: ",
	} {
		c := resolvedRefs(t, reports, policy)
		if c.Status != metav1.ConditionTrue || !strings.HasPrefix(c.Message, want) ||
			!strings.HasSuffix(c.Message, " cannot be fetched: discovery: the host name does not resolve; no keys are held, and tokens that need them are answered 503") {
			t.Errorf("%s: got %+v", policy, c)
		}
	}
	if c := resolvedRefs(t, reports, "other"); c.Message != "every reference resolves" {
		t.Errorf("another policy: %s", c.Message)
	}
	for _, r := range reports {
		for _, p := range r.Problems {
			if p.Lint != authz.KeysUnreachable || p.Severity != authz.Warning {
				t.Errorf("got %+v", p)
			}
		}
	}

	w.status = &jwks.Status{Error: "answered 500", Keys: 2, Usable: 2, Success: time.Unix(0, 0)}
	if c := resolvedRefs(t, again(), "by-url"); !strings.HasSuffix(c.Message, "answered 500; 2 keys that were fetched at 1970-01-01T00:00:00Z serve until 1970-01-02T00:00:00Z") {
		t.Errorf("while keys are held: %s", c.Message)
	}
	w.status = nil
	if c := resolvedRefs(t, again(), "by-issuer"); c.Message != "every reference resolves" {
		t.Errorf("when it works again: %s", c.Message)
	}
	if n := len(w.made); n != 2 {
		t.Errorf("%d key sets were made", n)
	}
}

func TestAURLThatIsRefusedIsToldOnce(t *testing.T) {
	e, w := newWorld(Options{OneTenant: true})
	e.deps.Remote.CheckURL = func(string) error { return errors.New("refused") }
	w.status = &jwks.Status{Error: "discovery: refused"}
	in := Input{Policies: []*v1alpha1.AgentAuthPolicy{byIssuer("by-issuer", v1alpha1.JWT{Issuer: "http://idp.example.com"})}}
	var reports []Report
	for range 2 {
		var snapshot *Snapshot
		snapshot, reports = e.Compile(in)
		e.Swap(snapshot)
	}
	if problems := reports[0].Problems; len(problems) != 1 || problems[0].Lint != authz.EgressRefused || problems[0].Message != "no keys can be fetched: refused" {
		t.Errorf("got %+v", problems)
	}
}

func TestAKeySetNamesTheFirstPoliciesThatUseIt(t *testing.T) {
	e, _ := newWorld(Options{OneTenant: true})
	var in Input
	for _, name := range []string{"g", "f", "e", "d", "c", "b", "a"} {
		in.Policies = append(in.Policies, byIssuer(name, v1alpha1.JWT{Issuer: "https://idp.example.com"}))
	}
	in.Policies = append(in.Policies, byIssuer("z", v1alpha1.JWT{Issuer: "https://other.example.com"}))
	snapshot, _ := e.Compile(in)
	e.Swap(snapshot)
	for _, r := range e.Remotes() {
		want := []string{"shop/a", "shop/b", "shop/c", "shop/d", "shop/e"}
		if r.Issuer != "https://idp.example.com" {
			want = []string{"shop/z"}
		}
		if !slices.Equal(r.Policies, want) || r.ID == [32]byte{} {
			t.Errorf("%s: got %v", r.Issuer, r.Policies)
		}
	}
	in.Policies = in.Policies[:6] // "a" and "z" are gone
	snapshot, _ = e.Compile(in)
	e.Swap(snapshot)
	if r := e.Remotes(); len(r) != 1 || r[0].Policies[0] != "shop/b" {
		t.Errorf("got %+v", r)
	}
}
