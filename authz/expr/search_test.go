package expr

import (
	"fmt"
	"strings"
	"testing"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"
)

// CEL's own functions say what is right.
func TestSearchesFindWhatCELFinds(t *testing.T) {
	env, err := cel.NewEnv(ext.Strings(), cel.Variable("s", cel.StringType), cel.Variable("p", cel.StringType), cel.Variable("n", cel.IntType))
	if err != nil {
		t.Fatal(err)
	}
	programs := map[string]cel.Program{}
	for _, src := range []string{"s.indexOf(p)", "s.indexOf(p,n)", "s.lastIndexOf(p)", "s.lastIndexOf(p,n)"} {
		a, issues := env.Compile(src)
		if issues.Err() != nil {
			t.Fatal(issues.Err())
		}
		if programs[src], err = env.Program(a); err != nil {
			t.Fatal(err)
		}
	}
	texts := []string{"", "a", "ab", "aaa", "abab", "äöä", "aäbä", "日本日本", "𞥃a𞥃"}
	parts := []string{"", "a", "b", "ab", "aa", "ä", "öä", "本", "𞥃", "x", "abababab"}
	for _, s := range texts {
		for _, p := range parts {
			for n := int64(-1); n < 7; n++ {
				for src, program := range programs {
					want, _, wantErr := program.Eval(map[string]any{"s": s, "p": p, "n": n})
					values := []ref.Val{types.String(s), types.String(p), types.Int(n)}
					if !strings.Contains(src, "n)") {
						values = values[:2]
					}
					ours := indexOf
					if strings.Contains(src, "last") {
						ours = lastIndexOf
					}
					got := ours(values...)
					if wantErr != nil {
						if !types.IsError(got) {
							t.Errorf("%s of %q, %q, %d: expected an error, got %v", src, s, p, n, got)
						}
					} else if got.Equal(want) != types.True {
						t.Errorf("%s of %q, %q, %d: expected %v, got %v", src, s, p, n, want, got)
					}
				}
			}
		}
	}
}

func TestSearchesInLongTextsEnd(t *testing.T) {
	in := input(t)
	in.Request.Body, in.Request.BodyKnown = []byte(strings.Repeat("a", MaxBody)), true
	grow := `["aaaa"]` + strings.Repeat(`.map(x,(x+x+x+x).split(" ")[0])`, 8)
	for _, src := range []string{
		grow + `.exists(x,x.indexOf(x.substring(131072)+"b")==7)`,
		grow + `.exists(x,x.lastIndexOf("b"+x.substring(131072))==7)`,
		grow + `.exists(x,x.indexOf(x.substring(131072)+"b",1)==7)`,
		`[string(request.body).split(" ")[0]].exists(x,(x+x+x+x).indexOf(x+x.substring(1)+"b")==7)`,
		`[string(request.body)].exists(x,(x+x+x).lastIndexOf("b"+x)==7)`,
		`[string(request.body)].exists(x,(x+x+x).contains("b"+x)||x.endsWith("b")||x.replace("aa","b").startsWith("a"))`,
	} {
		ends(t, src, func() {
			program, err := Compile(Bool, src)
			if err != nil {
				return // refused is fine
			}
			if ok, err := program.Bool(t.Context(), in); ok && err == nil {
				t.Errorf("%s: expected false or an error", fmt.Sprintf("%.60s", src))
			}
		})
	}
}
