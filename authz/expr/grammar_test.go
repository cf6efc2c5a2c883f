package expr

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
)

// grammar writes expressions that are made to grow: chains and nests of macros
// over lists, maps and optionals, and whatever walks their values.
type grammar struct {
	next  func(n int) int
	names []string
	depth int
}

func (g *grammar) pick(options ...string) string { return options[g.next(len(options))] }

// expression fills a pattern: ¤ is an expression, % a new variable, # a literal
// key and ~ a chain of macros.
func (g *grammar) expression() string {
	if g.depth++; g.depth > 24 {
		g.depth--
		return g.leaf()
	}
	defer func() { g.depth-- }()
	if g.next(5) == 0 {
		return g.leaf()
	}
	pattern := g.pick(
		`[¤]`, `[¤,¤]`, `[?¤,¤]`, `{¤:¤}`, `{#:¤}`, `{#:¤,"b":¤}`, `{?#:¤}`, `(¤==¤)`, `(¤!=¤)`, `(¤ in ¤)`, `(¤+¤)`, `(¤?¤:¤)`, `(¤<¤)`, `(¤&&¤)`, `(!¤||¤)`,
		`¤[¤]`, `¤[#]`, `¤[?¤]`, `¤.a`, `¤.?a`, `has(¤.a)`, `dyn(¤)`, `type(¤)`, `string(¤)`, `bytes(¤)`, `¤.size()`, `-¤`,
		`optional.of(¤)`, `optional.ofNonZeroValue(¤)`, `optional.none()`, `¤.value()`, `¤.orValue(¤)`, `¤.or(¤)`, `¤.hasValue()`,
		`¤.join()`, `¤.join(",")`, `¤.split("")`, `¤.split(",")`, `¤.replace("a","aaaaaaaaaaaaaaaa")`, `¤.lowerAscii()`, `¤.indexOf(¤)`, `¤.substring(1)`, `¤.trim()`, `¤.contains(¤)`,
		`¤.matches("(a|b)*(c|[a-z]{1,60})+$")`, `¤.matches("(?i)^\\pL+$")`, `pathPrefix(¤,"/a")`, `sets.contains(¤,¤)`, `sets.equivalent(¤,¤)`, `sets.intersects(¤,¤)`,
		`timestamp(¤)`, `duration(¤)`, `(request.time-¤)`, `¤.getHours("Europe/Berlin")`, `int(¤)`, `double(¤)`,
		`¤.map(%,¤)`, `¤.map(%,¤,¤)`, `¤.map(%,[%,%])`, `¤.map(%,{%:%})`, `¤.map(%,%+%)`, `¤.map(%,%==%)`, `¤.filter(%,¤)`, `¤.exists(%,¤)`, `¤.all(%,¤)`, `¤.exists_one(%,¤)`,
		`¤.optMap(%,¤)`, `¤.optMap(%,[%,%])`, `¤.optFlatMap(%,optional.of(¤))`, `~`, `~`, `~`,
	)
	return g.fill(pattern)
}

func (g *grammar) fill(pattern string) string {
	var out strings.Builder
	variable, scope := "", len(g.names)
	for _, c := range pattern {
		switch c {
		case '¤':
			if g.next(2) == 0 { // what is dyn passes the type check
				out.WriteString("dyn(" + g.expression() + ")")
			} else {
				out.WriteString(g.expression())
			}
		case '#':
			out.WriteString(g.pick(`"a"`, `1`, `true`))
		case '~':
			out.WriteString(g.chain())
		case '%':
			if variable == "" {
				variable = fmt.Sprintf("v%d", len(g.names))
				g.names = append(g.names, variable)
			}
			out.WriteString(variable)
		default:
			out.WriteRune(c)
		}
	}
	g.names = g.names[:scope]
	return out.String()
}

// chain is one macro many times, and then a use of what it has made.
func (g *grammar) chain() string {
	step := g.pick(`.map(i,[i,i])`, `.map(i,{i:i})`, `.map(i,dyn({"a":i,"b":i}))`, `.map(i,i+i)`, `.map(i,dyn([optional.of(i),optional.of(i)]))`, `.map(i,dyn([i,i]))`, `.map(i,dyn([i,i].filter(j,true)))`,
		`.map(i,i.replace("a","aaaaaaaaaaaaaaaa"))`, `.map(i,[i,i,i].join(","))`, `.map(i,dyn(i+i))`)
	use := g.pick(`i==i`, `i!=i`, `i in [i]`, `i.size()`, `string(i)`, `i.join()`, `i.split("")`, `sets.contains([i],[i])`, `optional.of(i)==optional.of(i)`, `{1:1}[i]`, `i[0]`, `i.matches("(a|b)*c")`, `dyn(i)<dyn(i)`, `i.exists(j,j==i)`, g.expression())
	start := g.pick(`[1]`, `[[1]]`, `["ab"]`, `[dyn("ab")]`, `[request.path]`, `[request.body]`, `[dyn(1)]`, `identity.groups`, `identity.claims.l`, `[]`, `[[]]`, `[{}]`)
	return start + strings.Repeat(step, 1+g.next(32)) + `.map(i,` + use + `)`
}

