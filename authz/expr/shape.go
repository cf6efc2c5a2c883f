package expr

import (
	"fmt"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/decls"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
)

// shape is what the parsed tree tells of the type of a node.
type shape struct {
	// size is at least the number of nodes of the type: list(string) has two.
	size int
	// known says that the type has no part that is inferred later, as the
	// entries of [] have.
	known bool
	// optional says that the type is an optional, and not dyn.
	optional bool
}

// shaper bounds the types of an expression before the type check, which writes
// every type out: {i: i} has a type of twice the size of the type of i, and
// thirty of them within each other have one of a billion nodes.
type shaper struct {
	info      *ast.SourceInfo
	functions map[string]*decls.FunctionDecl
	scope     map[string]shape
	lastID    int64
	large     ast.Expr
	largest   int
}

// fields are at most a map(string, dyn).
var scalar, declared = shape{size: 1, known: true}, shape{size: 3, known: true}

// boundTypes refuses an expression with a large type. A loop over a list whose
// type is not known is changed into a loop over dyn: the size of the type of its
// variable would depend on everything that the loop compares it with.
func boundTypes(a *ast.AST, functions map[string]*decls.FunctionDecl) error {
	s := &shaper{info: a.SourceInfo(), functions: functions, scope: map[string]shape{}, lastID: ast.MaxID(a)}
	s.of(a.Expr())
	if s.large == nil {
		return nil
	}
	at := a.SourceInfo().GetStartLocation(s.large.ID())
	return errorAt(at.Line(), at.Column(), fmt.Sprintf("expected types of at most %d parts, got %d: list(list(string)) has three; make fewer lists and maps of lists and maps", maxTypeSize, s.largest))
}

func (s *shaper) of(e ast.Expr) shape {
	out := s.inspect(e)
	if out.size > maxTypeSize {
		if s.large == nil {
			s.large, s.largest = e, out.size
		}
		out.size = 1 // one error is enough
	}
	return out
}

func (s *shaper) inspect(e ast.Expr) shape {
	switch e.Kind() {
	case ast.IdentKind:
		if v, ok := s.scope[e.AsIdent()]; ok {
			return v
		}
		return declared
	case ast.SelectKind:
		out := s.of(e.AsSelect().Operand())
		if e.AsSelect().IsTestOnly() {
			return scalar
		}
		return shape{max(out.size, declared.size), out.known, out.optional}
	case ast.ListKind:
		return one(s.all(e.AsList().Elements()), e.AsList().Size() > 0)
	case ast.MapKind:
		return s.mapping(e.AsMap().Entries())
	case ast.CallKind:
		return s.call(e.AsCall())
	case ast.ComprehensionKind:
		return s.loop(e.AsComprehension())
	case ast.StructKind:
		for _, f := range e.AsStruct().Fields() {
			s.of(f.AsStructField().Value())
		}
	default: // a literal
	}
	return scalar
}

func (s *shaper) all(nodes []ast.Expr) []shape {
	out := make([]shape, len(nodes))
	for i, n := range nodes {
		out[i] = s.of(n)
	}
	return out
}

// one is a type made of one of the types of its parts: they are the same type,
// or dyn takes their place.
func one(parts []shape, known bool) shape {
	largest, sum := 0, 0
	for _, p := range parts {
		largest, sum = max(largest, p.size), sum+p.size
		known = known && p.known
	}
	if !known { // what is inferred later may be put together of all
		return shape{size: 1 + sum}
	}
	return shape{size: 1 + largest, known: true}
}

func (s *shaper) mapping(entries []ast.EntryExpr) shape {
	keys, values := make([]shape, len(entries)), make([]shape, len(entries))
	for i, e := range entries {
		keys[i], values[i] = s.of(e.AsMapEntry().Key()), s.of(e.AsMapEntry().Value())
	}
	k, v := one(keys, len(keys) > 0), one(values, len(values) > 0)
	return shape{size: k.size + v.size - 1, known: k.known && v.known}
}

