package expr

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"
)

const (
	// MaxJSON is the largest JSON value, in bytes of its texts and 8 for each value.
	MaxJSON = 16 << 10
	// maxJSONDepth is how deep lists and maps may be within each other.
	maxJSONDepth = 16
	// maxExact is up to where all whole numbers are numbers of JSON, which are
	// floating-point numbers to most readers (RFC 8259 6).
	maxExact = 1 << 53
)

// JSON evaluates a value of metadata: nil, bool, float64, string, []any or
// map[string]any. A whole number that no float64 is exactly becomes its decimal
// text. Null, optional.none() and "" are not present.
func (p *Program) JSON(ctx context.Context, in *Input) (value any, present bool, err error) {
	if err := p.canRead(ctx, JSON, in); err != nil {
		return nil, false, err
	}
	v, err := p.evalInput(ctx, in)
	if err != nil {
		return nil, false, err
	}
	defer func() { // lists and maps are read here, and may abort
		switch cause := recover().(type) {
		case nil:
		case interpreter.EvalCancelledError:
			value, present, err = nil, false, p.full.Load().failed(ctx, cause)
		default:
			panic(cause)
		}
	}()
	if value, err = (&jsonWriter{left: MaxJSON}).write(unwrap(v), 0); err != nil {
		return nil, false, err
	}
	return value, value != nil && value != "", nil
}

// jsonWriter makes one value, within its bound.
type jsonWriter struct{ left int }

func (w *jsonWriter) spend(n int) error {
	if w.left -= 8 + n; w.left < 0 {
		return failure(fmt.Sprintf("the value has more than %d bytes: hand on less of it", MaxJSON))
	}
	return nil
}

func (w *jsonWriter) write(v ref.Val, depth int) (any, error) {
	if depth > maxJSONDepth {
		return nil, failure(fmt.Sprintf("the value has lists and maps within each other more than %d deep", maxJSONDepth))
	}
	if err := w.spend(0); err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case *types.Err:
		return nil, failed(v)
	case types.Null:
		return nil, nil
	case types.Bool:
		return bool(v), nil
	case types.Int:
		if v >= -maxExact && v <= maxExact {
			return float64(v), nil
		}
		return strconv.FormatInt(int64(v), 10), nil
	case types.Uint:
		if v <= maxExact {
			return float64(v), nil
		}
		return strconv.FormatUint(uint64(v), 10), nil
	case types.Double:
		if f := float64(v); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return f, nil
		}
		return nil, failure("the value has a number that JSON does not have")
	case types.String:
		return string(v), w.spend(len(v))
	case traits.Lister:
		return w.list(v, depth)
	case traits.Mapper:
		return w.object(v, depth)
	}
	return nil, failure("expected " + JSON.expected() + ", got " + v.Type().TypeName())
}

func (w *jsonWriter) list(v traits.Lister, depth int) (any, error) {
	out := []any{}
	for it := v.Iterator(); it.HasNext() == types.True; {
		entry, err := w.write(it.Next(), depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, entry)
	}
	return out, nil
}

func (w *jsonWriter) object(v traits.Mapper, depth int) (any, error) {
	out := map[string]any{}
	for it := v.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		name, ok := key.(types.String)
		if !ok {
			return nil, failure("the value has a map whose keys are no strings")
		}
		if err := w.spend(len(name)); err != nil {
			return nil, err
		}
		var err error
		if out[string(name)], err = w.write(v.Get(key), depth+1); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// failed is the error of a value that cannot be read, without anything of it.
func failed(err *types.Err) error {
	var own failure
	if errors.As(err, &own) {
		return own
	}
	return failure("a part of the value cannot be read")
}

// isJSON says whether values of a type may be JSON values.
func isJSON(t *cel.Type) bool {
	switch t.Kind() {
	case types.DynKind, types.AnyKind, types.NullTypeKind, types.BoolKind, types.IntKind, types.UintKind, types.DoubleKind, types.StringKind, types.TypeParamKind:
		return true
	case types.ListKind:
		return isJSON(t.Parameters()[0])
	case types.MapKind:
		key := t.Parameters()[0].Kind()
		return (key == types.StringKind || key == types.DynKind || key == types.TypeParamKind) && isJSON(t.Parameters()[1])
	default:
		return false
	}
}
