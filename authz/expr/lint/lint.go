// Package lint finds what a valid expression probably does not mean, and for which
// methods of requests it is never true. It reads the checked tree and evaluates
// nothing.
package lint

import (
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"

	"github.com/agentauth-dev/agentauth/authz"
)

// Warning is what a valid expression probably does not mean.
type Warning struct {
	Lint authz.Lint
	// Message begins with line:column.
	Message string
}

// MethodName is the name of a method that an expression reads or compares.
type MethodName struct {
	Name string
	// At is line:column of the name.
	At string
}

// MaxWarnings bounds the warnings of an expression, and the names that it keeps.
const MaxWarnings = 8

// maxMessage bounds a warning, which may repeat parts of the expression.
const maxMessage = 300

// Findings are what is found in an expression.
type Findings struct {
	Warnings []Warning
	Names    []MethodName
	Methods  Methods
}

// None says whether nothing was found.
func (f *Findings) None() bool {
	return len(f.Warnings)+len(f.Names)+len(f.Methods.never)+len(f.Methods.named) == 0
}

// Of looks at the checked tree of an expression.
func Of(a *ast.AST) Findings {
	l := lint(a)
	return Findings{l.warnings, l.names, byMethod(a.Expr())}
}

// linter looks for what is probably not meant.
type linter struct {
	info     *ast.SourceInfo
	warnings []Warning
	names    []MethodName
	// listed are the variables of loops over the names of headers, and literals
	// what the variables of loops over literals stand for.
	listed   map[string]bool
	literals map[string][]ast.Expr
	// left is how much is still looked at.
	left int
}

func lint(a *ast.AST) *linter {
	l := &linter{info: a.SourceInfo(), listed: map[string]bool{}, literals: map[string][]ast.Expr{}, left: maxVisits}
	// The variables of all loops come first: a loop's range is visited after its
	// body. Two loops with one variable, of which only one is over headers, are
	// not told apart, so neither is warned of.
	count := map[string]int{}
	ast.PreOrderVisit(a.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() == ast.ComprehensionKind {
			c := e.AsComprehension()
			count[c.IterVar()]++
			switch over := plain(c.IterRange()); {
			case isField(over, "request", "headers"):
				l.listed[c.IterVar()] = true
			case over.Kind() == ast.ListKind:
				l.literals[c.IterVar()] = over.AsList().Elements()
			}
		}
	}))
	for name, n := range count {
		if n > 1 {
			delete(l.listed, name)
			delete(l.literals, name)
		}
	}
	ast.PreOrderVisit(a.Expr(), ast.NewExprVisitor(l.visit))
	return l
}

func (l *linter) visit(e ast.Expr) {
	switch e.Kind() {
	case ast.SelectKind:
		if s := e.AsSelect(); isVariable(s.Operand(), "identities") {
			l.name(e, s.FieldName())
		}
	case ast.CallKind:
		l.call(e, e.AsCall())
	default: // has no parts that are compared
	}
}

func (l *linter) call(e ast.Expr, call ast.CallExpr) {
	args := call.Args()
	switch name := call.FunctionName(); name {
	case operators.Equals, operators.NotEquals:
		l.compared(args[0], args[1])
		l.compared(args[1], args[0])
	case operators.In:
		l.in(args[0], args[1])
	case operators.Index, operators.OptIndex, operators.OptSelect:
		if isVariable(args[0], "identities") {
			l.named(args[1])
		}
	case overloads.StartsWith:
		if call.IsMemberFunction() && isPath(call.Target()) {
			l.prefix(args[0])
		}
	case overloads.Matches:
		if of, pattern := matched(call); isPath(of) {
			l.pattern(pattern)
		}
	case overloads.Contains:
		if call.IsMemberFunction() {
			l.substring(e, call.Target(), args[0])
		}
	}
}

func (l *linter) in(v, container ast.Expr) {
	switch container = plain(container); {
	case isVariable(container, "identities"):
		l.named(v)
	case container.Kind() == ast.ListKind:
		for _, e := range container.AsList().Elements() {
			l.compared(v, e)
		}
	}
}

