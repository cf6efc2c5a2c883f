package expr

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"cel.dev/cel-go/cel"
)

// endsIn is how long anything of an expression may take on a busy machine: what
// never ends takes longer.
const endsIn = 5 * time.Second

// ends fails the test if f does not end.
func ends(t testing.TB, what string, f func()) {
	t.Helper()
	start := time.Now()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatalf("%.200s: does not end", what)
	}
	if took := time.Since(start); took > endsIn {
		t.Errorf("%.200s: took %v", what, took)
	}
}

// chain applies a macro n times: the type, or the value, grows with each.
func chain(start, macro string, n int) string { return start + strings.Repeat(macro, n) }

func TestALargeTypeIsRefusedBeforeTheTypeCheck(t *testing.T) {
	within := func(open, inner, closed string, n int) string {
		return strings.Repeat(open, n) + inner + strings.Repeat(closed, n)
	}
	for _, src := range []string{
		chain(`[1]`, `.map(i,{i:i})`, 30) + `==[]`,
		chain(`[1]`, `.map(i,{i:i})`, 16) + `==[]`,
		chain(`[1]`, `.map(i,{"a":{i:i}})`, 30) + `==[]`,
		chain(`[1]`, `.map(i,{[i]:[i]})`, 30) + `==[]`,
		chain(`[1]`, `.map(i,[i].map(j,{j:j})[0])`, 30) + `==[]`,
		chain(`[1]`, `.map(i,true?{i:i}:{i:i})`, 30) + `==[]`,
		chain(`[1]`, `.map(i,{?i:optional.of(i)})`, 30) + `==[]`,
		chain(`[1]`, `.map(i,[[[[[[[[[[i]]]]]]]]]])`, 30) + `==[]`,
		chain(`[1]`, `.map(i,[optional.of(i)])`, 40) + `==[]`,
		within(`[`, `1`, `]`, 48) + `==[]`,
		within(`{1:`, `1`, `}`, 48) + `=={}`,
		within(`optional.of(`, `1`, `)`, 48) + `.hasValue()`,
	} {
		ends(t, src, func() {
			_, err := Compile(Bool, src)
			if err == nil || !strings.Contains(err.Error(), "expected types of at most 12 parts, got ") {
				t.Errorf("%.80s: %v", src, err)
			}
		})
	}
}

// TestAVariableOfAnUnknownTypeIsOfDyn tries to make a large type of a variable
// whose type the checker infers from what is compared with it.
func TestAVariableOfAnUnknownTypeIsOfDyn(t *testing.T) {
	nested := func(empty string, of func(variable, before string) string) string {
		src, closed := "", ""
		before := `[request.path]`
		for i := range 14 {
			v := fmt.Sprintf("v%d", i)
			src += empty + `.all(` + v + `,` + of(v, before) + `&&`
			closed, before = closed+")", v
		}
		return src + "true" + closed
	}
	for _, src := range []string{
		nested(`[]`, func(v, b string) string { return v + `[` + b + `]==` + b }),
		nested(`[{}]`, func(v, b string) string { return v + `[` + b + `]==` + b }),
		nested(`[{}]`, func(v, b string) string { return b + ` in ` + v + `&&` + v + `[` + b + `]==` + b }),
		nested(`(true?[]:[])`, func(v, b string) string { return v + `==[` + b + `,` + b + `]` }),
		nested(`[optional.none()]`, func(v, b string) string { return v + `.orValue(` + b + `)==` + b }),
		chain(`optional.of(1)`, `.optMap(i,{i:i})`, 20) + `.hasValue()`,
		chain(`optional.of(1)`, `.optFlatMap(i,optional.of({i:i}))`, 20) + `.hasValue()`,
		chain(`[1]`, `.map(i,[type(i)])`, 40) + `==[]`,
		nested(`[dyn(1).value()]`, func(v, b string) string { return v + `[` + b + `]==` + b }),
	} {
		ends(t, src, func() {
			if _, err := Compile(Bool, src); err != nil && strings.Contains(err.Error(), "expected types") {
				t.Errorf("%.80s: %v", src, err)
			}
		})
	}
}

