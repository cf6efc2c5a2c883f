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
	grants, partial, problems := Parse("ConfigMap agentauth/grants", map[string][]byte{
		"shop": []byte("*.shop.test\n  shop.test\t*.more.test"), "bank": []byte("bank.test"), "empty": nil,
		"typo":     []byte("good.test Bad.test"),
		"no.dots":  []byte("a.test"),
		"a_b":      []byte("a.test"),
		"list":     []byte("a.test,b.test"),
		"binary":   {0xff, 0xfe},
		"a-yaml":   []byte("[a.test]"),
		"with-key": []byte("hostname: a.test"),
	})
	want := []Grant{{"bank", "bank.test"}, {"shop", "*.shop.test"}, {"shop", "shop.test"}, {"shop", "*.more.test"}, {"typo", "good.test"}, {"with-key", "a.test"}}
	if !slices.Equal(grants, want) {
		t.Errorf("expected %v, got %v", want, grants)
	}
	if len(problems) != 7 || !partial {
		t.Fatalf("expected 7 problems and to be partial, got %t %v", partial, problems)
	}
	for _, p := range problems {
		if p.Severity != authz.Warning || p.Object != "ConfigMap agentauth/grants" || !strings.Contains(p.Message, "no request is let through unmatched") {
			t.Errorf("got %+v", p)
		}
	}
}

func TestTheProblemsOfAConfigMapAreBounded(t *testing.T) {
	entries := map[string][]byte{"shop": []byte("shop.test")}
	for i := range 10_000 {
		entries[fmt.Sprint("N", i)] = []byte("a.test")
	}
	grants, partial, problems := Parse("ConfigMap agentauth/grants", entries)
	if len(grants) != 1 || !partial || len(problems) != 21 || !strings.Contains(problems[20].Message, "9980 more") {
		t.Errorf("expected one grant and 21 problems, got %d and %v", len(grants), problems)
	}
}

func TestTheReadableWordsOfAnEntryStayGrantedAndTheOthersAreNamed(t *testing.T) {
	grants, partial, problems := Parse("ConfigMap agentauth/grants", map[string][]byte{"bank": []byte("*.bank.test *.bank,internal bank.test Bank2.test")})
	if want := []Grant{{"bank", "*.bank.test"}, {"bank", "bank.test"}}; !slices.Equal(grants, want) || !partial {
		t.Errorf("expected %v, partial, got %v %t", want, grants, partial)
	}
	if len(problems) != 1 || !strings.Contains(problems[0].Message, `"*.bank,internal"`) || !strings.Contains(problems[0].Message, `"Bank2.test"`) {
		t.Errorf("expected one problem that names both words, got %v", problems)
	}
	_, _, problems = Parse("ConfigMap agentauth/grants", map[string][]byte{"bank": []byte(strings.Repeat("B ", 10_000) + strings.Repeat("B", 10_000))})
	if len(problems) != 1 || len(problems[0].Message) > 4096 || !strings.Contains(problems[0].Message, "9996 more words") {
		t.Errorf("expected one bounded problem, got %v", problems)
	}
}

func TestAConfigMapThatGrantsNothingIsToldAndIsNotPartial(t *testing.T) {
	for name, entries := range map[string]map[string][]byte{"no entries": nil, "an empty value": {"shop": nil, "bank": []byte("bank.test")}, "white space": {"shop": []byte(" \n")}} {
		_, partial, problems := Parse("ConfigMap agentauth/grants", entries)
		if partial || len(problems) != 1 || problems[0].Severity != authz.Warning || !strings.Contains(problems[0].Message, "grant") {
			t.Errorf("%s: expected a warning, got %t %v", name, partial, problems)
		}
	}
}

func TestAPartialTablePermitsNothingThatIsNotGranted(t *testing.T) {
	table := NewPartialTable([]Grant{{"bank", "*.bank.test"}})
	if !table.Permits("bank", "api.bank.test") || table.Permits("bank", "free.test") || table.Permits("evil", "free.test") || table.Permits("evil", "api.bank.test") {
		t.Error("expected that only what was granted is permitted")
	}
	if table.Equal(NewTable([]Grant{{"bank", "*.bank.test"}})) || !table.Partial() || (*Table)(nil).Partial() {
		t.Error("expected a partial table to differ from a whole one")
	}
}
