package expr

import (
	"context"
	"strings"
	"testing"
)

// usual are expressions as policies have them, by what they are for.
var usual = map[Kind][]string{
	Bool: {
		`request.path.startsWith("/v1/")`,
		`identity.claims.role == "manager" && "team-x" in identity.groups`,
		`request.method in ["GET", "HEAD"] && pathPrefix(request.path, "/v1")`,
		`identity.claims.?role.orValue("") == "manager"`,
		`has(identity.actor) && has(identity.claims.role)`,
		`request.headers["x-env"] == "prod"`,
		`identities["partners"].subject == "alice"`,
		`identity.groups.exists(g, g.startsWith("team-"))`,
		`request.path.matches("^/v1/[a-z]+$")`,
	},
	String: {`identity.subject`, `identity.issuer`, `identity.claims.role`},
}

// lessUsual are expressions that CEL evaluates.
var lessUsual = map[Kind][]string{
	Bool:   {`identity.claims.n > 5`, `sets.contains(identity.groups, ["team-x"])`},
	String: {`identity.groups.join(",")`},
	JSON:   {`identity.claims.role`, `identity.groups`, `{"subject": identity.subject, "groups": identity.groups}`},
}

func BenchmarkUsual(b *testing.B) { benchmark(b, usual) }

func BenchmarkLessUsual(b *testing.B) { benchmark(b, lessUsual) }

func benchmark(b *testing.B, of map[Kind][]string) {
	in := input(b)
	for kind, sources := range of {
		for _, src := range sources {
			b.Run(src, func(b *testing.B) {
				p := mustCompile(b, kind, src)
				b.ReportAllocs()
				for b.Loop() {
					if err := evaluate(b.Context(), p, in); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// evaluate evaluates a program of a kind that reads a request.
func evaluate(ctx context.Context, p *Program, in *Input) (err error) {
	switch p.kind {
	case Bool:
		_, err = p.Bool(ctx, in)
	case String:
		_, _, err = p.String(ctx, in)
	default:
		_, _, err = p.JSON(ctx, in)
	}
	return err
}

func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		mustCompile(b, Bool, `pathPrefix(request.path, "/v1") && identity.claims.?role.orValue("") == "manager"`)
	}
}

// worstCompiles are the expressions that were found to take longest to compile,
// valid or not, for an expression of the greatest length.
var worstCompiles = map[string]string{
	"large types":       chain(`[1]`, `.map(i,[i])`, 9) + `.map(i,` + strings.Repeat(`[i].map(j,[j])==[]||`, 190) + `true)[0]`,
	"doubled types":     chain(`[1]`, `.map(i,{i:i})`, 300) + `==[]`,
	"loops":             strings.Repeat(`[1].filter(i,true)==[1]&&`, 160) + `true`,
	"optionals":         strings.Repeat(`optional.of(1).optMap(i,i).hasValue()&&`, 104) + `true`,
	"unknown names":     strings.Repeat(`a.b.c.d(1)||`, 340) + `true`,
	"Unicode classes":   `"a".matches("(?i)[` + strings.Repeat(`\\pL`, 32) + `]")`,
	"wide ranges":       `"a".matches("(?i)` + strings.Repeat(`[b-𞥃]`, 4) + `")`,
	"large repetitions": `"a".matches("` + strings.Repeat(`a{1000}`, 16) + `")`,
}

func BenchmarkCompileWorst(b *testing.B) {
	for name, src := range worstCompiles {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_, _ = Compile(Bool, src)
			}
		})
	}
}

// BenchmarkEvalWorst has the evaluations that were found to take longest: they
// end where they have cost MaxCost.
func BenchmarkEvalWorst(b *testing.B) {
	in := worst(b)
	for name, src := range map[string]string{
		"shared lists":         chain(`[dyn(1)]`, `.map(i,dyn([i,i]))`, 30) + `.map(i,i==i)[0]`,
		"shared maps":          chain(`[1]`, `.map(i,dyn({"a":i,"b":i}))`, 27) + `.map(i,i==i)[0]`,
		"compared claims":      `identity.groups.map(g,[1,2,3,4].map(i,identity.claims==identity.claims)).size()==1`,
		"compared headers":     `identity.groups.map(g,[1,2,3,4].map(i,request.headers==request.headers)).size()==1`,
		"loops":                `identity.groups.map(g,identity.claims.l.map(i,request.path=="")).size()==1`,
		"a regular expression": `string(request.body).matches("(a|b)*(c|d)*[0-9]+[a-z]{1,60}x")`,
		"joined texts":         chain(`[request.path]`, `.map(i,[i,i,i].join(","))`, 3) + `.map(i,i.matches("(a|p)*c"))[0]`,
	} {
		b.Run(name, func(b *testing.B) {
			p := mustCompile(b, Bool, src)
			for b.Loop() {
				_, _ = p.Bool(b.Context(), in)
			}
		})
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
