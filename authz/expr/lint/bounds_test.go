package lint

import (
	"strings"
	"testing"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/ext"
)

// hostileToLints are expressions that compile and that are long to look at.
func hostileToLints() map[string]string {
	fill := func(part, sep string, most int) string {
		return strings.Join(strings.Split(strings.Repeat(part+"\x00", most/(len(part)+len(sep))), "\x00"), sep) + part
	}
	return map[string]string{
		"names for literals":        `[` + fill(`"a"`, ",", 1800) + `].exists(a, request.method in [` + fill("a", ",", 1800) + `])`,
		"a loop over a loop":        `[` + fill(`"a"`, ",", 1500) + `].exists(a, [` + fill(`"b"`, ",", 1500) + `].exists(b, request.method == a || request.method == b))`,
		"lists in lists":            `[[` + fill(`"a"`, ",", 900) + `]].exists(l, [` + fill(`"a"`, ",", 1800) + `].exists(m, m in l && request.method in l))`,
		"patterns in a loop":        `[` + fill(`"a"`, ",", 900) + `].exists(a, a.matches("^(a|b)+$") || request.method.matches("^[A-Z]{1,9}$"))`,
		"conditionals":              `request.method == (` + strings.Repeat(`true ? "a" : `, 40) + `"b")`,
		"a long text":               `["a", "b", "c", "d"].exists(a, request.method == a && "` + strings.Repeat("x", 3000) + `".lowerAscii().contains(a))`,
		"many comparisons":          fill(`request.method=="a"`, "||", 3500),
		"many patterns of the path": fill(`request.path.matches("^/a")`, "||", 3500),
	}
}

func TestLooksAtAHostileExpressionAreBounded(t *testing.T) {
	const maxLength, maxNodes = 4096, 20_000 // of an expression
	env, err := cel.NewEnv(cel.Variable("request", cel.MapType(cel.StringType, cel.StringType)), ext.Strings())
	if err != nil {
		t.Fatal(err)
	}
	for name, src := range hostileToLints() {
		checked, issues := env.Compile(src)
		if issues.Err() != nil || len(src) > maxLength {
			t.Errorf("%s: expected an expression of at most %d bytes that can be checked, got %d and %v", name, maxLength, len(src), issues.Err())
			continue
		}
		tree := checked.NativeRep()
		nodes := 0
		ast.PreOrderVisit(tree.Expr(), ast.NewExprVisitor(func(ast.Expr) { nodes++ }))
		if l := lint(tree); nodes > maxNodes || l.left < -matchVisits || len(l.warnings) > MaxWarnings {
			t.Errorf("%s: expected at most %d looks and %d warnings, got %d left of %d, and %d warnings", name, maxVisits, MaxWarnings, l.left, maxVisits, len(l.warnings))
		}
		w := &byOne{method: "GET", left: maxVisits, scope: map[string]any{}}
		w.value(tree.Expr())
		if w.left < -maxVisits {
			t.Errorf("%s: expected about %d visits, got %d", name, maxVisits, maxVisits-w.left)
		}
	}
}
