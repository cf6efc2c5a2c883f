package lint

import (
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
)

// HTTPMethods are the request methods that a warning may name.
func HTTPMethods() []string { return slices.Clone(httpMethods) }

var httpMethods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}

// Methods is what a condition is for the methods of requests.
type Methods struct {
	// never are the methods for which it is false whatever else comes.
	never []string
	// named are the methods that it names.
	named []string
}

// NeverFor says whether the condition is false for every request with the method.
// It says no where it does not know.
func (m Methods) NeverFor(method string) bool { return slices.Contains(m.never, method) }

// Named says whether the condition compares the method of the request with this
// one.
func (m Methods) Named(method string) bool { return slices.Contains(m.named, method) }

// maxVisits bounds the nodes that are looked at for all methods of a condition.
const maxVisits = 20_000

func byMethod(e ast.Expr) (m Methods) {
	reads := false
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(e ast.Expr) {
		reads = reads || isField(e, "request", "method")
		if s, ok := literal(e); ok {
			if s = strings.ToUpper(s); slices.Contains(httpMethods, s) && !slices.Contains(m.named, s) {
				m.named = append(m.named, s)
			}
		}
	}))
	if !reads {
		return Methods{}
	}
	w := &byOne{left: maxVisits, scope: map[string]any{}}
	for _, w.method = range httpMethods {
		if w.value(e) == false {
			m.never = append(m.never, w.method)
		}
	}
	return m
}

// byOne evaluates an expression of which only the method of the request is known.
// A value is a bool, a string or a list of values; nil is not known, or an error.
type byOne struct {
	method string
	left   int
	scope  map[string]any
}

func (w *byOne) value(e ast.Expr) any {
	if w.left--; w.left < 0 {
		return nil
	}
	switch e = plain(e); e.Kind() {
	case ast.LiteralKind:
		switch v := e.AsLiteral().Value().(type) {
		case bool, string:
			return v
		}
	case ast.IdentKind:
		return w.scope[e.AsIdent()]
	case ast.SelectKind:
		if isField(e, "request", "method") && w.scope["request"] == nil {
			return w.method
		}
	case ast.ListKind:
		out := []any{}
		for _, e := range e.AsList().Elements() {
			out = append(out, w.value(e))
		}
		return out
	case ast.CallKind:
		return w.call(e.AsCall())
	case ast.ComprehensionKind:
		return w.loop(e.AsComprehension())
	default:
	}
	return nil
}

func (w *byOne) call(call ast.CallExpr) any {
	args := call.Args()
	switch name := call.FunctionName(); name {
	case operators.LogicalAnd, operators.LogicalOr:
		decides := name == operators.LogicalOr
		a, b := w.value(args[0]), w.value(args[1])
		switch {
		case a == decides || b == decides:
			return decides
		case a == !decides && b == !decides:
			return !decides
		}
	case operators.LogicalNot:
		if v, ok := w.value(args[0]).(bool); ok {
			return !v
		}
	case operators.NotStrictlyFalse:
		return true
	case operators.Conditional:
		switch w.value(args[0]) {
		case true:
			return w.value(args[1])
		case false:
			return w.value(args[2])
		}
		if a, ok := w.value(args[1]).(bool); ok && w.value(args[2]) == a {
			return a
		}
	case operators.Equals, operators.NotEquals:
		a, ok1 := scalarOf(w.value(args[0]))
		b, ok2 := scalarOf(w.value(args[1]))
		if ok1 && ok2 {
			return (a == b) == (name == operators.Equals)
		}
	case operators.In:
		v, list := w.value(args[0]), w.value(args[1])
		if entries, ok := list.([]any); ok {
			w.left -= len(entries)
		}
		return isIn(v, list)
	default:
		if call.IsMemberFunction() {
			return w.member(call)
		}
	}
	return nil
}

func scalarOf(v any) (any, bool) {
	switch v.(type) {
	case bool, string:
		return v, true
	}
	return nil, false
}

// isIn says whether a value is in a list, nil if that is not known.
func isIn(v, in any) any {
	list, isList := in.([]any)
	v, ok := scalarOf(v)
	if !isList || !ok {
		return nil
	}
	var is any = false
	for _, entry := range list {
		switch entry, ok := scalarOf(entry); {
		case !ok:
			is = nil
		case entry == v:
			return true
		}
	}
	return is
}

func (w *byOne) member(call ast.CallExpr) any {
	target, ok := w.value(call.Target()).(string)
	if !ok {
		return nil
	}
	w.left -= len(target) / bytesOfVisit
	if len(call.Args()) == 0 {
		switch call.FunctionName() {
		case "lowerAscii":
			return strings.ToLower(target)
		case "upperAscii":
			return strings.ToUpper(target)
		}
		return nil
	}
	arg, ok := w.value(call.Args()[0]).(string)
	if !ok {
		return nil
	}
	switch call.FunctionName() {
	case overloads.StartsWith:
		return strings.HasPrefix(target, arg)
	case overloads.EndsWith:
		return strings.HasSuffix(target, arg)
	case overloads.Contains:
		return strings.Contains(target, arg)
	case overloads.Matches:
		return w.matches(target, arg)
	}
	return nil
}

// bytesOfVisit are the bytes of a text that take as long as a node.
const bytesOfVisit = 32

// matchVisits is what a match of a regular expression counts.
const matchVisits = 500

func (w *byOne) matches(target, pattern string) any {
	w.left -= matchVisits
	re, err := regexp.Compile(pattern)
	if err != nil || w.left < 0 || len(target) > len("OPTIONS") {
		return nil
	}
	return re.MatchString(target)
}

// loop evaluates a loop over a list whose entries are known.
func (w *byOne) loop(c ast.ComprehensionExpr) any {
	list, ok := w.value(c.IterRange()).([]any)
	if !ok || c.IterVar2() != "" {
		return nil
	}
	defer w.bind(c.IterVar(), w.scope[c.IterVar()])
	defer w.bind(c.AccuVar(), w.scope[c.AccuVar()])
	w.bind(c.AccuVar(), w.value(c.AccuInit()))
	for _, entry := range list {
		if w.left < 0 {
			return nil
		}
		w.bind(c.IterVar(), entry)
		w.bind(c.AccuVar(), w.value(c.LoopStep()))
	}
	return w.value(c.Result())
}

func (w *byOne) bind(name string, v any) { w.scope[name] = v }