// binding are the functions whose result is known if their arguments are. Of the
// others dyn can be an argument that says nothing of their result.
var binding = map[string]bool{
	operators.Index: true, operators.OptIndex: true, operators.OptSelect: true, operators.Conditional: true, operators.Add: true,
	"orValue": true, "optional.of": true, "optional.ofNonZeroValue": true,
}

func (s *shaper) call(c ast.CallExpr) shape {
	name, args := c.FunctionName(), c.Args()
	if c.IsMemberFunction() {
		if full := qualified(c); s.functions[full] != nil {
			name = full
		} else {
			args = append([]ast.Expr{c.Target()}, args...)
		}
	}
	parts := s.all(args)
	f := s.functions[name]
	if f != nil && !infers(f) {
		return declared
	}
	ofOptional := len(parts) > 0 && parts[0].optional
	out := one(parts, f != nil && (binding[name] || name == "value" && ofOptional))
	if out.known && !optionals[name] { // the result is an argument, or a part of one
		out.size--
	}
	out.optional = optionals[name] || name == operators.Index && ofOptional
	return out
}

// qualified is the name of a function that the parser takes for a method:
// optional.of(x) and sets.contains(a, b).
func qualified(c ast.CallExpr) string {
	if c.Target().Kind() != ast.IdentKind {
		return ""
	}
	return c.Target().AsIdent() + "." + c.FunctionName()
}

// optionals are the functions whose result is an optional.
var optionals = map[string]bool{
	operators.OptIndex: true, operators.OptSelect: true,
	"optional.of": true, "optional.ofNonZeroValue": true, "optional.none": true,
}

// infers reports whether the type of a function's result depends on the types of
// its arguments.
func infers(f *decls.FunctionDecl) bool {
	for _, o := range f.OverloadDecls() {
		if hasParameter(o.ResultType()) {
			return true
		}
	}
	return false
}

func hasParameter(t *types.Type) bool {
	if t.Kind() == types.TypeParamKind {
		return true
	}
	for _, p := range t.Parameters() {
		if hasParameter(p) {
			return true
		}
	}
	return false
}

// unusedVariable is the variable of the loop that optMap() is.
const unusedVariable = "#unused"

func (s *shaper) loop(c ast.ComprehensionExpr) shape {
	entry, accumulator := s.of(c.IterRange()), s.of(c.AccuInit())
	isLoop := c.IterVar() != unusedVariable
	if isLoop {
		entry = s.fixed(c.IterRange(), entry)
		entry.size = max(1, entry.size-1)
		// The type of the empty list that map() and filter() begin with is that
		// of what they add to it.
		accumulator.known = true
	} else {
		accumulator = s.fixed(c.AccuInit(), accumulator)
	}
	defer s.bind(c.IterVar(), entry)()
	defer s.bind(c.AccuVar(), accumulator)()
	s.of(c.LoopCondition())
	if step := s.of(c.LoopStep()); isLoop {
		s.scope[c.AccuVar()] = step
	}
	return s.of(c.Result())
}

// fixed is the shape of a node that a variable stands for: of type dyn if its
// type is not known.
func (s *shaper) fixed(e ast.Expr, is shape) shape {
	if is.known {
		return is
	}
	inner := ast.NewExprFactory().CopyExpr(e)
	inner.RenumberIDs(func(id int64) int64 {
		if id != e.ID() {
			return id
		}
		s.lastID++
		if at, ok := s.info.GetOffsetRange(id); ok {
			s.info.SetOffsetRange(s.lastID, at)
		}
		return s.lastID
	})
	e.SetKindCase(ast.NewExprFactory().NewCall(e.ID(), overloads.TypeConvertDyn, inner))
	return scalar
}

// bind gives a variable its shape until the function that bind returns is called.
func (s *shaper) bind(name string, v shape) (end func()) {
	before, was := s.scope[name]
	s.scope[name] = v
	return func() {
		delete(s.scope, name)
		if was {
			s.scope[name] = before
		}
	}
}