// compared looks at a comparison of a value with a literal.
func (l *linter) compared(v, with ast.Expr) {
	if !l.pay(1) {
		return
	}
	v, with = plain(v), plain(with)
	if elements, ok := l.literals[identifier(with)]; ok {
		for _, e := range elements {
			if e.Kind() == ast.LiteralKind {
				l.compared(v, e)
			}
		}
		return
	}
	if with.Kind() == ast.CallKind && with.AsCall().FunctionName() == operators.Conditional {
		l.compared(v, with.AsCall().Args()[1])
		l.compared(v, with.AsCall().Args()[2])
		return
	}
	text, ok := literal(with)
	if !ok {
		return
	}
	lower, upper := authz.Lower(text), strings.ToUpper(text)
	switch {
	case isField(v, "identity", "method"):
		l.name(with, text)
	case isField(v, "request", "method") && text != upper:
		l.never(with, "methods are in upper case: write %q, not %q", upper, text)
	case isField(v, "request", "scheme") && text != lower:
		l.never(with, "schemes are in lower case: write %q, not %q", lower, text)
	case isField(v, "request", "host") && text != lower:
		l.never(with, "hosts are in lower case: write %q, not %q", lower, text)
	case isField(v, "request", "path") && !strings.HasPrefix(text, "/") && text != "*":
		l.never(with, "a path begins with '/': write %q, not %q", "/"+text, text)
	case l.listed[identifier(v)] && text != lower:
		l.never(with, "names of headers are in lower case where they are listed: write %q, not %q", lower, text)
	case isCall(v, "lowerAscii") && text != lower:
		l.never(with, "lowerAscii() yields lower case: write %q, not %q", lower, text)
	case isCall(v, "upperAscii") && text != upper && strings.ToLower(upper) == lower:
		l.never(with, "upperAscii() yields upper case: write %q, not %q", upper, text)
	}
}

// prefix looks at the text that a path is asked to start with.
func (l *linter) prefix(e ast.Expr) {
	if !l.pay(1) {
		return
	}
	e = plain(e)
	if elements, ok := l.literals[identifier(e)]; ok {
		for _, e := range elements {
			l.prefix(e)
		}
		return
	}
	text, ok := literal(e)
	switch {
	case ok && text != "" && !strings.HasPrefix(text, "/"):
		l.never(e, "a path begins with '/', not with %q", text)
	case ok && text != "" && !strings.HasSuffix(text, "/"):
		l.warn(e, authz.PrefixWithoutSlash, "%q is the beginning of %q too: write pathPrefix(request.path, %q), or end it in '/'", text, text+"2", text)
	case !ok && e.Kind() == ast.CallKind && e.AsCall().FunctionName() == operators.Conditional:
		l.prefix(e.AsCall().Args()[1])
		l.prefix(e.AsCall().Args()[2])
	case !ok && !endsInSlash(e):
		l.warn(e, authz.PrefixWithoutSlash, "the text does not end in '/', so that of \"a\" is the beginning of \"ab\" too: write pathPrefix(request.path, ...), or add \"/\" at its end")
	}
}

// endsInSlash says whether a text that is put together ends in a literal '/'.
func endsInSlash(e ast.Expr) bool {
	e = plain(e)
	if e.Kind() == ast.CallKind && e.AsCall().FunctionName() == operators.Add {
		return endsInSlash(e.AsCall().Args()[1])
	}
	text, ok := literal(e)
	return ok && strings.HasSuffix(text, "/")
}

// wordClaims are claims that hold words, beside those whose names end in "s".
var wordClaims = []string{"role", "group", "scope", "scp", "amr", "aud", "permission", "entitlement"}

