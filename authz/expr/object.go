package expr

import (
	"maps"
	"reflect"
	"slices"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// fields are the fields of an object by name. A field reads the Go value in
// place, when an expression reads the field.
type fields map[string]*types.FieldType

// field makes a field of T.
func field[T any](path string, t *types.Type, isSet func(*T) bool, get func(*T) (any, error)) *types.FieldType {
	return &types.FieldType{
		Type: t,
		IsSet: func(target any) bool {
			o, ok := target.(*T)
			if lacks(target, path) {
				abort(unrecorded(path))
			}
			return ok && o != nil && isSet(o)
		},
		GetFrom: func(target any) (any, error) {
			o, ok := target.(*T)
			if !ok || o == nil {
				return nil, failure(path + " is read of nothing")
			}
			if lacks(target, path) {
				return nil, unrecorded(path)
			}
			return get(o)
		},
	}
}

// text is a field that may be empty, of at most limit bytes.
func text[T any](path string, limit int, get func(*T) (string, *cache)) *types.FieldType {
	return field(path, types.StringType,
		func(o *T) bool { s, _ := get(o); return s != "" },
		func(o *T) (any, error) {
			s, cache := get(o)
			if err := within(path, len(s), limit); err != nil {
				return nil, err
			}
			if !cache.isUTF8(s) {
				return nil, failure(path + " is no UTF-8")
			}
			return types.String(s), nil
		})
}

// optional is a field that is an error to read if it is not set.
func optional[T any](path string, t *types.Type, isSet func(*T) bool, get func(*T) any) *types.FieldType {
	return field(path, t, isSet, func(o *T) (any, error) {
		if !isSet(o) {
			return nil, notSet(path)
		}
		return get(o), nil
	})
}

func notSet(path string) error {
	return failure(path + " is not set: ask has(" + path + ") first")
}

// object makes a Go value a CEL value. CEL needs one in comparisons, in lists and
// in dyn().
type object struct {
	native any
	kind   *types.Type
	fields fields
	equal  func(other any) bool
}

var (
	_ traits.Indexer     = (*object)(nil)
	_ traits.FieldTester = (*object)(nil)
)

func (o *object) ConvertToNative(reflect.Type) (any, error) {
	return nil, failure("an object has no other form")
}

func (o *object) ConvertToType(t ref.Type) ref.Val {
	if t == types.TypeType {
		return o.kind
	}
	return types.WrapErr(failure("an object has no other form"))
}

func (o *object) Equal(other ref.Val) ref.Val {
	p, ok := other.(*object)
	return types.Bool(ok && o.equal(p.native))
}

func (o *object) Type() ref.Type { return o.kind }
func (o *object) Value() any     { return o.native }

// Get implements traits.Indexer.
func (o *object) Get(name ref.Val) ref.Val {
	f, err := o.field(name)
	if err != nil {
		return types.WrapErr(err)
	}
	v, err := f.GetFrom(o.native)
	if err != nil {
		return types.WrapErr(err)
	}
	return adapter{}.NativeToValue(v)
}

// IsSet implements traits.FieldTester.
func (o *object) IsSet(name ref.Val) ref.Val {
	f, err := o.field(name)
	if err != nil {
		return types.WrapErr(err)
	}
	return types.Bool(f.IsSet(o.native))
}

func (o *object) field(name ref.Val) (*types.FieldType, error) {
	s, _ := name.(types.String)
	if f := o.fields[string(s)]; f != nil {
		return f, nil
	}
	return nil, failure("no such field")
}

// provider adds our object types to CEL's.
type provider struct{ *types.Registry }

// objects are the fields of our object types, by the name of the type.
var objects = map[string]fields{
	requestType.TypeName():  requestFields,
	sourceType.TypeName():   sourceFields,
	identityType.TypeName(): identityFields,
	actorType.TypeName():    actorFields,
	mcpType.TypeName():      mcpFields,
}

func (p provider) FindStructType(name string) (*types.Type, bool) {
	if _, ok := objects[name]; ok {
		return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
	}
	return p.Registry.FindStructType(name)
}

func (p provider) FindStructFieldNames(name string) ([]string, bool) {
	if f, ok := objects[name]; ok {
		return slices.Sorted(maps.Keys(f)), true
	}
	return p.Registry.FindStructFieldNames(name)
}

func (p provider) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	if f, ok := objects[name]; ok {
		t, ok := f[field]
		return t, ok
	}
	return p.Registry.FindStructFieldType(name, field)
}

// adapter turns Go values into CEL values.
type adapter struct{}

func (adapter) NativeToValue(v any) ref.Val {
	switch v := v.(type) {
	case string:
		if err := within("a text", len(v), MaxClaim); err != nil {
			return types.WrapErr(err)
		}
		return types.String(v)
	case map[string]any:
		if err := fewEntries("an object", len(v)); err != nil {
			return types.WrapErr(err)
		}
		return types.NewStringInterfaceMap(adapter{}, v)
	case map[string]string:
		return types.NewStringStringMap(adapter{}, v)
	case []any:
		if err := fewEntries("a list", len(v)); err != nil {
			return types.WrapErr(err)
		}
		return types.NewDynamicList(listEntry{}, v)
	case *request:
		return &object{v, requestType, requestFields, func(other any) bool { r, ok := other.(*request); return ok && r.Request == v.Request }}
	case *source:
		return &object{v, sourceType, sourceFields, func(other any) bool { s, ok := other.(*source); return ok && s.Request.Source == v.Request.Source }}
	case *identity:
		return &object{v, identityType, identityFields, func(other any) bool { i, ok := other.(*identity); return ok && i.Identity == v.Identity }}
	case *call:
		return &object{v, mcpType, mcpFields, func(other any) bool { c, ok := other.(*call); return ok && c.MCP == v.MCP }}
	case *actor:
		return &object{v, actorType, actorFields, func(other any) bool {
			a, ok := other.(*actor)
			return ok && !a.Identity.Actor.Unreadable && *a.Identity.Actor == *v.Identity.Actor
		}}
	}
	return types.DefaultTypeAdapter.NativeToValue(v)
}

// listEntry is the adapter of the entries of a list in a loop.
type listEntry struct{}

func (listEntry) NativeToValue(v any) ref.Val {
	switch v := v.(type) {
	case string:
		if err := within("the entry of a list", len(v), MaxEntry); err != nil {
			return types.WrapErr(err)
		}
		return types.String(v)
	case map[string]any: // the texts in an entry are bounded as the entry is
		if err := fewEntries("the entry of a list", len(v)); err != nil {
			return types.WrapErr(err)
		}
		return types.NewStringInterfaceMap(listEntry{}, v)
	}
	return adapter{}.NativeToValue(v)
}
