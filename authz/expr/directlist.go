package expr

import (
	"cel.dev/cel-go/common/ast"
)

// entries are the entries of a list: of texts, or of what a claim has.
type entries struct {
	texts  []string
	values []any
}

func (l entries) size() int { return len(l.texts) + len(l.values) }

// at is an entry; ok is false if it is no text that can be read.
func (l entries) at(i int) (_ string, ok bool) {
	if l.texts != nil {
		return l.texts[i], true
	}
	s, ok := l.values[i].(string)
	return s, ok && len(s) <= MaxEntry
}

// listOf evaluates a node that is a list of texts.
type listOf func(in *Input, entry string) (_ entries, ok bool)

func (p *planner) list(e ast.Expr) listOf {
	switch e = undyn(e); e.Kind() {
	case ast.ListKind:
		return listed(e.AsList())
	case ast.CallKind:
		if call := e.AsCall(); call.FunctionName() == "orValue" {
			return p.listOr(call.Target(), call.Args()[0])
		}
	default:
	}
	at, ok := p.selection(e)
	if !ok || at.isOptional() {
		return nil
	}
	if claim := p.claim(e); claim != nil {
		return func(in *Input, _ string) (entries, bool) { return claimedEntries(claim(in)) }
	}
	return p.listOfIdentity(at)
}

// listOfIdentity is a list whose entries are all checked when it is read. A loop
// reads none: CEL's way has a cache.
func (p *planner) listOfIdentity(at selection) listOf {
	who, keys := at.ofIdentity()
	if who == nil || len(keys) != 1 || listsOfIdentity[keys[0].name] == nil || p.variable != "" {
		return nil
	}
	get := listsOfIdentity[keys[0].name]
	return func(in *Input, _ string) (entries, bool) {
		i := who(in)
		if i == nil || len(get(i)) > maxEntries || readable("", get(i)) != nil {
			return entries{}, false
		}
		return entries{texts: get(i)}, true
	}
}

// claimedEntries are the entries of a claim that is a list.
func claimedEntries(v any, s state) (entries, bool) {
	list, ok := v.([]any)
	return entries{values: list}, ok && s == present && len(list) <= maxEntries
}

// listed is a list of literals.
func listed(l ast.ListExpr) listOf {
	all := entries{texts: make([]string, l.Size())}
	for i, e := range l.Elements() {
		s, ok := literal(e)
		if !ok || l.IsOptional(int32(i)) {
			return nil
		}
		all.texts[i] = s
	}
	return func(*Input, string) (entries, bool) { return all, true }
}

// listOr is the list in an optional claim, or another one.
func (p *planner) listOr(e, otherwise ast.Expr) listOf {
	claim, other := p.optionalClaim(e), p.list(otherwise)
	if claim == nil || other == nil {
		return nil
	}
	return func(in *Input, entry string) (entries, bool) {
		v, s := claim(in)
		if s == absent {
			return other(in, entry)
		}
		return claimedEntries(v, s)
	}
}

// in says whether a text is an entry of a list, or a name in a map.
func (p *planner) in(e, container ast.Expr) condition {
	text := p.text(e)
	if text == nil {
		return nil
	}
	if c := p.named(text, container); c != nil {
		return c
	}
	list := p.list(container)
	if list == nil {
		return nil
	}
	return func(in *Input, entry string) (bool, bool) {
		s, is := text(in, entry)
		all, ok := list(in, entry)
		if is != present || !ok {
			return false, false
		}
		return all.has(s)
	}
}

// named says whether a text is a name in a map.
func (p *planner) named(text textOf, container ast.Expr) condition {
	at, ok := p.selection(container)
	if !ok || at.isOptional() || p.variable != "" {
		return nil
	}
	var has func(in *Input, name string) (bool, bool)
	switch who, keys := at.ofIdentity(); {
	case at.is(requestName, 1) && at.keys[0].name == "headers":
		has = func(in *Input, name string) (bool, bool) {
			f := headers{(*request)(in)}.lookup(name)
			return f.present, !f.unknown
		}
	case at.is(requestName, 1) && at.keys[0].name == "query":
		has = func(in *Input, name string) (bool, bool) {
			f := query{(*request)(in)}.lookup(name)
			return f.present, !f.unknown
		}
	case at.is("identities", 0):
		has = func(in *Input, name string) (bool, bool) { return in.identityBy(name) != nil, true }
	case who != nil && len(keys) == 1 && keys[0].name == "claims":
		has = func(in *Input, name string) (bool, bool) {
			i := who(in)
			if i == nil || len(i.Claims) > maxEntries {
				return false, false
			}
			_, ok := i.Claims[name]
			return ok, true
		}
	default:
		return nil
	}
	return func(in *Input, entry string) (bool, bool) {
		name, s := text(in, entry)
		if s != present {
			return false, false
		}
		return has(in, name)
	}
}
