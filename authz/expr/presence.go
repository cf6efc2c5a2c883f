package expr

import (
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// askPresence rewrites the questions whether a header is there,
// has(request.headers.x) and request.headers[?"x"].hasValue(), as
// "x" in request.headers. CEL reads the value for them, and the value of a header
// that came twice cannot be read.
func askPresence(a *ast.AST) {
	p := presence{info: a.SourceInfo(), lastID: ast.MaxID(a), make: ast.NewExprFactory()}
	ast.PostOrderVisit(a.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() == ast.ComprehensionKind {
			loop := e.AsComprehension()
			p.shadowed = p.shadowed || loop.IterVar() == requestName || loop.IterVar2() == requestName || loop.AccuVar() == requestName
		}
	}))
	if !p.shadowed {
		ast.PostOrderVisit(a.Expr(), ast.NewExprVisitor(p.rewrite))
	}
}

const requestName = "request"

type presence struct {
	info   *ast.SourceInfo
	lastID int64
	make   ast.ExprFactory
	// shadowed: a loop has a variable of the name of the request.
	shadowed bool
}

func (p *presence) rewrite(e ast.Expr) {
	switch e.Kind() {
	case ast.SelectKind:
		if s := e.AsSelect(); s.IsTestOnly() && isHeaders(s.Operand()) {
			p.ask(e, p.name(e, s.FieldName()), s.Operand())
		}
	case ast.CallKind:
		call := e.AsCall()
		if call.FunctionName() != "hasValue" || !call.IsMemberFunction() || call.Target().Kind() != ast.CallKind {
			return
		}
		target := call.Target().AsCall()
		name := target.FunctionName()
		if name != operators.OptIndex && name != operators.OptSelect || !isHeaders(target.Args()[0]) {
			return
		}
		p.ask(e, target.Args()[1], target.Args()[0])
	default:
	}
}

func (p *presence) ask(e, key, of ast.Expr) {
	e.SetKindCase(p.make.NewCall(e.ID(), operators.In, key, of))
}

// name is a literal where e is.
func (p *presence) name(e ast.Expr, name string) ast.Expr {
	p.lastID++
	if at, ok := p.info.GetOffsetRange(e.ID()); ok {
		p.info.SetOffsetRange(p.lastID, at)
	}
	return p.make.NewLiteral(p.lastID, types.String(name))
}

// isHeaders says whether a node is request.headers.
func isHeaders(e ast.Expr) bool {
	if e.Kind() != ast.SelectKind {
		return false
	}
	s := e.AsSelect()
	return !s.IsTestOnly() && s.FieldName() == "headers" &&
		s.Operand().Kind() == ast.IdentKind && s.Operand().AsIdent() == requestName
}
