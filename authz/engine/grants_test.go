package engine

import (
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
)

// granting lets policies of namespace shop refer to Secrets of namespace bank.
func granting(names ...string) *gatewayv1.ReferenceGrant {
	g := &gatewayv1.ReferenceGrant{ObjectMeta: metav1.ObjectMeta{Namespace: "bank", Name: "for-shop"}}
	g.Spec.From = []gatewayv1.ReferenceGrantFrom{{Group: "agentauth.dev", Kind: "AgentAuthPolicy", Namespace: "shop"}}
	for _, n := range names {
		to := gatewayv1.ReferenceGrantTo{Kind: "Secret"}
		if n != "*" {
			to.Name = new(gatewayv1.ObjectName(n))
		}
		g.Spec.To = append(g.Spec.To, to)
	}
	return g
}

// abroad is a Secret of namespace bank.
func abroad(o *Object) *Object { o.Namespace = "bank"; return o }

// borrowing is a policy of shop whose users are in namespace bank.
func borrowing(name, secret string) *v1alpha1.AgentAuthPolicy {
	m := staff(secret)
	m.Basic.Users.SecretRef.Namespace = "bank"
	return onHost(name, name+".example.com", m)
}

func asAlice(host string) authz.Raw {
	return get(host, "/", header("authorization", "Basic YWxpY2U6c2VzYW1l"))
}

