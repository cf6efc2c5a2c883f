package expr

import (
	"strings"
	"sync"
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
)

func mustFully(t testing.TB, p *Program) *full {
	t.Helper()
	f, err := p.fully()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// What CEL needs of an expression is made when it is needed: there may be a hundred
// thousand expressions, of which few are ever evaluated otherwise than directly.
func TestAnExpressionThatIsEvaluatedDirectlyHoldsNoProgramOfCELUntilItNeedsOne(t *testing.T) {
	const src = `identity.claims.?tenant.orValue("") == "acme"`
	p := mustCompile(t, Bool, src)
	with := func(tenant any) *Input {
		return &Input{Request: &authz.Request{}, Identity: &authz.Identity{Claims: map[string]any{"tenant": tenant}}}
	}
	if holds, err := p.Bool(t.Context(), with("acme")); !holds || err != nil {
		t.Fatal(holds, err)
	}
	if p.full.Load() != nil || p.MakingCost() == 0 {
		t.Fatal("a direct evaluation made a program of CEL")
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if holds, err := p.Bool(t.Context(), with(7.5)); holds || err != nil {
				t.Error(holds, err)
			}
		})
	}
	all.Wait()
	made := p.full.Load()
	if made == nil || p.MakingCost() != 0 {
		t.Fatal("expected the program to be kept once it is made")
	}
	if _, err := p.Bool(t.Context(), with(true)); err != nil || p.full.Load() != made {
		t.Fatal("the program was made twice:", err)
	}
}

func TestTheErrorOfAProgramThatWasMadeLaterNamesThePlace(t *testing.T) {
	p := mustCompile(t, Bool, "true &&\n  identity.claims.tenant == 'acme'")
	_, err := p.Bool(t.Context(), &Input{Request: &authz.Request{}, Identity: &authz.Identity{}})
	if err == nil || !strings.Contains(err.Error(), "no such key: tenant") {
		t.Fatalf("got %v", err)
	}
}

func TestALongExpressionAndOneThatCELAlwaysEvaluatesAreMadeAtOnce(t *testing.T) {
	long := `identity.subject == "` + strings.Repeat("a", maxMadeLater) + `"`
	for _, p := range []*Program{mustCompile(t, Bool, long), mustCompile(t, String, `identity.groups.join(",")`), mustCompile(t, JSON, `identity.subject`)} {
		if p.full.Load() == nil || p.MakingCost() != 0 {
			t.Errorf("%s: expected its program", p.src)
		}
	}
}
