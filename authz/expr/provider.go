package expr

import (
	"maps"
	"slices"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// provider tells CEL of our objects.
type provider struct{ *types.Registry }

// objects are the object types by name, as messages show them.
var objects = map[string]fields{
	requestType.TypeName():  requestFields,
	sourceType.TypeName():   sourceFields,
	identityType.TypeName(): identityFields,
	actorType.TypeName():    actorFields,
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

// adapter turns Go values into CEL's.
type adapter struct{}

func (adapter) NativeToValue(v any) ref.Val {
	switch v := v.(type) {
	case string:
		if err := within("a text", len(v), MaxClaim); err != nil {
			return types.WrapErr(err)
		}
		return types.String(v)
	case map[string]any:
		return types.NewStringInterfaceMap(adapter{}, v)
	case map[string]string:
		return types.NewStringStringMap(adapter{}, v)
	case []any:
		return types.NewDynamicList(listEntry{}, v)
	case *request:
		return &object{v, requestType, requestFields, func(other any) bool { r, ok := other.(*request); return ok && r.Request == v.Request }}
	case *source:
		return &object{v, sourceType, sourceFields, func(other any) bool { s, ok := other.(*source); return ok && s.Request.Source == v.Request.Source }}
	case *identity:
		return &object{v, identityType, identityFields, func(other any) bool { i, ok := other.(*identity); return ok && i.Identity == v.Identity }}
	case *actor:
		return &object{v, actorType, actorFields, func(other any) bool {
			a, ok := other.(*actor)
			return ok && *a.Identity.Actor == *v.Identity.Actor
		}}
	}
	return types.DefaultTypeAdapter.NativeToValue(v)
}

// entries is the adapter of the entries of a list, when these are looped over.
type listEntry struct{}

func (listEntry) NativeToValue(v any) ref.Val {
	s, ok := v.(string)
	if !ok {
		return adapter{}.NativeToValue(v)
	}
	if err := within("the entry of a list", len(s), MaxEntry); err != nil {
		return types.WrapErr(err)
	}
	return types.String(s)
}