func TestAReferenceToAnotherNamespaceNeedsAGrantThatFits(t *testing.T) {
	with := func(change func(*gatewayv1.ReferenceGrant)) *gatewayv1.ReferenceGrant {
		g := granting("staff")
		change(g)
		return g
	}
	for name, c := range map[string]struct {
		grants []*gatewayv1.ReferenceGrant
		fits   bool
	}{
		"none":                              {nil, false},
		"of the name":                       {[]*gatewayv1.ReferenceGrant{granting("staff")}, true},
		"of the kind":                       {[]*gatewayv1.ReferenceGrant{granting("*")}, true},
		"of another name":                   {[]*gatewayv1.ReferenceGrant{granting("robots")}, false},
		"of several names":                  {[]*gatewayv1.ReferenceGrant{granting("robots", "staff")}, true},
		"of no name":                        {[]*gatewayv1.ReferenceGrant{granting("")}, false},
		"to nothing":                        {[]*gatewayv1.ReferenceGrant{granting()}, false},
		"beside one that does not fit":      {[]*gatewayv1.ReferenceGrant{granting("robots"), granting("staff")}, true},
		"in the policy's namespace":         {[]*gatewayv1.ReferenceGrant{with(func(g *gatewayv1.ReferenceGrant) { g.Namespace = "shop" })}, false},
		"in a third namespace":              {[]*gatewayv1.ReferenceGrant{with(func(g *gatewayv1.ReferenceGrant) { g.Namespace = "other" })}, false},
		"from another namespace":            {[]*gatewayv1.ReferenceGrant{with(func(g *gatewayv1.ReferenceGrant) { g.Spec.From[0].Namespace = "other" })}, false},
		"from no namespace":                 {[]*gatewayv1.ReferenceGrant{with(func(g *gatewayv1.ReferenceGrant) { g.Spec.From[0].Namespace = "" })}, false},
		"from another kind":                 {[]*gatewayv1.ReferenceGrant{with(func(g *gatewayv1.ReferenceGrant) { g.Spec.From[0].Kind = "HTTPRoute" })}, false},
		"from another group":                {[]*gatewayv1.ReferenceGrant{with(func(g *gatewayv1.ReferenceGrant) { g.Spec.From[0].Group = "gateway.networking.k8s.io" })}, false},
		"from no one":                       {[]*gatewayv1.ReferenceGrant{with(func(g *gatewayv1.ReferenceGrant) { g.Spec.From = nil })}, false},
		"to another kind":                   {[]*gatewayv1.ReferenceGrant{with(func(g *gatewayv1.ReferenceGrant) { g.Spec.To[0].Kind = "ConfigMap" })}, false},
		"to a kind of another group":        {[]*gatewayv1.ReferenceGrant{with(func(g *gatewayv1.ReferenceGrant) { g.Spec.To[0].Group = "agentauth.dev" })}, false},
		"to the group by a name of its own": {[]*gatewayv1.ReferenceGrant{with(func(g *gatewayv1.ReferenceGrant) { g.Spec.To[0].Group = "core" })}, false},
	} {
		t.Run(name, func(t *testing.T) {
			e, _ := newWorld(Options{})
			s, reports := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{borrowing("p", "staff")},
				Secrets: []*Object{abroad(alice("staff")), alice("staff")}, ReferenceGrants: c.grants})
			e.Swap(s)
			d := e.Decide(t.Context(), asAlice("p.example.com"))
			if c.fits {
				decided(t, d, authz.Allow, 0, authz.Allowed)
				return
			}
			decided(t, d, authz.Error, 503, authz.Unavailable)
			if got := reports[0].Conditions[2]; got.Status != metav1.ConditionFalse || got.Reason != v1alpha1.ReasonRefNotPermitted {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestOnesOwnNamespaceNeedsNoGrant(t *testing.T) {
	p := borrowing("p", "staff")
	p.Spec.Authentication.Methods[0].Basic.Users.SecretRef.Namespace = "shop"
	e, _ := newWorld(Options{})
	load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{p}, Secrets: []*Object{alice("staff")}})
	decided(t, e.Decide(t.Context(), asAlice("p.example.com")), authz.Allow, 0, authz.Allowed)
}

// Who is granted nothing learns nothing: neither what there is, nor how it is
// labelled, nor whether it can be used.
func TestWithoutAGrantNobodyLearnsWhatAnotherNamespaceHas(t *testing.T) {
	references := map[string]v1alpha1.Method{}
	there := v1alpha1.ObjectKeyReference{Namespace: "bank", Name: "it"}
	references["Secret of users"] = borrowing("", "it").Spec.Authentication.Methods[0]
	references["Secret of a key"] = v1alpha1.Method{Name: "m", JWT: &v1alpha1.JWT{AnyIssuer: true, AnyAudience: true, HMAC: &v1alpha1.HMAC{SecretRef: there}}}
	references["Secret of keys"] = v1alpha1.Method{Name: "m", JWT: &v1alpha1.JWT{Issuer: idp, AnyAudience: true, JWKS: &v1alpha1.JWKS{SecretRef: &there}}}
	references["ConfigMap of keys"] = v1alpha1.Method{Name: "m", JWT: &v1alpha1.JWT{Issuer: idp, AnyAudience: true, JWKS: &v1alpha1.JWKS{ConfigMapRef: &there}}}
	references["Secret of certificates"] = v1alpha1.Method{Name: "m", JWT: &v1alpha1.JWT{Issuer: idp, AnyAudience: true, CACertificates: &v1alpha1.CACertificates{SecretRef: &there}}}
	references["ConfigMap of certificates"] = v1alpha1.Method{Name: "m", JWT: &v1alpha1.JWT{Issuer: idp, AnyAudience: true, CACertificates: &v1alpha1.CACertificates{ConfigMapRef: &there}}}
	worlds := map[string][]*Object{
		"nothing":           nil,
		"a good Secret":     {abroad(alice("it"))},
		"a bad one":         {abroad(object("it", v1alpha1.UseBasic, nil))},
		"one for no use":    {abroad(object("it", "", nil))},
		"one for any other": {abroad(object("it", v1alpha1.UseHMAC, nil))},
		"API keys":          {abroad(robot("it", "shop", robotKey))},
	}
	for name, m := range references {
		t.Run(name, func(t *testing.T) {
			e, _ := newWorld(Options{})
			var first *compiled
			var said string
			for world, objects := range worlds {
				s, reports := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{onHost("p", "api.example.com", m)},
					Secrets: objects, ConfigMaps: objects, ReferenceGrants: []*gatewayv1.ReferenceGrant{granting("another")}})
				e.Swap(s)
				if first == nil {
					first, said = s.policies[0], fmt.Sprint(reports)
				}
				if got := fmt.Sprint(reports); got != said {
					t.Errorf("%s: it makes a difference:\n%s\n%s", world, got, said)
				}
				if s.policies[0] != first { // its age would tell
					t.Errorf("%s: compiled again", world)
				}
			}
			if !strings.Contains(said, "no ReferenceGrant of namespace bank") {
				t.Errorf("got %s", said)
			}
		})
	}
}

func TestAGrantIsInForceFromWhenItIsThereUntilItIsGone(t *testing.T) {
	e, _ := newWorld(Options{})
	in := Input{Policies: []*v1alpha1.AgentAuthPolicy{borrowing("p", "staff")}, Secrets: []*Object{abroad(alice("staff"))}}
	for _, granted := range []bool{false, true, false} {
		in.ReferenceGrants = nil
		if granted {
			in.ReferenceGrants = []*gatewayv1.ReferenceGrant{granting("staff")}
		}
		s, _ := e.Compile(in)
		e.Swap(s)
		d := e.Decide(t.Context(), asAlice("p.example.com"))
		if got := d.Outcome == authz.Allow; got != granted {
			t.Errorf("granted: %t, got %s (%s)", granted, d.Reason, d.Detail)
		}
		decided(t, e.Decide(t.Context(), get("p.example.com", "/")), authz.Deny, 401, authz.NoCredential)
	}
}

