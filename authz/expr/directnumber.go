package expr

import (
	"unicode/utf8"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
)

// intOf evaluates a node that is an int.
type intOf func(in *Input, entry string) (_ int64, ok bool)

func (p *planner) number(e ast.Expr) intOf {
	switch e = undyn(e); e.Kind() {
	case ast.LiteralKind:
		if n, ok := e.AsLiteral().(types.Int); ok {
			return func(*Input, string) (int64, bool) { return int64(n), true }
		}
	case ast.CallKind:
		call := e.AsCall()
		switch {
		case call.FunctionName() == overloads.Size && call.IsMemberFunction():
			return p.size(call.Target())
		case call.FunctionName() == overloads.Size:
			return p.size(call.Args()[0])
		}
	default:
	}
	claim := p.claim(e)
	if at, ok := p.selection(e); !ok || at.isOptional() || claim == nil {
		return nil
	}
	return func(in *Input, _ string) (int64, bool) {
		v, s := claim(in)
		n, ok := v.(int64)
		return n, ok && s == present
	}
}

// size plans size(). What a claim is, text or list, is known when it is read.
func (p *planner) size(e ast.Expr) intOf {
	list, text := p.list(e), p.text(e)
	if list == nil && text == nil {
		return nil
	}
	return func(in *Input, entry string) (int64, bool) {
		if list != nil {
			if all, ok := list(in, entry); ok {
				return int64(all.size()), true
			}
		}
		if text == nil {
			return 0, false
		}
		s, is := text(in, entry)
		return int64(utf8.RuneCountInString(s)), is == present
	}
}

// order plans a comparison of two ints.
func (p *planner) order(operator string, a, b ast.Expr) condition {
	first, second := p.number(a), p.number(b)
	if first == nil || second == nil {
		return nil
	}
	return func(in *Input, entry string) (bool, bool) {
		x, ok1 := first(in, entry)
		y, ok2 := second(in, entry)
		if !ok1 || !ok2 {
			return false, false
		}
		switch operator {
		case operators.Less:
			return x < y, true
		case operators.LessEquals:
			return x <= y, true
		case operators.Greater:
			return x > y, true
		case operators.GreaterEquals:
			return x >= y, true
		default:
			return x == y, true
		}
	}
}
