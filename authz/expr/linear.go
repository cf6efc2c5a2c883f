package expr

import (
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
)

// linear are the functions that take no longer than their arguments are long
// and whose result is no longer than these. An expression of nothing else, and
// without loops, evaluates each of its few hundred calls once, so that its cost
// need not be counted: counting takes longer than most expressions do.
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
