package expr

import "testing"

func BenchmarkBool(b *testing.B) {
	in := input(b)
	for _, src := range []string{
		`request.method == "GET" && "a" in identity.scopes`,
		`pathPrefix(request.path, "/v1") && identity.claims.?role.orValue("") == "manager"`,
		`request.headers["x-env"] == "prod"`,
		`identity.groups.exists(g, g.startsWith("team-"))`,
		`request.path.matches("^/v1/[a-z]+$")`,
	} {
		b.Run(src, func(b *testing.B) {
			p := mustCompile(b, Bool, src)
			b.ReportAllocs()
			for b.Loop() {
				if ok, err := p.Bool(b.Context(), in); !ok || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		mustCompile(b, Bool, `pathPrefix(request.path, "/v1") && identity.claims.?role.orValue("") == "manager"`)
	}
}

func TestAConditionAllocatesWithinItsBudget(t *testing.T) {
	in := input(t)
	for src, budget := range map[string]float64{
		`request.method == "GET" && "a" in identity.scopes`: 2,
		`request.headers["x-env"] == "prod"`:                1,
	} {
		p := mustCompile(t, Bool, src)
		got := testing.AllocsPerRun(100, func() {
			if ok, err := p.Bool(t.Context(), in); !ok || err != nil {
				t.Fatal(ok, err)
			}
		})
		if got > budget {
			t.Errorf("%s: %v allocations, budget %v", src, got, budget)
		}
	}
}
