package hostgrant

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
)

func TestAGrantIsANamespaceAndAHostname(t *testing.T) {
	for _, g := range []Grant{{"", "a.test"}, {"Shop", "a.test"}, {"a.b", "a.test"}, {"shop", ""}, {"shop", "A.test"}, {"shop", "a.*.test"}, {"shop", strings.Repeat("a", 300)}} {
		if err := g.Check(); err == nil || len(err.Error()) > 400 {
			t.Errorf("expected %+v to be refused in few words, got %v", g, err)
		}
	}
	for _, g := range []Grant{{"shop", "*"}, {"shop", "*.a.test"}, {"shop", "a.test"}} {
		if err := g.Check(); err != nil {
			t.Errorf("%+v: %v", g, err)
		}
	}
}

func TestAHostIsOfTheNamespacesThatWereGrantedIt(t *testing.T) {
	table := NewTable([]Grant{{"bank", "*.bank.test"}, {"shop", "api.bank.test"}}, []Grant{{"bank", "*.bank.test"}})
	for _, c := range []struct {
		namespace, pattern string
		granted, permitted bool
	}{
		{"bank", "a.bank.test", true, true}, {"bank", "*.bank.test", true, true}, {"bank", "*.x.bank.test", true, true},
		{"bank", "api.bank.test", true, true}, {"shop", "api.bank.test", true, true}, {"evil", "api.bank.test", false, false},
		{"shop", "a.bank.test", false, false}, {"shop", "*.bank.test", false, false}, {"evil", "*.x.bank.test", false, false},
		// Nobody was granted all of these.
		{"evil", "*.test", false, true}, {"evil", "*", false, true}, {"bank", "*", false, true}, {"bank", "bank.test", false, true},
	} {
		if granted, permitted := table.Granted(c.namespace, c.pattern), table.Permits(c.namespace, c.pattern); granted != c.granted || permitted != c.permitted {
			t.Errorf("%s %s: expected %t %t, got %t %t", c.namespace, c.pattern, c.granted, c.permitted, granted, permitted)
		}
	}
	if got := slices.Sorted(table.Patterns()); !slices.Equal(got, []string{"*.bank.test", "api.bank.test"}) {
		t.Errorf("got %q", got)
	}
}

func TestWithoutGrantsEveryRouteIsPermittedAndNothingIsGranted(t *testing.T) {
	for _, table := range []*Table{nil, NewTable()} {
		if table.Granted("shop", "a.test") || !table.Permits("shop", "a.test") || len(slices.Collect(table.Patterns())) != 0 {
			t.Errorf("%v: expected nothing to be granted and everything permitted", table)
		}
	}
}

func TestAnEntryOfAConfigMapIsANamespaceAndItsHostnames(t *testing.T) {
	grants, problems := Parse("ConfigMap agentauth/grants", map[string][]byte{
		"shop": []byte("*.shop.test\n  shop.test\t*.more.test"), "bank": []byte("bank.test"), "empty": nil,
		"typo":     []byte("good.test Bad.test"),
		"no.dots":  []byte("a.test"),
		"a_b":      []byte("a.test"),
		"list":     []byte("a.test,b.test"),
		"binary":   {0xff, 0xfe},
		"a-yaml":   []byte("[a.test]"),
		"with-key": []byte("hostname: a.test"),
	})
	want := []Grant{{"bank", "bank.test"}, {"shop", "*.shop.test"}, {"shop", "shop.test"}, {"shop", "*.more.test"}}
	if !slices.Equal(grants, want) {
		t.Errorf("expected %v, got %v", want, grants)
	}
	if len(problems) != 7 {
		t.Fatalf("expected 7 problems, got %v", problems)
	}
	for _, p := range problems {
		if p.Severity != authz.Warning || p.Object != "ConfigMap agentauth/grants" || !strings.Contains(p.Message, "grants nothing") {
			t.Errorf("got %+v", p)
		}
	}
}

func TestTheProblemsOfAConfigMapAreBounded(t *testing.T) {
	entries := map[string][]byte{"shop": []byte("shop.test")}
	for i := range 10_000 {
		entries[fmt.Sprint("N", i)] = []byte("a.test")
	}
	grants, problems := Parse("ConfigMap agentauth/grants", entries)
	if len(grants) != 1 || len(problems) != 21 || !strings.Contains(problems[20].Message, "9980 more") {
		t.Errorf("expected one grant and 21 problems, got %d and %v", len(grants), problems)
	}
}
