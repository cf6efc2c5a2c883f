package expr

import (
	"strings"
	"testing"

	"cel.dev/cel-go/common/ast"

	"github.com/agentauth-dev/agentauth/authz"
)

func TestAPatternOfTheBeginningOfAPathIsWarnedOf(t *testing.T) {
	for pattern, warned := range map[string]bool{
		`^/admin`: true, `^/admin.*`: true, `^/admin.*$`: true, `^(/admin)`: true, `^/(admin|ops)`: true, `^/admin|^/ops`: true, `\\A/admin`: true,
		`(?i)^/admin`: true, `^/v[0-9]+/orders`: true, `^/admin(/.*)?`: true, `^/(admin|ops/)`: true, `^(?:/a/|/b)`: true, `^/static/.*\\.js`: true,
		`^/admin/`: false, `^/admin/.*`: false, `^/admin$`: false, `^/admin(/|$)`: false, `^/admin(/.*)?$`: false, `^/admin(?:/.*|$)`: false,
		`^/users/[0-9]+`: false, `^/users/[^/]+$`: false, `^/v[0-9]*$`: false, `^/`: false, `^`: false, `.*`: false, `admin`: false, `/admin$`: false,
		`^/a\\b`: true, `^/admin\\z`: false, `[.]json$`: false,
	} {
		for _, src := range []string{`request.path.matches("` + pattern + `")`, `matches(request.path, "` + pattern + `")`, `!request.path.lowerAscii().matches("` + pattern + `")`} {
			p, err := Compile(Bool, src)
			if err != nil {
				t.Errorf("%s: %v", src, err)
				continue
			}
			w := p.Warnings()
			if got := len(w) == 1 && w[0].Lint == authz.PrefixWithoutSlash && strings.HasPrefix(w[0].Message, "1:"); got != warned || len(w) > 1 {
				t.Errorf("%s: expected %v, got %v", src, warned, w)
			}
		}
	}
	if w := mustCompile(t, Bool, `request.host.matches("^api")`).Warnings(); len(w) > 0 {
		t.Errorf("expected no warning of a host, got %v", w)
	}
}

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
	for name, src := range hostileToLints() {
		env, err := environment(Bool)
		if err != nil {
			t.Fatal(err)
		}
		checked, issues := env.Compile(src)
		if issues.Err() != nil || len(src) > MaxLength {
			t.Errorf("%s: expected an expression of at most %d bytes that can be checked, got %d and %v", name, MaxLength, len(src), issues.Err())
			continue
		}
		tree := checked.NativeRep()
		nodes := 0
		ast.PreOrderVisit(tree.Expr(), ast.NewExprVisitor(func(ast.Expr) { nodes++ }))
		if l := lint(tree); nodes > maxNodes || l.left < -matchVisits || len(l.warnings) > maxWarnings {
			t.Errorf("%s: expected at most %d looks and %d warnings, got %d left of %d, and %d warnings", name, maxVisits, maxWarnings, l.left, maxVisits, len(l.warnings))
		}
		w := &byOne{method: "GET", left: maxVisits, scope: map[string]any{}}
		w.value(tree.Expr())
		if w.left < -maxVisits {
			t.Errorf("%s: expected about %d visits, got %d", name, maxVisits, maxVisits-w.left)
		}
	}
}