func (g *grammar) leaf() string {
	if n := len(g.names); n > 0 && g.next(3) > 0 {
		return g.names[g.next(n)]
	}
	return g.pick(`1`, `"ab"`, `b"a"`, `true`, `null`, `1.5`, `2u`, `[]`, `{}`, `[1]`, `["a","b"]`, `{"a":1}`, `optional.none()`, `dyn([])`, `dyn({})`,
		`request.path`, `request.headers`, `request.headers["x"]`, `request.query`, `request.body`, `string(request.body)`, `request.time`, `identity`, `identity.groups`, `identity.scopes`,
		`identity.claims`, `identity.claims.l`, `identity.claims.s`, `identity.claims.?l`, `identity.claims.nested`, `identity.claims.deep`, `identities`, `context`, `metadata`)
}

// worst is an input whose every part is as large as its limit.
func worst(t testing.TB) *Input {
	in := large(t, MaxValue, MaxBody, MaxNames)
	list := make([]any, maxEntries)
	for i := range list {
		list[i] = strings.Repeat("a", 60) + fmt.Sprint(i)
	}
	var deep any = "a"
	for range 30 {
		deep = []any{deep, map[string]any{"a": deep}}
		if weight(adapter{}.NativeToValue(deep)) > 8000 {
			break
		}
	}
	in.Identity.Claims["l"], in.Identity.Claims["s"], in.Identity.Claims["deep"] = list, strings.Repeat("a", MaxClaim), deep
	in.Identity.Groups, in.Identity.Scopes = make([]string, maxEntries), make([]string, maxEntries)
	for i := range in.Identity.Groups {
		in.Identity.Groups[i] = strings.Repeat("a", MaxEntry-8) + fmt.Sprint(i)
		in.Identity.Scopes[i] = strings.Repeat("a", MaxEntry-9) + fmt.Sprint(i)
	}
	return in
}

// endsWithinItsBounds compiles and evaluates an expression, and holds that both
// end, and that an evaluation has cost no more than it may. It reports whether
// the expression is valid.
func endsWithinItsBounds(t testing.TB, src string, in *Input) (valid bool) {
	var p *Program
	ends(t, "compile "+src, func() { p, _ = Compile(Bool, src) })
	if p == nil {
		return false
	}
	holdsNoInferredVariable(t, src)
	ctx, cancel := context.WithTimeout(t.Context(), endsIn)
	defer cancel()
	ends(t, "evaluate "+src, func() {
		v, details, err := mustFully(t, p).program.ContextEval(ctx, (*activation)(withCache(in)))
		if details == nil || details.ActualCost() == nil {
			return
		}
		// The last call may go beyond, by what one call may cost.
		if cost := *details.ActualCost(); cost > 2*MaxCost {
			t.Errorf("%s: cost %d units: %v, %v", src, cost, v, err)
		}
	})
	return true
}

// holdsNoInferredVariable holds that no variable has a type that the type check
// infers from what the variable is compared with: boundTypes relies on it.
func holdsNoInferredVariable(t testing.TB, src string) {
	env, err := environment(Bool)
	if err != nil {
		t.Fatal(err)
	}
	parsed, issues := env.Parse(src)
	if issues.Err() != nil {
		t.Fatal(issues.Err())
	}
	if err := boundTypes(parsed.NativeRep(), env.Functions()); err != nil {
		t.Fatal(err)
	}
	var checked *cel.Ast
	if checked, issues = env.Check(parsed); issues.Err() != nil {
		t.Fatal(issues.Err())
	}
	ast.PostOrderVisit(checked.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if size := typeSize(checked.NativeRep().GetType(e.ID())); size > 2*maxTypeSize {
			t.Errorf("%s: a type has %d parts", src, size)
		}
	}))
}

func typeSize(t *cel.Type) int {
	n := 1
	for _, p := range t.Parameters() {
		n += typeSize(p)
	}
	return n
}

func TestExpressionsOfAGrammarEnd(t *testing.T) {
	in, valid := worst(t), 0
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	count := 600
	if testing.Short() {
		count = 100
	}
	for range count {
		src := (&grammar{next: r.IntN}).expression()
		if len(src) > MaxLength {
			continue
		}
		if endsWithinItsBounds(t, src+`==dyn(1)`, in) {
			valid++
		}
	}
	if t.Failed() || valid < count/30 {
		t.Errorf("seed %d: %d valid expressions", seed, valid)
	}
}

// FuzzExpressionsEnd holds what TestExpressionsOfAGrammarEnd does, for the
// expressions that the bytes choose.
func FuzzExpressionsEnd(f *testing.F) {
	for i := range 64 {
		f.Add(slices.Repeat([]byte{byte(i), byte(i * 37), byte(i * 91)}, 60))
	}
	in := worst(f)
	f.Fuzz(func(t *testing.T, choices []byte) {
		next := func(n int) int {
			if len(choices) == 0 {
				return 0
			}
			c := choices[0]
			choices = choices[1:]
			return int(c) % n
		}
		if src := (&grammar{next: next}).expression(); len(src) <= MaxLength {
			endsWithinItsBounds(t, src+`==dyn(1)`, in)
		}
	})
}
