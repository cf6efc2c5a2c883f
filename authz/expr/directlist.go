package expr

import (
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
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
type listOf func(in *Input) (_ entries, ok bool)

func (p *planner) list(e ast.Expr) listOf {
	if e.Kind() == ast.ListKind {
		return listed(e.AsList())
	}
	if e.Kind() == ast.CallKind && e.AsCall().FunctionName() == "orValue" {
		return p.listOr(e.AsCall().Target(), e.AsCall().Args()[0])
	}
	at, ok := p.selection(e)
	if !ok || at.isOptional() {
		return nil
	}
	if claim := p.claim(e); claim != nil {
		return func(in *Input) (entries, bool) { return claimedEntries(claim(in)) }
	}
	who, keys := at.ofIdentity()
	if who == nil || len(keys) != 1 || listsOfIdentity[keys[0].name] == nil {
		return nil
	}
	get := listsOfIdentity[keys[0].name]
	return func(in *Input) (entries, bool) {
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
	return func(*Input) (entries, bool) { return all, true }
}

// listOr is the list in an optional claim, or another one.
func (p *planner) listOr(e, otherwise ast.Expr) listOf {
	claim, other := p.optionalClaim(e), p.list(otherwise)
	if claim == nil || other == nil {
		return nil
	}
	return func(in *Input) (entries, bool) {
		v, s := claim(in)
		if s == absent {
			return other(in)
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
		all, ok := list(in)
		if is != present || !ok {
			return false, false
		}
		for i := range all.size() {
			switch e, ok := all.at(i); {
			case !ok:
				return false, false
			case e == s:
				return true, true
			}
		}
		return false, true
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

// loop plans exists() and all() of a list of texts. The loop ends with the first
// entry that decides.
func (p *planner) loop(c ast.ComprehensionExpr) condition {
	init, ok := c.AccuInit().AsLiteral().(types.Bool)
	if !ok || c.HasIterVar2() || p.variable != "" || c.LoopStep().Kind() != ast.CallKind {
		return nil
	}
	step := c.LoopStep().AsCall()
	accumulated := func(e ast.Expr) bool { return e.Kind() == ast.IdentKind && e.AsIdent() == c.AccuVar() }
	decides := step.FunctionName() == operators.LogicalOr
	if !decides && step.FunctionName() != operators.LogicalAnd || bool(init) == decides ||
		!accumulated(c.Result()) || len(step.Args()) != 2 || !accumulated(step.Args()[0]) {
		return nil
	}
	list := p.list(c.IterRange())
	each := (&planner{inspection: p.inspection, variable: c.IterVar()}).condition(step.Args()[1])
	if list == nil || each == nil {
		return nil
	}
	return func(in *Input, _ string) (bool, bool) {
		all, ok := list(in)
		if !ok {
			return false, false
		}
		for i := range all.size() {
			e, ok := all.at(i)
			if !ok {
				return false, false
			}
			if holds, ok := each(in, e); !ok || holds == decides {
				return holds, ok
			}
		}
		return !decides, true
	}
}
