package expr

import (
	"fmt"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
)

// inspection is what the compiler and the evaluation know of an expression.
type inspection struct {
	info  *ast.SourceInfo
	types func(id int64) *types.Type
	// loops says that the expression has a loop: its evaluation must be
	// interruptible.
	loops bool
	// nested says that a loop has a loop in it.
	nested bool
	// countCost says that evaluations count their cost; see linearFunctions.
	countCost bool
	// mcp says that the expression reads the call of a server of MCP.
	mcp bool
	// names are the field names and literals. Error messages may repeat them.
	names map[string]bool
	// selects is the number of fields that the expression reads.
	selects int
	// regexes are the regular expressions by pattern, instructions is the sum of
	// their sizes and classes that of their wideClasses.
	regexes               map[string]regex
	instructions, classes int
	// lists are the nodes that are used as lists, also if their type is dyn.
	lists map[int64]bool
	err   error
}

// inspect applies the rules that the type check does not have.
func inspect(a *ast.AST) *inspection {
	i := &inspection{info: a.SourceInfo(), types: a.GetType, names: map[string]bool{}, lists: map[int64]bool{}}
	ast.PostOrderVisit(a.Expr(), ast.NewExprVisitor(i.visit))
	return i
}

func (i *inspection) visit(e ast.Expr) {
	switch e.Kind() {
	case ast.StructKind:
		i.refuse(e, "an object cannot be made")
	case ast.ComprehensionKind:
		i.loops, i.countCost = true, true
		i.nested = i.nested || hasLoop(e.AsComprehension().LoopStep())
		i.isList(e.AsComprehension().IterRange())
	case ast.IdentKind:
		i.mcp = i.mcp || e.AsIdent() == mcpName
	case ast.SelectKind:
		i.selects++
		i.names[e.AsSelect().FieldName()] = true
	case ast.LiteralKind:
		if s, ok := literal(e); ok {
			i.names[s] = true
		}
	case ast.CallKind:
		i.call(e, e.AsCall())
	default: // other nodes only have parts, which are visited too
	}
}

func hasLoop(e ast.Expr) bool {
	return len(ast.MatchDescendants(ast.NavigateExpr(nil, e), ast.KindMatcher(ast.ComprehensionKind))) > 0
}

func (i *inspection) call(e ast.Expr, call ast.CallExpr) {
	args := call.Args()
	name := call.FunctionName()
	i.countCost = i.countCost || !linearFunctions[name]
	switch name {
	case operators.Equals, operators.NotEquals:
		i.countCost = i.countCost || i.mayContain(args[0]) && i.mayContain(args[1])
	case operators.In:
		i.countCost = i.countCost || i.mayContain(args[0])
		i.isList(args[1])
	case "sets.contains", "sets.equivalent", "sets.intersects":
		i.isList(args[0])
		i.isList(args[1])
	case "matches":
		i.checkRegex(args[len(args)-1])
	case "replace":
		if old, ok := literal(args[0]); !ok || old == "" {
			i.refuse(args[0], "replace() expects a literal of at least one character to be replaced")
		}
		i.checkInserted(args[1], name)
	case "join":
		i.isList(call.Target())
		if len(args) == 1 {
			i.checkInserted(args[0], name)
		}
	case "pathPrefix":
		if prefix, ok := literal(args[1]); ok && !strings.HasPrefix(prefix, "/") {
			i.refuse(args[1], fmt.Sprintf("pathPrefix() expects a prefix that starts with '/', got %q", prefix))
		}
	case "format", "reverse", "strings.quote":
		i.refuse(e, name+"() is not available")
	}
	if strings.HasPrefix(name, "get") && call.IsMemberFunction() && len(args) == 1 {
		if _, ok := literal(args[0]); !ok {
			i.refuse(args[0], name+"() expects its time zone as a literal")
		}
	}
}

// isList notes that a node is used as a list or map, and so are the nodes that it
// may be the value of.
func (i *inspection) isList(e ast.Expr) {
	i.lists[e.ID()] = true
	if e.Kind() != ast.CallKind {
		return
	}
	switch call := e.AsCall(); call.FunctionName() {
	case "orValue", "or":
		i.isList(call.Target())
		i.isList(call.Args()[0])
	case "value":
		i.isList(call.Target())
	case operators.Conditional:
		i.isList(call.Args()[1])
		i.isList(call.Args()[2])
	case overloads.TypeConvertDyn:
		i.isList(call.Args()[0])
	}
}

// mayContain reports whether the value can be a list, a map or an optional.
// Comparing those costs as much as their contents; see weight.
func (i *inspection) mayContain(e ast.Expr) bool {
	switch i.types(e.ID()).Kind() {
	case types.ListKind, types.MapKind, types.DynKind, types.AnyKind, types.OpaqueKind, types.TypeParamKind:
		return true
	default:
		return false
	}
}

// checkInserted bounds a text that a function puts in.
func (i *inspection) checkInserted(e ast.Expr, function string) {
	if s, ok := literal(e); !ok || len(s) > maxInserted {
		i.refuse(e, fmt.Sprintf("%s() expects a literal of at most %d bytes to put in", function, maxInserted))
	}
}

func (i *inspection) refuse(e ast.Expr, message string) {
	if i.err == nil {
		i.err = i.at(e.ID(), message)
	}
}

// at makes an error with line and column of a node.
func (i *inspection) at(id int64, message string) error {
	l := i.info.GetStartLocation(id)
	return errorAt(l.Line(), l.Column(), message)
}

func literal(e ast.Expr) (string, bool) {
	if e.Kind() != ast.LiteralKind {
		return "", false
	}
	s, ok := e.AsLiteral().(types.String)
	return string(s), ok
}

// linearFunctions have a time and a result that are at most linear in their
// arguments. An expression of such functions alone, without loops, evaluates
// each of its few hundred calls once. Its cost is not counted: counting takes
// longer than most expressions do.
var linearFunctions = map[string]bool{
	operators.LogicalAnd: true, operators.LogicalOr: true, operators.LogicalNot: true, operators.Conditional: true,
	operators.Equals: true, operators.NotEquals: true, operators.In: true,
	operators.Less: true, operators.LessEquals: true, operators.Greater: true, operators.GreaterEquals: true,
	operators.Index: true, operators.OptIndex: true, operators.OptSelect: true,
	"or": true, "orValue": true, "hasValue": true, "value": true,
	"optional.of": true, "optional.none": true, "optional.ofNonZeroValue": true,
	overloads.StartsWith: true, overloads.EndsWith: true, overloads.Contains: true, overloads.Size: true,
	overloads.TypeConvertString: true, overloads.TypeConvertInt: true, overloads.TypeConvertBool: true,
	overloads.TypeConvertTimestamp: true, overloads.TypeConvertDuration: true,
	"pathPrefix": true,
}