func TestARegularExpressionThatTakesLongToCompileIsRefusedBefore(t *testing.T) {
	repeat := strings.Repeat
	for pattern, want := range map[string]string{
		repeat(`\\pL`, 800):                           "at most 32 Unicode classes (\\p; a range beyond ASCII after (?i) counts as eight), got 800",
		`[` + repeat(`\\pL`, 800) + `]`:               "at most 32 Unicode classes",
		`(?i)[` + repeat(`\\PL`, 800) + `]`:           "at most 32 Unicode classes",
		`(?i)` + repeat(`[b-𞥃]`, 400):                 "at most 32 Unicode classes",
		`(?si:` + repeat(`[b-\\x{1e943}]`, 200) + `)`: "at most 32 Unicode classes",
		repeat(`a{1000}`, 570):                        "at most 1024 instructions when compiled, got 570000",
		repeat(`((a|b){10}){10}`, 250):                "at most 1024 instructions when compiled, got ",
		repeat(`(((a?)?)?)`, 380):                     "at most 1024 instructions when compiled, got ",
	} {
		src := `"a".matches("` + pattern + `")`
		ends(t, src, func() {
			if _, err := Compile(Bool, src); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%.60s: got error %v, want %q", pattern, err, want)
			}
		})
	}
	var many []string
	for i := range 100 {
		many = append(many, fmt.Sprintf(`"a".matches("[a-z]{1,%d}")`, 100+i))
	}
	src := strings.Join(many, "||")
	if _, err := Compile(Bool, src); err == nil || !strings.Contains(err.Error(), "at most 4096 instructions in sum when compiled, got ") {
		t.Errorf("many patterns: %v", err)
	}
}

// TestAValueThatSharesItsPartsCostsWhatItsSizeIs: a list of 2^27 entries that are
// one and the same is made by 27 steps.
func TestAValueThatSharesItsPartsCostsWhatItsSizeIs(t *testing.T) {
	in := input(t)
	shared := map[string]string{
		"lists":     chain(`[[1]]`, `.map(i,[i,i,i,i,i,i,i,i,i,i,i,i,i,i,i,i])`, 6),
		"maps":      chain(`[1]`, `.map(i,dyn({"a":i,"b":i}))`, 27),
		"optionals": chain(`[[1]]`, `.map(i,dyn([optional.of(i),optional.of(i)]))`, 27),
		"dyn":       chain(`[dyn(1)]`, `.map(i,dyn([i,i]))`, 30),
		"a ternary": chain(`[[1]]`, `.map(i,dyn(true?[i,i]:[]))`, 27),
		"a filter":  chain(`[[1]]`, `.map(i,dyn([i,i].filter(j,true)))`, 22),
	}
	if testing.Short() {
		shared = map[string]string{"lists": shared["lists"], "dyn": shared["dyn"]}
	}
	for name, values := range shared {
		for _, use := range []string{
			`i==i`, `i!=i`, `i in [i]`, `[i]==[i]`, `{"a":i}!={"a":i}`, `dyn(i)==dyn(i)`, `dyn(i) in [dyn(i)]`, `!(i!=i)||true`,
			`optional.of(i)==optional.of(i)`, `optional.of(i) in [optional.of(i)]`, `sets.contains([i],[i])`, `sets.equivalent([i],[i])`, `sets.intersects([i],[i])||true`,
		} {
			src := values + `.map(i,` + use + `)[0]`
			ends(t, src, func() {
				ok, err := mustCompile(t, Bool, src).Bool(t.Context(), in)
				if ok || err == nil || !strings.Contains(err.Error(), "costs more than 1000000 units") {
					t.Errorf("%s: %s: got %v and error %v", name, use, ok, err)
				}
			})
		}
		for _, use := range []string{
			`{1:true}[dyn(i)]`, `identity.claims[?dyn(i)].hasValue()`, `dyn(i) in {1:1}`, `dyn(i) in identity.claims`, `dyn(i) in request.headers`,
			`{dyn(i):1}.size()==1`, `string(dyn(i))==""`, `dyn(i)<dyn(i)`, `type(i)==type(1)`, `optional.ofNonZeroValue(i).hasValue()`,
			`[true][dyn(i)]`, `-dyn(i)==1`, `dyn(i)+1==1`, `dyn([i]).join("")==""`, `int(dyn(i))==1`, `dyn(i).matches("a")`, `pathPrefix("/",string(dyn(i)))`,
			`timestamp(dyn(i))==request.time`, `duration(dyn(i))==duration("1s")`, `bytes(dyn(i))==b""`, `has(dyn(i).a)`, `dyn(i).?a.hasValue()`, `dyn(i).a==1`, `"a" in dyn(i)||size(dyn(i))>0`,
		} {
			src := values + `.map(i,` + use + `)[0]`
			ends(t, src, func() {
				if p, err := Compile(Bool, src); err == nil {
					_, _ = p.Bool(t.Context(), in)
				}
			})
		}
	}
	for kind, src := range map[Kind]string{String: shared["dyn"] + `[0]`, Claim: shared["dyn"], Subject: shared["dyn"] + `[0]`} {
		ends(t, src, func() {
			p, err := Compile(kind, src)
			if err != nil {
				t.Fatal(err)
			}
			_, _, err1 := p.String(t.Context(), in)
			_, err2 := p.ClaimStrings(t.Context(), nil)
			_, err3 := p.ClaimString(t.Context(), nil)
			if err1 == nil || err2 == nil || err3 == nil {
				t.Errorf("%.40s: got errors %v, %v, %v", src, err1, err2, err3)
			}
		})
	}
}

