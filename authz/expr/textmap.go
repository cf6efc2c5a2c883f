package expr

import (
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"unicode/utf8"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"
)

// texts are named texts of a request: its headers or its query parameters.
type texts interface {
	// lookup finds a text.
	lookup(name string) found
	// names are all names, in order.
	names() *names
	// fold is equal for names that are one.
	fold(name string) string
}

// found is what a name stands for.
type found struct {
	value   string
	present bool
	// err says why the value cannot be read. With unknown, whether there is any
	// cannot be said either.
	err     error
	unknown bool
}

// textMap makes texts a CEL map(string, string), without building a map.
type textMap[M texts] struct{ m M }

// FindStringKey is CEL's shortcut for a literal key. For a text that cannot be
// read it finds nothing; CEL then calls Find, which returns the error.
func (v textMap[M]) FindStringKey(name string) (any, bool) {
	f := v.m.lookup(name)
	if !f.present || f.err != nil {
		return nil, false
	}
	return types.String(f.value), true
}

// Find implements traits.Mapper.
func (v textMap[M]) Find(key ref.Val) (ref.Val, bool) {
	name, ok := key.(types.String)
	if !ok {
		return nil, false
	}
	f := v.m.lookup(string(name))
	switch {
	case f.err != nil:
		return types.WrapErr(f.err), false
	case !f.present:
		return nil, false
	}
	return types.String(f.value), true
}

func (v textMap[M]) Get(key ref.Val) ref.Val {
	if s, _ := v.Find(key); s != nil {
		return s
	}
	return types.WrapErr(failure("no such key"))
}

// Contains is true also for a text that exists and cannot be read.
func (v textMap[M]) Contains(key ref.Val) ref.Val {
	name, ok := key.(types.String)
	if !ok {
		return types.False
	}
	f := v.m.lookup(string(name))
	if f.unknown {
		return types.WrapErr(f.err)
	}
	return types.Bool(f.present)
}

// Iterator goes over the keys.
func (v textMap[M]) Iterator() traits.Iterator {
	return types.NewRefValList(adapter{}, v.keys()).Iterator()
}

func (v textMap[M]) Size() ref.Val { return types.Int(len(v.keys())) }

func (v textMap[M]) keys() []ref.Val {
	n := v.m.names()
	if n.err != nil {
		abort(n.err)
	}
	return n.keys
}

func (v textMap[M]) Equal(other ref.Val) ref.Val {
	m, ok := other.(traits.Mapper)
	if !ok || m.Size() != v.Size() {
		return types.False
	}
	for it := v.Iterator(); it.HasNext() == types.True; {
		readOrAbort(v.Get(it.Next())) // nothing is unequal to what cannot be read
	}
	seen := map[string]bool{}
	for it := m.Iterator(); it.HasNext() == types.True; {
		name, ok := readOrAbort(it.Next()).(types.String)
		if !ok || seen[v.m.fold(string(name))] || !v.equalAt(name, m) {
			return types.False
		}
		seen[v.m.fold(string(name))] = true
	}
	return types.True
}

// equalAt says whether the value under a name of the other map is that of this one.
func (v textMap[M]) equalAt(name types.String, other traits.Mapper) bool {
	f := v.m.lookup(string(name))
	if f.err != nil {
		abort(f.err)
	}
	theirs := readOrAbort(other.Get(name))
	return f.present && readOrAbort(types.Equal(types.String(f.value), theirs)) == types.True
}

func readOrAbort(v ref.Val) ref.Val {
	if err, ok := v.(*types.Err); ok {
		abort(err)
	}
	return v
}

// abort aborts the evaluation, as CEL does when the cost is over its limit. An
// error would be swallowed: loops that ignore their keys continue, and != treats
// an error as unequal.
func abort(err error) {
	var own failure
	if !errors.As(err, &own) {
		own = "a map cannot be compared"
	}
	panic(interpreter.EvalCancelledError{Message: own.Error()})
}

func (v textMap[M]) ConvertToNative(reflect.Type) (any, error) {
	return nil, failure("a map has no other form")
}

func (v textMap[M]) ConvertToType(t ref.Type) ref.Val {
	switch t {
	case types.TypeType:
		return types.MapType
	case types.MapType:
		return v
	}
	return types.WrapErr(failure("a map has no other form"))
}

func (v textMap[M]) Type() ref.Type { return types.MapType }
func (v textMap[M]) Value() any     { return v.m }

// names are the keys of a textMap in order, or the error of reading them.
type names struct {
	keys []ref.Val
	err  error
}

// sorted puts names in order, so that an expression always yields the same value.
func sorted(what string, all iter.Seq[string]) *names {
	var list []string
	for name := range all {
		if list = append(list, name); len(list) > MaxNames {
			return &names{err: failure(fmt.Sprintf("there are too many %s to read all in an expression: at most %d", what, MaxNames))}
		}
	}
	slices.Sort(list)
	out := &names{keys: make([]ref.Val, len(list))}
	for i, name := range list {
		if err := within("a name", len(name), MaxEntry); err != nil {
			out.keys[i] = types.WrapErr(err)
			continue
		}
		out.keys[i] = utf8Value(name, "a name is no UTF-8")
	}
	return out
}

func utf8Value(s, otherwise string) ref.Val {
	if !utf8.ValidString(s) {
		return types.WrapErr(failure(otherwise))
	}
	return types.String(s)
}
