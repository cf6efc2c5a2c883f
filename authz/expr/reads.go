package expr

import (
	"slices"
	"strconv"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
)

// read is a value that an expression reads: the way from a variable to it.
type read struct {
	// text is the read as the expression has it.
	text string
	// root is the variable, and keys lead from it to the value.
	root string
	keys []readKey
	// asks says that the expression asks whether the value is there.
	asks bool
}

// readKey is one field, key or index on the way to a value.
type readKey struct {
	// literal is a text or a whole number; nil where read is the key.
	literal any
	read    *read
}

// maxReads bounds what is shown of an expression.
const maxReads = 8

// roots are the variables whose parts are shown.
var roots = []string{requestName, "identity", "identities", "context", "metadata", mcpName}

// readsOf are the first values that an expression reads, each once.
func readsOf(e ast.Expr) []read {
	r := &reader{}
	r.visit(e)
	return r.reads
}

// reader walks an expression. bound are the variables of the loops around the
// node that it looks at.
type reader struct {
	reads []read
	bound []string
}

func (r *reader) visit(e ast.Expr) {
	if len(r.reads) == maxReads {
		return
	}
	if found, ok := r.path(e); ok {
		r.add(found)
		return
	}
	switch e.Kind() {
	case ast.SelectKind:
		r.visit(e.AsSelect().Operand())
	case ast.ListKind:
		r.all(e.AsList().Elements())
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			r.all([]ast.Expr{entry.AsMapEntry().Key(), entry.AsMapEntry().Value()})
		}
	case ast.CallKind:
		r.call(e.AsCall())
	case ast.ComprehensionKind:
		r.loop(e.AsComprehension())
	default: // reads nothing
	}
}

func (r *reader) all(nodes []ast.Expr) {
	for _, n := range nodes {
		r.visit(n)
	}
}

func (r *reader) call(call ast.CallExpr) {
	args := call.Args()
	if call.FunctionName() == operators.In {
		if asked, ok := r.entry(args[0], args[1]); ok {
			r.add(asked)
			return
		}
	}
	if call.IsMemberFunction() {
		r.visit(call.Target())
	}
	r.all(args)
}

// entry is the question whether a map has a key. Of other containers the values
// are shown.
func (r *reader) entry(key, container ast.Expr) (read, bool) {
	of, ok := r.path(container)
	name, isLiteral := literal(key)
	if !ok || !isLiteral || !of.isMap() {
		return read{}, false
	}
	text := strconv.Quote(name) + " in " + of.text
	return read{text: text, root: of.root, keys: append(slices.Clip(of.keys), readKey{literal: name}), asks: true}, true
}

// isMap says whether the value is a map for sure.
func (r *read) isMap() bool {
	switch len(r.keys) {
	case 0:
		return !r.isObject()
	case 1:
		name := r.keys[0].literal
		return r.root == requestName && (name == "headers" || name == "query") || r.root == "identity" && name == "claims" || r.root == mcpName && name == "arguments"
	}
	return false
}

// isObject says whether the variable is an object of ours, not a map.
func (r *read) isObject() bool {
	return r.root == requestName || r.root == "identity" || r.root == mcpName
}

func (r *reader) loop(c ast.ComprehensionExpr) {
	r.visit(c.IterRange())
	r.visit(c.AccuInit())
	outside := r.bound
	r.bound = append(slices.Clip(outside), c.IterVar(), c.IterVar2(), c.AccuVar())
	r.all([]ast.Expr{c.LoopCondition(), c.LoopStep()})
	r.visit(c.Result())
	r.bound = outside
}

func (r *reader) add(found read) {
	same := func(other read) bool { return other.text == found.text }
	whole := len(found.keys) == 0 && found.isObject()
	if len(r.reads) < maxReads && !whole && !slices.ContainsFunc(r.reads, same) {
		r.reads = append(r.reads, found)
	}
	for _, k := range found.keys {
		if k.read != nil {
			r.add(*k.read)
		}
	}
}

// path is the read that a node is; ok is false for a node of another kind.
func (r *reader) path(e ast.Expr) (_ read, ok bool) {
	switch e.Kind() {
	case ast.IdentKind:
		name := e.AsIdent()
		return read{text: name, root: name}, slices.Contains(roots, name) && !slices.Contains(r.bound, name)
	case ast.SelectKind:
		s := e.AsSelect()
		of, ok := r.path(s.Operand())
		if of = of.at(readKey{literal: s.FieldName()}, "."+s.FieldName()); s.IsTestOnly() {
			of.text, of.asks = "has("+of.text+")", true
		}
		return of, ok
	case ast.CallKind:
		return r.indexed(e.AsCall())
	default:
		return read{}, false
	}
}

func (r *reader) indexed(call ast.CallExpr) (read, bool) {
	args := call.Args()
	switch call.FunctionName() {
	case overloads.TypeConvertDyn:
		return r.path(args[0])
	case operators.Index, operators.OptIndex, operators.OptSelect:
	default:
		return read{}, false
	}
	of, ok := r.path(args[0])
	if !ok || of.asks {
		return read{}, false
	}
	if name, isText := literal(args[1]); isText && call.FunctionName() == operators.OptSelect {
		return of.at(readKey{literal: name}, "."+name), true
	} else if isText {
		return of.at(readKey{literal: name}, "["+strconv.Quote(name)+"]"), true
	}
	if args[1].Kind() == ast.LiteralKind {
		n, isNumber := args[1].AsLiteral().(types.Int)
		return of.at(readKey{literal: int64(n)}, "["+strconv.FormatInt(int64(n), 10)+"]"), isNumber
	}
	key, ok := r.path(args[1])
	return of.at(readKey{read: &key}, "["+key.text+"]"), ok && !key.asks
}

// at is the read of a part of a value.
func (r read) at(key readKey, text string) read {
	r.keys, r.text = append(slices.Clip(r.keys), key), r.text+text
	return r
}
