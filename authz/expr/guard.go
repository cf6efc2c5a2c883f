package expr

import (
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"
)

// guards are the functions that can take longer, or make more, than what was
// paid for their arguments: the parts of a list may be one value many times, so
// that a list of a million entries costs as much to make as one of twenty. CEL
// counts the cost of a call after it; a guard does so before.
var guards = map[string]func(values ...ref.Val) ref.Val{
	operators.Equals:    func(v ...ref.Val) ref.Val { return equal(v[0], v[1]) },
	operators.NotEquals: func(v ...ref.Val) ref.Val { return types.Bool(equal(v[0], v[1]) != types.True) },
	operators.In:        func(v ...ref.Val) ref.Val { return member(v[0], v[1]) },
	operators.Add:       func(v ...ref.Val) ref.Val { return sum(v[0], v[1]) },
	"join":              join,
	"indexOf":           indexOf,
	"lastIndexOf":       lastIndexOf,
}

// guardOption puts the guards in. Whatever is a text afterwards is bounded.
func guardOption() cel.ProgramOption {
	return cel.CustomDecoratorV2(func(i interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
		call, ok := i.(interpreter.InterpretableCall)
		if !ok {
			return i, nil
		}
		if guard := guards[call.Function()]; guard != nil {
			return interpreter.NewCall(call.ID(), call.Function(), call.OverloadID(), call.Args(), guard), nil
		}
		if call.Function() == "replace" || call.Function() == "split" {
			return bounded{call}, nil
		}
		return i, nil
	})
}

// affordable aborts the evaluation if one call costs more than a whole
// evaluation may.
func affordable(cost uint64) {
	if cost > MaxCost {
		abort(errTooCostly)
	}
}

func equal(a, b ref.Val) ref.Val {
	affordable(comparisonCost(a, b))
	return types.Equal(a, b)
}

func member(v, in ref.Val) ref.Val {
	container, ok := in.(traits.Container)
	if !ok {
		return types.MaybeNoSuchOverloadErr(in)
	}
	affordable(membershipCost(v, in))
	return container.Contains(v)
}

func sum(a, b ref.Val) ref.Val {
	adder, ok := a.(traits.Adder)
	if !ok {
		return types.MaybeNoSuchOverloadErr(a)
	}
	if isText(a) {
		boundText(lengthOf(a) + lengthOf(b))
	}
	return adder.Add(b)
}

// join is CEL's join() of a list whose entries are bounded in sum.
func join(values ...ref.Val) ref.Val {
	list, ok := values[0].(traits.Lister)
	if !ok {
		return types.MaybeNoSuchOverloadErr(values[0])
	}
	var separator types.String
	if len(values) == 2 {
		if separator, ok = values[1].(types.String); !ok {
			return types.MaybeNoSuchOverloadErr(values[1])
		}
	}
	var out strings.Builder
	for it := list.Iterator(); it.HasNext() == types.True; {
		entry := it.Next()
		text, ok := entry.(types.String)
		if !ok {
			return types.MaybeNoSuchOverloadErr(entry)
		}
		if out.Len() > 0 {
			out.WriteString(string(separator))
		}
		boundText(uint64(out.Len() + len(text)))
		out.WriteString(string(text))
	}
	return types.String(out.String())
}

// boundText aborts the evaluation if it would make a long text.
func boundText(length uint64) {
	if length > maxText {
		abort(failure(fmt.Sprintf("the expression makes a text of %d bytes, at most %d: put less together", length, maxText)))
	}
}

// bounded is a call that yields a text, or a list of parts of a text.
type bounded struct{ interpreter.InterpretableCall }

// Exec implements interpreter.InterpretableV2.
func (c bounded) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	v := c.InterpretableCall.Exec(frame)
	n := lengthOf(v)
	if _, isList := v.(traits.Lister); !isList {
		boundText(n)
	} else if n > maxEntries {
		abort(failure(fmt.Sprintf("%s() makes a list of %d entries, at most %d: split a shorter text", c.Function(), n, maxEntries)))
	}
	return v
}
