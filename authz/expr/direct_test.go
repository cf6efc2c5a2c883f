package expr

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
)

// directGrammar writes expressions of the kinds of nodes that are planned, with
// parts that are not and with values of wrong types.
type directGrammar struct {
	next  func(n int) int
	depth int
	// variable is that of the loop.
	variable string
}

func (g *directGrammar) pick(options ...string) string { return options[g.next(len(options))] }

// fill fills a pattern: C is a condition, T a text, I an int, O an optional, L a
// list, K a claim, W an identity, and in a loop @ a condition and # a text.
func (g *directGrammar) fill(pattern string) string {
	g.depth++
	defer func() { g.depth-- }()
	var out strings.Builder
	for _, c := range pattern {
		switch c {
		case 'C':
			out.WriteString(g.condition())
		case 'T':
			out.WriteString(g.text())
		case 'O':
			out.WriteString(g.optional())
		case 'L':
			out.WriteString(g.list())
		case 'K':
			out.WriteString(g.pick("role", "s", "admin", "n", "none", "list", "texts", "nested", "nested.deep", "nested.s", "gone", "long", "raw", "half", "nested.inner.s"))
		case 'I':
			out.WriteString(g.fill(g.pick("0", "1", "2", "-1", "W.claims.n", "W.claims.K", "L.size()", "size(T)", "2u", "1.0", "dyn(2)", `W.claims.?n.orValue(1)`)))
		case 'W':
			out.WriteString(g.pick("identity", "identity", "identity", `identities["partners"]`, "identities.anonymous", "identities.gone", "identities.raw"))
		default:
			out.WriteRune(c)
		}
	}
	return out.String()
}

func (g *directGrammar) condition() string {
	leaves := []string{`true`, `false`, `W.claims.admin`, `W.claims.K`, `has(W.claims.K)`, `has(W.actor)`, `has(W.subject)`, `has(W.groups)`, `has(W.claims)`, `has(W.expiresAt)`,
		`has(request.headers.x)`, `"x-env" in request.headers`, `"twice" in request.query`, `"role" in W.claims`, `"x" in identities`, `"tier" in context`, `has(request.body)`, `has(context.tier)`, `has(request.query.debug)`}
	if g.depth > 6 {
		return g.fill(g.pick(leaves...))
	}
	return g.fill(g.pick(append(leaves, `(C && C)`, `(C || C)`, `!C`, `(C ? C : C)`, `(T == T)`, `(T != T)`, `(C == C)`, `(C != C)`, `(T in L)`, `(T in L)`, `T.startsWith(T)`, `T.endsWith(T)`, `T.contains(T)`,
		`pathPrefix(T, T)`, `T.matches("^[a-z/]+1?$")`, `matches(T, "a|b")`, `O.hasValue()`, `O.orValue(C)`, `L.exists(e, @)`, `L.all(e, @)`, `(T in W.claims)`, `(T in W.claims.K)`, `(T in request.headers)`, `(T in identities)`,
		`(O == O)`, `(L == L)`, `(W.claims.K == W.claims.K)`, `(W.claims.K == 1.5)`, `(L.size() > 1)`, `(size(L) <= I)`, `(T.size() < I)`, `(I >= I)`, `(I == I)`, `(I != I)`, `sets.contains(L, L)`, `sets.intersects(L, L)`, `dyn(C)`, `(dyn(T) == T)`, `L.exists(identity, identity == "a")`, `W.claims.K.hasValue()`, `W.claims.K.orValue(true)`)...))
}

func (g *directGrammar) text() string {
	leaves := []string{`"a"`, `""`, `"/v1"`, `"team-x"`, `"manager"`, `"b"`, `request.path`, `request.method`, `request.host`, `request.id`, `request.scheme`, `request.source.address`, `request.source.principal`,
		`request.headers["x-env"]`, `request.headers.x`, `request.headers["X-Raw"]`, `request.query.debug`, `request.query["twice"]`, `request.query.raw`, `context.tier`, `context["gone"]`,
		`W.subject`, `W.issuer`, `W.method`, `W.credentialId`, `W.actor.subject`, `W.actor.issuer`, `W.claims.K`, `W.claims.K`, `W.claims["role"]`, `W.claims.nested["s"]`}
	if g.variable != "" {
		leaves = append(leaves, slices.Repeat([]string{g.variable}, 12)...)
	}
	if g.depth > 6 {
		return g.fill(g.pick(leaves...))
	}
	return g.fill(g.pick(append(leaves, `(C ? T : T)`, `(T + T)`, `O.orValue(T)`, `O.orValue(T)`, `W.claims.K.orValue("a")`, `T.lowerAscii()`, `L.join(",")`, `L.join()`, `dyn(T)`, `L.map(e, #).join(" ")`)...))
}

