package expr

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/agentauth-dev/agentauth/authz"
)

// maxShown bounds a value that is shown, in bytes, and maxSource an expression.
const maxShown, maxSource = 100, 200

// Hidden says what is not shown of a request, because it is or may be a credential.
type Hidden struct {
	// Name is asked of each name in the headers ("headers"), in the query
	// ("query"), and of each key of what the proxy adds ("context", "metadata").
	Name func(in, name string) bool
	// Text is asked of each text.
	Text func(text string) bool
}

// Source is the expression for people, on one line and not very long.
func (p *Program) Source() string {
	if p == nil {
		return ""
	}
	return authz.Cut(strings.Join(strings.Fields(p.src), " "), maxSource)
}

// Shown are the values that an expression reads, for people who have the request
// in hand: `request.method is "PATCH"`, at most 8, each value of at most 100 bytes.
// A credential and a body are never among them.
func (p *Program) Shown(in *Input, hidden Hidden) (out []string) {
	if p == nil || in == nil || in.Request == nil {
		return nil
	}
	s := &shower{in: (*activation)(in), hidden: hidden}
	for _, r := range p.reads() {
		out = append(out, r.text+" "+s.state(&r))
	}
	return out
}

// reads are the first values that the expression reads. They are found anew each
// time: few people ask, and there may be a hundred thousand expressions.
func (p *Program) reads() []read {
	env, err := environment(p.kind)
	if err != nil {
		return nil
	}
	checked, err := check(p.kind, env, p.src)
	if err != nil {
		return nil
	}
	return readsOf(checked.NativeRep().Expr())
}

// shower writes the values of reads.
type shower struct {
	in     *activation
	hidden Hidden
}

const isHidden = "is not shown, since it may hold a credential"

func (s *shower) state(r *read) string {
	v, secret := s.value(r)
	err, failed := v.(*types.Err)
	switch {
	case failed && r.asks:
		return "cannot be known: " + why(err)
	case r.asks:
		return "is " + strconv.FormatBool(v != nil)
	case failed:
		return "cannot be read: " + why(err)
	case v == nil:
		return "is absent"
	case secret || s.holdsSecret(v):
		return isHidden
	}
	var b strings.Builder
	write(&b, v)
	return "is " + authz.Cut(b.String(), maxShown)
}

func why(err *types.Err) string {
	var own failure
	if errors.As(err, &own) {
		return string(own)
	}
	return "a part of it has another type"
}

// value follows a read; nil is that it is absent. secret says that a name on the
// way is one that may hold a credential.
func (s *shower) value(r *read) (v ref.Val, secret bool) {
	native, _ := s.in.ResolveName(r.root)
	v = adapter{}.NativeToValue(native)
	in := r.root
	for i, k := range r.keys {
		key := adapter{}.NativeToValue(k.literal)
		if k.read != nil {
			var ofKey bool
			key, ofKey = s.value(k.read)
			secret = secret || ofKey
		}
		name, isText := key.(types.String)
		if r.root == requestName && i == 0 {
			in = string(name)
		} else if isText && in != "identity" && in != "identities" {
			secret = secret || s.hidden.Name(in, string(name))
		}
		switch {
		case v == nil || key == nil:
			return nil, secret
		case types.IsError(v):
			return v, secret
		case types.IsError(key):
			return key, secret
		}
		v = part(v, key)
	}
	return v, secret || r.root == requestName && in == "body"
}

// part is the part of a value at a key; nil is that it is absent.
func part(v, key ref.Val) ref.Val {
	switch of := v.(type) {
	case *object:
		if name, ok := key.(types.String); !ok || of.IsSet(name) != types.True && of.fields[string(name)] != nil && types.IsError(of.Get(name)) {
			return nil
		}
		return of.Get(key)
	case traits.Mapper:
		found, ok := of.Find(key)
		if found == nil || !ok && !types.IsError(found) {
			return nil
		}
		return found
	case traits.Lister:
		n, ok := key.(types.Int)
		if size, _ := of.Size().(types.Int); !ok || n < 0 || n >= size {
			return nil
		}
		return of.Get(key)
	}
	return types.WrapErr(failure("what is before its last part is a " + v.Type().TypeName()))
}

// holdsSecret says whether a text, or one of a list, is hidden.
func (s *shower) holdsSecret(v ref.Val) bool {
	switch v := v.(type) {
	case types.String:
		return s.hidden.Text(string(v))
	case traits.Lister:
		for it := v.Iterator(); it.HasNext() == types.True; {
			if s.holdsSecret(it.Next()) {
				return true
			}
		}
	}
	return false
}

// write writes a value as an expression has it, and of a map the names only. It
// ends where the value is longer than what is shown.
func write(b *strings.Builder, v ref.Val) {
	switch v := v.(type) {
	case types.String:
		b.WriteString(strconv.Quote(authz.Cut(string(v), maxShown)))
	case types.Bool, types.Int, types.Uint, types.Double:
		fmt.Fprint(b, v.Value())
	case types.Null:
		b.WriteString("null")
	case types.Timestamp, types.Duration:
		text, _ := v.ConvertToType(types.StringType).(types.String)
		b.WriteString(string(text))
	case traits.Mapper:
		writeList(b, "{", namesOf(v), "}")
	case traits.Lister:
		writeList(b, "[", entriesOf(v), "]")
	default:
		b.WriteString("a " + v.Type().TypeName())
	}
}

func writeList(b *strings.Builder, open string, list []ref.Val, end string) {
	b.WriteString(open)
	for i, v := range list {
		if i > 0 {
			b.WriteString(", ")
		}
		if b.Len() > maxShown {
			break
		}
		write(b, v)
	}
	b.WriteString(end)
}

func entriesOf(list traits.Lister) (out []ref.Val) {
	for it := list.Iterator(); it.HasNext() == types.True && len(out) < maxShown; {
		out = append(out, it.Next())
	}
	return out
}

// namesOf are the keys of a map in order; none where they cannot be listed.
func namesOf(m traits.Mapper) (out []ref.Val) {
	if texts, ok := m.(interface{ list() *names }); ok {
		return texts.list().keys
	}
	for it := m.Iterator(); it.HasNext() == types.True; {
		out = append(out, it.Next())
	}
	slices.SortFunc(out, func(a, b ref.Val) int {
		return strings.Compare(fmt.Sprint(a.Value()), fmt.Sprint(b.Value()))
	})
	return out
}

// list lists the names of a map of texts.
func (v textMap[M]) list() *names { return v.m.names() }