func TestATextThatAnExpressionMakesIsBounded(t *testing.T) {
	in := large(t, MaxValue, MaxBody, 1)
	// The estimate does not know how long the entries of a list of dyn are.
	for _, src := range []string{
		`[dyn(request.path)]` + strings.Repeat(`.map(i,dyn(i+i))`, 8) + `[0]==""`,
		`[dyn(request.body)]` + strings.Repeat(`.map(i,dyn(i+i))`, 4) + `[0]==b""`,
		`dyn([string(request.body),string(request.body),string(request.body),string(request.body),string(request.body)]).join("")==""`,
		`[dyn(request.path)].map(i,dyn(i.replace("p","` + strings.Repeat("q", maxInserted) + `")))[0]==""`,
	} {
		ends(t, src, func() {
			p, err := Compile(Bool, src)
			if err != nil {
				if !strings.Contains(err.Error(), "that costs at most") {
					t.Errorf("%s: %v", src, err)
				}
				return
			}
			ok, err := p.Bool(t.Context(), in)
			if ok || err == nil || !strings.Contains(err.Error(), "at most 262144: put less together") {
				t.Errorf("%.60s: got %v and error %v", src, ok, err)
			}
		})
	}
}

func TestATextOfARegularExpressionIsWeighedBeforeItIsMatched(t *testing.T) {
	contents := inspect(mustCheck(t, `request.path.matches("^[a-z]{1,250}x")`).NativeRep())
	contents.regexes["^[a-z]{1,250}x"] = regex{size: math.MaxUint32} // nothing compiled: a match would panic
	program, err := plan(mustEnvironment(t, Bool), mustCheck(t, `request.path.matches("^[a-z]{1,250}x")`), estimator{contents})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = program.Eval((*activation)(input(t)))
	if err == nil || !strings.Contains(err.Error(), "costs more than 1000000 units") {
		t.Errorf("got error %v", err)
	}
}

func mustEnvironment(t *testing.T, kind Kind) *cel.Env {
	t.Helper()
	env, err := environment(kind)
	if err != nil {
		t.Fatal(err)
	}
	return env
}

func mustCheck(t *testing.T, src string) *cel.Ast {
	t.Helper()
	checked, issues := mustEnvironment(t, Bool).Compile(src)
	if issues.Err() != nil {
		t.Fatal(issues.Err())
	}
	return checked
}