func (g *directGrammar) optional() string {
	return g.fill(g.pick(`W.claims.?K`, `W.claims.?role`, `W.claims.?gone`, `W.claims.nested.?s`, `W.claims.?nested.?s`, `W.claims.?nested.s`, `W.claims.?gone.?s`, `W.claims[?"admin"]`, `W.?actor.?subject`, `W.actor.?issuer`, `W.?subject`,
		`request.headers[?"x-env"]`, `request.headers.?x`, `request.headers.?gone`, `request.query.?debug`, `request.query[?"twice"]`, `context.?tier`, `context.?gone`, `identities.?partners.?subject`, `optional.of(T)`, `W.?claims.?role`))
}

func (g *directGrammar) list() string {
	return g.fill(g.pick(`["a", "b"]`, `[]`, `["manager"]`, `[T]`, `W.groups`, `W.groups`, `W.scopes`, `W.audiences`, `W.claims.list`, `W.claims.texts`, `W.claims.K`, `O.orValue([])`, `O.orValue(["a"])`, `W.claims.?texts.orValue(W.groups)`,
		`(C ? L : L)`, `T.split(",")`, `T.split("/")`, `T.split(T)`, `dyn(L)`, `L.filter(e, @)`, `L.map(e, #)`, `L.map(e, @, #)`, `(has(W.claims.K) ? W.claims.K : [])`))
}

// expression writes a whole expression. The body of a loop is written with its
// variable known.
func (g *directGrammar) expression(kind Kind) string {
	pattern := "C"
	switch kind {
	case String:
		pattern = g.pick("T", "O", "(C ? T : T)")
	case JSON:
		pattern = g.pick("T", "O", "L", "C", `{"a": T, "b": L}`, `{"a": {"c": C}}`, `{"d": O}`, `{"a": T, "a": T}`, `{"b": W.claims.K}`)
	default:
	}
	src := g.fill(pattern)
	flat := strings.NewReplacer("@", `e != "x"`, "#", "e")
	for g.variable = "e"; strings.ContainsAny(src, "@#"); {
		if at := strings.IndexAny(src, "@#"); src[at] == '@' {
			src = strings.Replace(src, "@", flat.Replace(g.condition()), 1)
		} else {
			src = strings.Replace(src, "#", flat.Replace(g.text()), 1)
		}
	}
	g.variable = ""
	return src
}

// directInputs are inputs with what can be absent, too long, of a wrong type, no
// UTF-8 or read in two ways.
func directInputs(t testing.TB) []*Input {
	full := input(t)
	full.Identity.Claims["s"], full.Identity.Claims["texts"] = "b", []any{"a", "b", "manager"}
	full.Identity.Claims["nested"] = map[string]any{"s": "a", "deep": []any{"a"}, "inner": map[string]any{"s": "/v1/orders"}}
	full.Identities = append(full.Identities, &authz.Identity{Method: "raw", Subject: "\xff", Issuer: strings.Repeat("i", MaxEntry+1), Groups: []string{"a", "\xff"}, Scopes: []string{strings.Repeat("s", MaxEntry+1)}})
	odd := input(t)
	odd.Identity.Actor, odd.Identity.Groups, odd.Identity.ExpiresAt = &authz.Actor{Subject: "\xff"}, slices.Repeat([]string{"a"}, 257), time.Time{}
	odd.Identity.Claims["s"], odd.Identity.Claims["long"], odd.Identity.Claims["raw"] = strings.Repeat("c", MaxClaim), strings.Repeat("c", MaxClaim+1), "\xff"
	odd.Identity.Claims["texts"], odd.Identity.Claims["nested"] = []any{"b", strings.Repeat("c", MaxEntry+1), "a"}, map[string]any{"s": nil, "deep": "a", "inner": "x"}
	odd.Identity.Claims["role"], odd.Identity.Claims["admin"], odd.Identity.Scopes = nil, "true", []string{"b", "\xff", "a"}
	wide := input(t)
	wide.Identity = &authz.Identity{Method: "wide", Subject: "a", Claims: map[string]any{"role": []any{"a"}, "list": slices.Repeat([]any{"a"}, 257)}}
	for i := range 300 {
		wide.Identity.Claims[fmt.Sprint("c", i)] = true
	}
	long := large(t, MaxValue+1, 1, 3)
	long.Identity.Claims = nil
	long.Request.ContextExtensions = map[string]string{"tier": strings.Repeat("x", MaxClaim+1)}
	unreadable := input(t)
	unreadable.Identity.Actor = &authz.Actor{Unreadable: true}
	nobody := input(t)
	nobody.Identity, nobody.Identities = nil, nil
	aliased, err := authz.NewRequest(authz.Raw{Method: "GET", Scheme: "https", Host: "a", Path: "/v1/?a[]=1&debug;=2",
		Headers: []authz.Header{{Name: "x_env", Value: "1"}, {Name: "x", Value: "1"}, {Name: "x", Value: "2"}}})
	if err != nil {
		t.Fatal(err)
	}
	return []*Input{full, odd, wide, long, unreadable, nobody, {Request: aliased, Identity: full.Identity}, worst(t)}
}