// substring looks at contains() of a claim that holds words.
func (l *linter) substring(e, target, part ast.Expr) {
	text, ok := literal(part)
	claim := claimOf(target)
	if !ok || claim == "" || !strings.HasSuffix(claim, "s") && !slices.Contains(wordClaims, claim) {
		return
	}
	l.warn(e, authz.SubstringOfClaim, "contains() asks for a part of a text: %q contains %q too; write `%q in` the list of %s (split(\" \") makes one of a text of words)", "not-"+text, text, text, claim)
}

// claimOf is the name of the claim that an expression reads, "" where it reads
// none: the last name behind identity.claims or claims.
func claimOf(e ast.Expr) string {
	name := ""
	for e = plain(e); ; e = plain(e) {
		switch e.Kind() {
		case ast.IdentKind:
			if e.AsIdent() == "claims" {
				return name
			}
			return ""
		case ast.SelectKind:
			field := e.AsSelect().FieldName()
			if field == "claims" && isVariable(e.AsSelect().Operand(), "identity") {
				return name
			}
			if name == "" {
				name = field
			}
			e = e.AsSelect().Operand()
		case ast.CallKind:
			call := e.AsCall()
			switch call.FunctionName() {
			case operators.Index, operators.OptIndex, operators.OptSelect:
				if field, ok := literal(call.Args()[1]); ok && name == "" {
					name = field
				}
				e = call.Args()[0]
			case "orValue", "value", "or", "lowerAscii", "trim":
				if e = call.Target(); e == nil {
					return ""
				}
			case overloads.TypeConvertString:
				e = call.Args()[0]
			default:
				return ""
			}
		default:
			return ""
		}
	}
}

// pay counts what is looked at. It says no where that is enough for an expression.
func (l *linter) pay(n int) bool {
	if l.left >= 0 {
		l.left -= n
	}
	return l.left >= 0
}

func (l *linter) named(e ast.Expr) {
	if name, ok := literal(plain(e)); ok {
		l.name(e, name)
	}
}

func (l *linter) name(e ast.Expr, name string) {
	if len(l.names) < MaxWarnings {
		l.names = append(l.names, MethodName{Name: name, At: l.at(e)})
	}
}

func (l *linter) never(e ast.Expr, format string, args ...any) {
	l.warn(e, authz.NeverTrue, "it is never equal: "+format, args...)
}

func (l *linter) warn(e ast.Expr, lint authz.Lint, format string, args ...any) {
	if len(l.warnings) < MaxWarnings {
		l.warnings = append(l.warnings, Warning{lint, l.at(e) + ": " + authz.Cut(fmt.Sprintf(format, args...), maxMessage)})
	}
}

func (l *linter) at(e ast.Expr) string {
	at := l.info.GetStartLocation(e.ID())
	return fmt.Sprintf("%d:%d", max(at.Line(), 1), max(at.Column(), 0)+1)
}

// plain is an expression without dyn() around it.
func plain(e ast.Expr) ast.Expr {
	for e.Kind() == ast.CallKind && e.AsCall().FunctionName() == overloads.TypeConvertDyn {
		e = e.AsCall().Args()[0]
	}
	return e
}

func identifier(e ast.Expr) string {
	if e = plain(e); e.Kind() == ast.IdentKind {
		return e.AsIdent()
	}
	return ""
}

func isVariable(e ast.Expr, name string) bool { return identifier(e) == name }

func isField(e ast.Expr, variable, field string) bool {
	e = plain(e)
	return e.Kind() == ast.SelectKind && !e.AsSelect().IsTestOnly() && e.AsSelect().FieldName() == field && isVariable(e.AsSelect().Operand(), variable)
}

func isCall(e ast.Expr, member string) bool {
	return e.Kind() == ast.CallKind && e.AsCall().IsMemberFunction() && e.AsCall().FunctionName() == member
}

// isPath says whether an expression is the path of the request, in any case.
func isPath(e ast.Expr) bool {
	if isCall(e, "lowerAscii") || isCall(e, "upperAscii") {
		e = e.AsCall().Target()
	}
	return isField(e, "request", "path")
}

func literal(e ast.Expr) (string, bool) {
	s, ok := e.AsLiteral().(types.String)
	return string(s), ok
}
