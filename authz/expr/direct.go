package expr

import (
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
)

// direct evaluates an expression on Go values, without CEL and mostly without an
// allocation. A direct value is the value that CEL has. Where CEL may have an error,
// or a value of another type, a direct evaluation is undecided, and CEL evaluates the
// whole expression: all errors are CEL's. A function is nil for an expression that
// is not planned.
type direct struct {
	condition condition
	text      textOf
}

// planned says whether an expression can be evaluated directly.
func (d direct) planned() bool { return d.condition != nil || d.text != nil }

type (
	// condition evaluates a node that is a bool. entry is the entry of a list, in a
	// loop. ok is false if it is undecided.
	condition func(in *Input, entry string) (holds, ok bool)
	// textOf evaluates a node that is a string, or an optional one.
	textOf func(in *Input, entry string) (string, state)
)

// state says what a direct evaluation came to.
type state uint8

const (
	undecided state = iota
	absent          // optional.none()
	present
)

// DirectBool is [Program.Bool] without CEL; ok is false if that cannot evaluate the
// condition on the input. It looks at no context: the cost bounds its time.
func (p *Program) DirectBool(in *Input) (holds, ok bool) {
	if p == nil || p.direct.condition == nil || in == nil || in.Request == nil || in.Request.Recorded != nil {
		return false, false
	}
	holds, ok = p.direct.condition(in, "")
	return holds && ok, ok
}

// DirectString is [Program.String] without CEL, like DirectBool. "" is not present.
func (p *Program) DirectString(in *Input) (value string, ok bool) {
	if p == nil || p.direct.text == nil || in == nil || in.Request == nil || in.Request.Recorded != nil {
		return "", false
	}
	value, is := p.direct.text(in, "")
	return value, is != undecided
}

// planner plans direct evaluations. A node that it does not know is nil, and so is
// what the node is a part of.
type planner struct {
	*inspection
	// variable is the variable of the loop that the node is in.
	variable string
}

// plan plans an expression of few reads: CEL's way has a cache for many.
func (i *inspection) plan(kind Kind, root ast.Expr) direct {
	p := &planner{inspection: i}
	if i.nested || i.selects > maxUncachedSelects {
		return direct{}
	}
	switch kind {
	case Bool:
		return direct{condition: p.condition(root)}
	case String:
		return direct{text: p.optional(root)}
	default:
		return direct{}
	}
}

// undyn is a node without dyn() around it, which changes no value.
func undyn(e ast.Expr) ast.Expr {
	for e.Kind() == ast.CallKind && e.AsCall().FunctionName() == overloads.TypeConvertDyn {
		e = e.AsCall().Args()[0]
	}
	return e
}

func (p *planner) condition(e ast.Expr) condition {
	switch e = undyn(e); e.Kind() {
	case ast.LiteralKind:
		if b, ok := e.AsLiteral().(types.Bool); ok {
			return func(*Input, string) (bool, bool) { return bool(b), true }
		}
	case ast.SelectKind:
		if e.AsSelect().IsTestOnly() {
			return p.has(e.AsSelect())
		}
		return claimedBool(p.claim(e))
	case ast.CallKind:
		return p.call(e, e.AsCall())
	case ast.ComprehensionKind:
		return p.loop(e.AsComprehension())
	default:
	}
	return nil
}

func (p *planner) call(e ast.Expr, call ast.CallExpr) condition {
	args := call.Args()
	switch name := call.FunctionName(); name {
	case operators.LogicalAnd, operators.LogicalOr:
		return p.logic(name == operators.LogicalOr, args)
	case operators.LogicalNot:
		return not(p.condition(args[0]))
	case operators.Conditional:
		return p.choice(args)
	case operators.Equals:
		return p.equal(args[0], args[1])
	case operators.NotEquals:
		return not(p.equal(args[0], args[1]))
	case operators.In:
		return p.in(args[0], args[1])
	case operators.Index:
		return claimedBool(p.claim(e))
	case overloads.StartsWith:
		return p.compare(call.Target(), args, strings.HasPrefix)
	case overloads.EndsWith:
		return p.compare(call.Target(), args, strings.HasSuffix)
	case overloads.Contains:
		return p.compare(call.Target(), args, strings.Contains)
	case "pathPrefix":
		return p.pathPrefix(args)
	case overloads.Matches:
		return p.matches(call)
	case "orValue":
		return p.boolOr(call.Target(), args[0])
	case "hasValue":
		return hasValue(p.optionalClaim(call.Target()))
	}
	return nil
}