// sameAsCEL holds that an evaluation has the value and the error that it has
// without direct evaluation. It reports whether the expression is planned, and
// how often it was decided.
func sameAsCEL(t *testing.T, kind Kind, src string, inputs []*Input) (planned bool, decided int) {
	t.Helper()
	p, err := Compile(kind, src)
	if err != nil {
		return false, 0
	}
	plain := mustCompile(t, kind, src)
	plain.direct = direct{}
	for i, in := range inputs {
		got, want := outcome(t.Context(), kind, p, in), outcome(t.Context(), kind, plain, in)
		direct := false
		switch kind {
		case Bool:
			planned = p.direct.condition != nil
			if planned {
				_, direct = p.direct.condition(in, "")
			}
		case String:
			planned = p.direct.text != nil
			if planned {
				_, s := p.direct.text(in, "")
				direct = s != undecided
			}
		default:
		}
		if direct {
			decided++
		}
		// CEL goes over an object in another order each time.
		for range 50 {
			if reflect.DeepEqual(got, want) {
				break
			}
			want = outcome(t.Context(), kind, plain, in)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s on input %d: got %v, and %v of CEL", src, i, got, want)
		}
	}
	return planned, decided
}

// outcome is what an evaluation returns.
func outcome(ctx context.Context, kind Kind, p *Program, in *Input) []any {
	switch kind {
	case Bool:
		return results2(p.Bool(ctx, in))
	case String:
		return results3(p.String(ctx, in))
	default:
		return results3(p.JSON(ctx, in))
	}
}

func results2[A any](a A, err error) []any { return []any{a, fmt.Sprint(err)} }

func results3[A, B any](a A, b B, err error) []any { return []any{a, b, fmt.Sprint(err)} }

func TestADirectEvaluationHasTheValueAndTheErrorOfCEL(t *testing.T) {
	inputs := directInputs(t)
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	count := 10_000
	if testing.Short() {
		count = 1000
	}
	planned, decided := 0, 0
	for i := range count {
		kind := []Kind{Bool, Bool, String}[i%3]
		is, n := sameAsCEL(t, kind, (&directGrammar{next: r.IntN}).expression(kind), inputs)
		if decided += n; is {
			planned++
		}
	}
	t.Logf("seed %d: %d expressions, %d planned, %d decided", seed, count, planned, decided)
	if t.Failed() || planned < count/10 || decided < count/10 {
		t.Errorf("seed %d: %d of %d expressions were planned, and %d evaluations decided", seed, planned, count, decided)
	}
}

func TestASetOfWhatCannotBeReadHasTheErrorOfCEL(t *testing.T) {
	inputs := directInputs(t)
	for _, second := range []string{`[]`, `["a"]`, `["b"]`, `identities.anonymous.groups`, `identity.claims.texts`} {
		for _, f := range []string{"contains", "intersects"} {
			sameAsCEL(t, Bool, "sets."+f+"(identity.claims.texts, "+second+")", inputs)
			sameAsCEL(t, Bool, "sets."+f+"("+second+", identity.claims.texts)", inputs)
		}
	}
}

func TestAUsualExpressionIsEvaluatedDirectly(t *testing.T) {
	for kind, sources := range usual {
		for _, src := range sources {
			p := mustCompile(t, kind, src)
			if p.direct.condition == nil && p.direct.text == nil {
				t.Errorf("%s is not", src)
			}
		}
	}
}

