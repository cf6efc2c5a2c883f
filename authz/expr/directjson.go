package expr

import (
	"cel.dev/cel-go/common/ast"
)

// jsonOf evaluates a node that is a value of JSON, and counts its size as a
// jsonWriter does.
type jsonOf func(in *Input) (v any, size int, s state)

func (p *planner) json(e ast.Expr) jsonOf {
	if at, ok := p.selection(e); ok && at.isOptional() {
		return jsonClaim(p.claim(e))
	}
	return p.jsonPart(e)
}

// jsonPart plans a node that is not optional: a part of a value is none.
func (p *planner) jsonPart(e ast.Expr) jsonOf {
	if at, ok := p.selection(e); ok && at.isOptional() {
		return nil
	}
	if e.Kind() == ast.MapKind {
		return p.jsonObject(e.AsMap())
	}
	if claim := p.claim(e); claim != nil {
		return jsonClaim(claim)
	}
	if text := p.text(e); text != nil {
		return func(in *Input) (any, int, state) {
			s, is := text(in, "")
			if is != present {
				return nil, 0, undecided
			}
			return s, 8 + len(s), present
		}
	}
	if list := p.list(e); list != nil {
		return jsonList(list)
	}
	if c := p.condition(e); c != nil {
		return func(in *Input) (any, int, state) {
			holds, ok := c(in, "")
			if !ok {
				return nil, 0, undecided
			}
			return holds, 8, present
		}
	}
	return nil
}

// jsonClaim is a claim that is a text, a bool or a list of texts.
func jsonClaim(claim valueOf) jsonOf {
	if claim == nil {
		return nil
	}
	return func(in *Input) (any, int, state) {
		v, s := claim(in)
		if s != present {
			return nil, 0, s
		}
		switch of := v.(type) {
		case bool:
			return v, 8, present
		case string:
			if len(of) <= MaxClaim {
				return v, 8 + len(of), present
			}
		case []any:
			all, ok := claimedEntries(v, s)
			return jsonEntries(all, ok)
		}
		return nil, 0, undecided
	}
}

func jsonList(list listOf) jsonOf {
	return func(in *Input) (any, int, state) { return jsonEntries(list(in, "")) }
}

func jsonEntries(all entries, ok bool) (any, int, state) {
	if !ok {
		return nil, 0, undecided
	}
	out, size := make([]any, all.size()), 8
	for i := range out {
		s, ok := all.at(i)
		if size += 8 + len(s); !ok || size > MaxJSON {
			return nil, 0, undecided
		}
		out[i] = s
	}
	return out, size, present
}

// jsonObject is a map whose names are literals.
func (p *planner) jsonObject(m ast.MapExpr) jsonOf {
	names, values := make([]string, m.Size()), make([]jsonOf, m.Size())
	known := make(map[string]bool, m.Size())
	for i, e := range m.Entries() {
		entry := e.AsMapEntry()
		name, ok := literal(entry.Key())
		if values[i] = p.jsonPart(entry.Value()); !ok || known[name] || values[i] == nil || entry.IsOptional() {
			return nil
		}
		names[i], known[name] = name, true
	}
	return func(in *Input) (any, int, state) {
		out, size := make(map[string]any, len(names)), 8
		for i, name := range names {
			v, n, s := values[i](in)
			if size += n + len(name); s != present || size > MaxJSON {
				return nil, 0, undecided
			}
			out[name] = v
		}
		return out, size, present
	}
}
