package expr

import (
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

func isIdent(e ast.Expr, name string) bool { return e.Kind() == ast.IdentKind && e.AsIdent() == name }

// loop plans exists() and all() of a list of texts. The loop ends with the first
// entry that decides.
func (p *planner) loop(c ast.ComprehensionExpr) condition {
	init, ok := c.AccuInit().AsLiteral().(types.Bool)
	if !ok || c.HasIterVar2() || p.variable != "" || c.LoopStep().Kind() != ast.CallKind {
		return nil
	}
	step := c.LoopStep().AsCall()
	decides := step.FunctionName() == operators.LogicalOr
	if !decides && step.FunctionName() != operators.LogicalAnd || bool(init) == decides ||
		!isIdent(c.Result(), c.AccuVar()) || len(step.Args()) != 2 || !isIdent(step.Args()[0], c.AccuVar()) {
		return nil
	}
	list := p.list(c.IterRange())
	each := (&planner{inspection: p.inspection, variable: c.IterVar()}).condition(step.Args()[1])
	if list == nil || each == nil {
		return nil
	}
	return func(in *Input, _ string) (bool, bool) {
		all, ok := list(in, "")
		if !ok {
			return false, false
		}
		for i := range all.size() {
			e, ok := all.at(i)
			if !ok {
				return false, false
			}
			if holds, ok := each(in, e); !ok || holds == decides {
				return holds, ok
			}
		}
		return !decides, true
	}
}

// has says whether a text is an entry; known is false if an entry before it is none
// that can be read, or if the text is long: its cost is for CEL to count.
func (l entries) has(s string) (has, known bool) {
	if len(s) >= comparedAtOnce {
		return false, false
	}
	for i := range l.size() {
		switch e, ok := l.at(i); {
		case !ok:
			return false, false
		case e == s:
			return true, true
		}
	}
	return false, true
}