func TestAUsualConditionOrHeaderIsEvaluatedWithoutAnAllocation(t *testing.T) {
	in, ctx := input(t), t.Context()
	for _, kind := range []Kind{Bool, String} {
		for _, src := range usual[kind] {
			p := mustCompile(t, kind, src)
			if n := testing.AllocsPerRun(100, func() { _ = evaluate(ctx, p, in) }); n > 0 {
				t.Errorf("%s: %v allocations", src, n)
			}
		}
	}
}

// Each of these was, or could be, decided otherwise than CEL does.
func TestWhatIsRareIsDecidedAsCELDecides(t *testing.T) {
	inputs := directInputs(t)
	for kind, sources := range map[Kind][]string{
		Bool: {
			`identity.claims.raw.lowerAscii() == "x"`, `identity.claims.raw.lowerAscii() != ""`, `identity.claims.raw.size() == 1`, `identity.claims.s.size() == 1`,
			`identity.claims.role.hasValue()`, `identity.claims.admin.orValue(true)`, `identity.claims.?nested.s == optional.of("a")`,
			`dyn(identity.claims.?role).hasValue()`, `dyn(identity.claims.?role) == "manager"`,
			`identity.claims.long in ["a"]`, `identity.claims.s in ["a"]`, `identity.groups.all(g, g in identity.scopes)`, `identity.claims.l.exists(e, identity.claims.s in identity.claims.l)`,
			`sets.contains(identity.groups, identity.groups)`, `sets.intersects(identity.groups, identity.scopes)`, `sets.contains([], [])`, `sets.intersects([], ["a"])`, `sets.contains(["a"], [])`,
			`identity.groups.exists(identity, identity == "team-x")`, `["a"].exists(request, request == "a")`, `identity.groups.exists(g, request.path == "/")`,
			`[].all(e, e == "a")`, `identity.claims.list.exists(e, e == "x")`, `identity.claims.list.exists(e, e == "y")`, `"m" in identity.claims`, `"x" in identity.claims.nested`,
			`identity.claims.none == "x"`, `has(identity.claims.none)`, `identity.claims.half == 1`, `identity.claims.n == 9007199254740993`, `identity.claims.n > 1.5`,
			`identity.claims.s.split("b") == ["", ""]`, `"" in identity.claims.s.split("b")`, `identity.claims.s.split("c").size() > 1`,
		},
		String: {
			`identity.claims.raw.lowerAscii()`, `identity.claims.raw`, `identity.claims.?role`, `identity.claims.?none`, `identity.?subject`, `identity.?actor.?subject`, `["", "a", "", "b"].join(",")`, `[].join(",")`, `identity.groups.map(g, g + g).map(g, g + g).join(",")`,
			`identity.claims.list.join(",")`, `identity.claims.l.join("")`, `identity.claims.s + identity.claims.s + identity.claims.s`, `request.headers[?"x"].orValue("none")`, `request.query.?twice.orValue("none")`,
		},
		JSON: {
			`{"a": "b", "d": identity.claims.?role}`, `{"a": identity.groups, "b": {"c": identity.claims.admin}}`, `identity.claims.l`, `{"l": identity.claims.l, "m": identity.claims.l}`, `identity.claims.s`,
			`identity.claims.list`, `identity.claims.?gone`, `identity.claims.none`, `""`, `identity.claims.n`, `dyn(identity.claims.?role)`,
		},
	} {
		for _, src := range sources {
			if _, err := Compile(kind, src); err != nil {
				t.Errorf("%s: %v", src, err)
			}
			sameAsCEL(t, kind, src, inputs)
		}
	}
}

// FuzzDirect holds what TestADirectEvaluationHasTheValueAndTheErrorOfCEL does, for
// the expressions that the bytes choose.
func FuzzDirect(f *testing.F) {
	for i := range 64 {
		f.Add(byte(i), slices.Repeat([]byte{byte(i), byte(i * 37), byte(i * 91)}, 30))
	}
	inputs := directInputs(f)
	f.Fuzz(func(t *testing.T, k byte, choices []byte) {
		next := func(n int) int {
			if len(choices) == 0 {
				return 0
			}
			c := choices[0]
			choices = choices[1:]
			return int(c) % n
		}
		kind := []Kind{Bool, String}[int(k)%2]
		sameAsCEL(t, kind, (&directGrammar{next: next}).expression(kind), inputs)
	})
}