// logic is || or &&. The first part that decides ends it, so that a part behind an
// undecided one is not asked: CEL asks it.
func (p *planner) logic(decides bool, args []ast.Expr) condition {
	parts := make([]condition, len(args))
	for i, arg := range args {
		if parts[i] = p.condition(arg); parts[i] == nil {
			return nil
		}
	}
	return func(in *Input, entry string) (bool, bool) {
		for _, part := range parts {
			if holds, ok := part(in, entry); !ok || holds == decides {
				return holds, ok
			}
		}
		return !decides, true
	}
}

func not(c condition) condition {
	if c == nil {
		return nil
	}
	return func(in *Input, entry string) (bool, bool) {
		holds, ok := c(in, entry)
		return !holds, ok
	}
}

func (p *planner) choice(args []ast.Expr) condition {
	asked, first, second := p.condition(args[0]), p.condition(args[1]), p.condition(args[2])
	if asked == nil || first == nil || second == nil {
		return nil
	}
	return func(in *Input, entry string) (bool, bool) {
		switch holds, ok := asked(in, entry); {
		case !ok:
			return false, false
		case holds:
			return first(in, entry)
		default:
			return second(in, entry)
		}
	}
}

// equal compares two texts, or two bools.
func (p *planner) equal(a, b ast.Expr) condition {
	if c := p.compare(a, []ast.Expr{b}, func(a, b string) bool { return a == b }); c != nil {
		return c
	}
	first, second := p.condition(a), p.condition(b)
	if first == nil || second == nil {
		return nil
	}
	return func(in *Input, entry string) (bool, bool) {
		x, ok1 := first(in, entry)
		y, ok2 := second(in, entry)
		return x == y, ok1 && ok2
	}
}

// compare compares two texts.
func (p *planner) compare(a ast.Expr, b []ast.Expr, by func(a, b string) bool) condition {
	first, second := p.text(a), p.text(b[0])
	if first == nil || second == nil {
		return nil
	}
	if constant, ok := literal(b[0]); ok {
		return func(in *Input, entry string) (bool, bool) {
			x, s := first(in, entry)
			return s == present && by(x, constant), s == present
		}
	}
	return func(in *Input, entry string) (bool, bool) {
		x, s1 := first(in, entry)
		y, s2 := second(in, entry)
		ok := s1 == present && s2 == present
		return ok && by(x, y), ok
	}
}

func (p *planner) pathPrefix(args []ast.Expr) condition {
	path, prefix := p.text(args[0]), p.text(args[1])
	if path == nil || prefix == nil {
		return nil
	}
	return func(in *Input, entry string) (bool, bool) {
		x, s1 := path(in, entry)
		y, s2 := prefix(in, entry)
		if s1 != present || s2 != present {
			return false, false
		}
		is, err := hasPathPrefix(x, y)
		return is, err == nil
	}
}

func (p *planner) matches(call ast.CallExpr) condition {
	args := call.Args()
	if call.IsMemberFunction() {
		args = []ast.Expr{call.Target(), args[0]}
	}
	text := p.text(args[0])
	pattern, _ := literal(args[1])
	regex := p.regexes[pattern]
	if text == nil || regex.compiled == nil {
		return nil
	}
	return func(in *Input, entry string) (bool, bool) {
		x, s := text(in, entry)
		if s != present || regex.cost(uint64(len(x))) > MaxCost {
			return false, false
		}
		return regex.compiled.MatchString(x), true
	}
}