// A grant and the label are two consents, and each is needed.
func TestAGrantDoesNotStandForTheLabel(t *testing.T) {
	for use, reason := range map[string]string{"": v1alpha1.ReasonRefNotFound, v1alpha1.UseHMAC: v1alpha1.ReasonRefNotPermitted} {
		o := abroad(alice("staff"))
		o.Labels[v1alpha1.LabelUse] = use
		e, _ := newWorld(Options{})
		s, reports := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{borrowing("p", "staff")},
			Secrets: []*Object{o}, ReferenceGrants: []*gatewayv1.ReferenceGrant{granting("*")}})
		e.Swap(s)
		decided(t, e.Decide(t.Context(), asAlice("p.example.com")), authz.Error, 503, authz.Unavailable)
		if got := reports[0].Conditions[2].Reason; got != reason {
			t.Errorf("labelled %q: expected %s, got %s", use, reason, got)
		}
	}
}

// API keys are selected in the policy's own namespace, whatever is granted.
func TestNoGrantIsForAPIKeys(t *testing.T) {
	e, _ := newWorld(Options{})
	load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{onHost("p", "p.example.com", keys("shop"))},
		Secrets: []*Object{abroad(robot("robots", "shop", robotKey)), robot("own", "shop", "the-first-key-of-another")}, ReferenceGrants: []*gatewayv1.ReferenceGrant{granting("*")}})
	decided(t, e.Decide(t.Context(), get("p.example.com", "/", header("x-api-key", robotKey))), authz.Deny, 401, authz.UnknownCredential)
}

func TestOnlyWhomAGrantConcernsIsCompiledAgain(t *testing.T) {
	for name, c := range map[string]struct {
		before, after                []*gatewayv1.ReferenceGrant
		change                       func(*Input)
		borrower, other, independent bool // is it compiled again?
	}{
		"nothing":                    {before: []*gatewayv1.ReferenceGrant{granting("staff")}, after: []*gatewayv1.ReferenceGrant{granting("staff")}},
		"a grant more":               {after: []*gatewayv1.ReferenceGrant{granting("staff")}, borrower: true},
		"a grant less":               {before: []*gatewayv1.ReferenceGrant{granting("staff")}, borrower: true},
		"a grant of all more":        {after: []*gatewayv1.ReferenceGrant{granting("*")}, borrower: true, other: true},
		"all where one was granted":  {before: []*gatewayv1.ReferenceGrant{granting("staff")}, after: []*gatewayv1.ReferenceGrant{granting("*")}, other: true},
		"the same a second time":     {before: []*gatewayv1.ReferenceGrant{granting("staff")}, after: []*gatewayv1.ReferenceGrant{granting("staff"), granting("staff")}},
		"a grant that nobody wanted": {after: []*gatewayv1.ReferenceGrant{granting("robots")}},
		"a Secret that is granted": {before: []*gatewayv1.ReferenceGrant{granting("*")}, after: []*gatewayv1.ReferenceGrant{granting("*")},
			change: func(in *Input) { in.Secrets[0].Data["password"] = []byte("another") }, borrower: true},
		"a Secret that is not": {change: func(in *Input) { in.Secrets[0].Data["password"] = []byte("another") }},
	} {
		t.Run(name, func(t *testing.T) {
			in := Input{
				Policies: []*v1alpha1.AgentAuthPolicy{borrowing("borrower", "staff"), borrowing("other", "stock"), onHost("independent", "i.example.com", staff("staff"))},
				Secrets:  []*Object{abroad(alice("staff")), abroad(alice("stock")), alice("staff")},
			}
			e, _ := newWorld(Options{})
			in.ReferenceGrants = c.before
			before, _ := e.Compile(in)
			e.Swap(before)
			next := copied(in)
			next.ReferenceGrants = c.after
			if c.change != nil {
				c.change(&next)
			}
			after, _ := e.Compile(next)
			for name, want := range map[string]bool{"borrower": c.borrower, "other": c.other, "independent": c.independent} {
				if again := policyOf(after, name) != policyOf(before, name); again != want {
					t.Errorf("%s is compiled again: %t, expected %t", name, again, want)
				}
			}
		})
	}
}
