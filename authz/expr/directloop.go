package expr

import (
	"strings"

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

// mapped plans filter() and map() of a list of texts to a list of texts.
func (p *planner) mapped(c ast.ComprehensionExpr) listOf {
	accu := c.AccuVar()
	isList := c.AccuInit().Kind() == ast.ListKind && c.AccuInit().AsList().Size() == 0
	if !isList || c.HasIterVar2() || p.variable != "" || !isIdent(c.Result(), accu) || c.LoopStep().Kind() != ast.CallKind {
		return nil
	}
	inner := &planner{inspection: p.inspection, variable: c.IterVar()}
	step, asked := c.LoopStep().AsCall(), func(*Input, string) (bool, bool) { return true, true }
	if step.FunctionName() == operators.Conditional {
		if asked = inner.condition(step.Args()[0]); asked == nil || !isIdent(step.Args()[2], accu) || step.Args()[1].Kind() != ast.CallKind {
			return nil
		}
		step = step.Args()[1].AsCall()
	}
	if step.FunctionName() != operators.Add || !isIdent(step.Args()[0], accu) || step.Args()[1].Kind() != ast.ListKind {
		return nil
	}
	added := step.Args()[1].AsList()
	if added.Size() != 1 || added.IsOptional(0) {
		return nil
	}
	list, text := p.list(c.IterRange()), inner.text(added.Elements()[0])
	if list == nil || text == nil {
		return nil
	}
	return func(in *Input, _ string) (entries, bool) { return mapEntries(in, list, asked, text) }
}

// mostMapped bounds the texts that map() makes, in bytes in sum: more is for CEL to
// count.
const mostMapped = MaxBody

func mapEntries(in *Input, list listOf, asked condition, text textOf) (entries, bool) {
	all, ok := list(in, "")
	if !ok {
		return entries{}, false
	}
	out, length := entries{texts: make([]string, 0, all.size())}, 0
	for i := range all.size() {
		e, ok := all.at(i)
		if !ok {
			return entries{}, false
		}
		holds, ok := asked(in, e)
		switch {
		case !ok:
			return entries{}, false
		case !holds:
			continue
		}
		s, is := text(in, e)
		if length += len(s); is != present || length > mostMapped {
			return entries{}, false
		}
		out.texts = append(out.texts, s)
	}
	return out, true
}

// madeList plans a list that a function makes.
func (p *planner) madeList(call ast.CallExpr) listOf {
	args := call.Args()
	switch call.FunctionName() {
	case "orValue":
		return p.listOr(call.Target(), args[0])
	case operators.Conditional:
		return p.listChoice(args)
	case "split":
		return p.split(call.Target(), args)
	}
	return nil
}

func (p *planner) listChoice(args []ast.Expr) listOf {
	asked, first, second := p.condition(args[0]), p.list(args[1]), p.list(args[2])
	if asked == nil || first == nil || second == nil {
		return nil
	}
	return func(in *Input, entry string) (entries, bool) {
		switch holds, ok := asked(in, entry); {
		case !ok:
			return entries{}, false
		case holds:
			return first(in, entry)
		default:
			return second(in, entry)
		}
	}
}

// split plans split() at a literal.
func (p *planner) split(e ast.Expr, args []ast.Expr) listOf {
	text := p.text(e)
	separator, ok := literal(args[0])
	if text == nil || !ok || separator == "" || len(args) != 1 || p.variable != "" {
		return nil
	}
	return func(in *Input, entry string) (entries, bool) {
		s, is := text(in, entry)
		if is != present || strings.Count(s, separator) >= maxEntries {
			return entries{}, false
		}
		return entries{texts: strings.Split(s, separator)}, true
	}
}

// join plans join() of a list of texts.
func (p *planner) join(e ast.Expr, args []ast.Expr) textOf {
	list, separator := p.list(e), ""
	if len(args) == 1 {
		separator, _ = literal(args[0])
	}
	if list == nil {
		return nil
	}
	return func(in *Input, entry string) (string, state) {
		all, ok := list(in, entry)
		if !ok {
			return "", undecided
		}
		length := 0
		for i := range all.size() {
			s, ok := all.at(i)
			if length += len(s) + len(separator); !ok || length > mostMapped {
				return "", undecided
			}
		}
		var out strings.Builder
		out.Grow(length)
		for i := range all.size() {
			if out.Len() > 0 { // as the guard of join() does
				out.WriteString(separator)
			}
			s, _ := all.at(i)
			out.WriteString(s)
		}
		return out.String(), present
	}
}

// mostCompared bounds the cost of comparing two lists: more is for CEL to count.
const mostCompared = 4096

// sets plans sets.contains and sets.intersects: whether all, or any, of the entries
// of the second list are in the first.
func (p *planner) sets(a, b ast.Expr, all bool) condition {
	first, second := p.list(a), p.list(b)
	if first == nil || second == nil || p.variable != "" {
		return nil
	}
	return func(in *Input, entry string) (bool, bool) {
		x, ok1 := first(in, entry)
		y, ok2 := second(in, entry)
		if !ok1 || !ok2 {
			return false, false
		}
		xWeight, ok1 := x.weight()
		yWeight, ok2 := y.weight()
		if !ok1 || !ok2 || xWeight*uint64(y.size()) > mostCompared || yWeight*uint64(x.size()) > mostCompared {
			return false, false
		}
		decided, decides := false, false
		for i := range y.size() {
			s, ok := y.at(i)
			has, known := x.has(s)
			if !ok || !known {
				return false, false
			}
			if !decided && has != all {
				decided, decides = true, !all
			}
		}
		if decided {
			return decides, true
		}
		return all, true
	}
}

// weight is the cost of comparing a list with all its entries, as in count.go; ok is
// false if an entry cannot be read, also where no comparison would come to it.
func (l entries) weight() (sum uint64, ok bool) {
	sum = containerWeight
	for i := range l.size() {
		s, ok := l.at(i)
		if !ok {
			return 0, false
		}
		sum += traversal(uint64(len(s)))
	}
	return sum, true
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
