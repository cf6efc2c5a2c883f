package expr

import (
	"unicode/utf8"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"

	"github.com/agentauth-dev/agentauth/authz"
)

// text plans a node that is a string.
func (p *planner) text(e ast.Expr) textOf {
	e = undyn(e)
	if s, ok := literal(e); ok {
		return func(*Input, string) (string, state) { return s, present }
	}
	switch e.Kind() {
	case ast.IdentKind:
		if p.variable != "" && e.AsIdent() == p.variable {
			return func(_ *Input, entry string) (string, state) { return entry, present }
		}
	case ast.SelectKind:
		return p.mandatory(e)
	case ast.CallKind:
		call := e.AsCall()
		args := call.Args()
		switch call.FunctionName() {
		case operators.Index:
			return p.mandatory(e)
		case operators.Conditional:
			return p.textChoice(args)
		case "orValue":
			return p.textOr(call.Target(), args[0])
		case "lowerAscii":
			return lowered(p.text(call.Target()))
		}
	default:
	}
	return nil
}

// mandatory reads what is no optional value.
func (p *planner) mandatory(e ast.Expr) textOf {
	if at, ok := p.selection(e); !ok || at.isOptional() {
		return nil
	}
	return p.read(e)
}

// optional plans a node that is a string, or an optional one.
func (p *planner) optional(e ast.Expr) textOf {
	if at, ok := p.selection(e); ok && at.isOptional() {
		return p.read(e)
	}
	return p.text(e)
}

func (p *planner) textOr(e, otherwise ast.Expr) textOf {
	at, ok := p.selection(e)
	other := p.text(otherwise)
	if !ok || !at.isOptional() || other == nil {
		return nil
	}
	text := p.read(e)
	if text == nil {
		return nil
	}
	return func(in *Input, entry string) (string, state) {
		s, found := text(in, entry)
		if found == absent {
			return other(in, entry)
		}
		return s, found
	}
}

func (p *planner) textChoice(args []ast.Expr) textOf {
	asked, first, second := p.condition(args[0]), p.text(args[1]), p.text(args[2])
	if asked == nil || first == nil || second == nil {
		return nil
	}
	return func(in *Input, entry string) (string, state) {
		switch holds, ok := asked(in, entry); {
		case !ok:
			return "", undecided
		case holds:
			return first(in, entry)
		default:
			return second(in, entry)
		}
	}
}

// lowered plans lowerAscii(). CEL replaces what is no UTF-8.
func lowered(text textOf) textOf {
	if text == nil {
		return nil
	}
	return func(in *Input, entry string) (string, state) {
		s, is := text(in, entry)
		if is != present || !utf8.ValidString(s) {
			return "", undecided
		}
		return authz.Lower(s), present
	}
}
