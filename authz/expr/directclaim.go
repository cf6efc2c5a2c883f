package expr

import (
	"cel.dev/cel-go/common/ast"
)

// valueOf finds a value in the claims of an identity.
type valueOf func(in *Input) (any, state)

// claim is the value that a node is; nil if it is not one in claims.
func (p *planner) claim(e ast.Expr) valueOf {
	at, ok := p.selection(e)
	if !ok {
		return nil
	}
	who, keys := at.ofIdentity()
	if who == nil || len(keys) < 2 || keys[0] != (selectionKey{name: "claims"}) {
		return nil
	}
	return claimAt(who, keys[1:])
}

// optionalClaim is the claim that a node is, if the node is optional.
func (p *planner) optionalClaim(e ast.Expr) valueOf {
	if at, ok := p.selection(e); !ok || !at.isOptional() {
		return nil
	}
	return p.claim(e)
}

func claimAt(who identityOf, keys []selectionKey) valueOf {
	last := len(keys) - 1
	return func(in *Input) (any, state) {
		i := who(in)
		if i == nil {
			return nil, undecided
		}
		members := i.Claims
		for _, key := range keys[:last] {
			v, found := members[key.name]
			if !found && key.optional {
				return nil, absent
			}
			if members, found = v.(map[string]any); !found {
				return nil, undecided
			}
		}
		v, found := members[keys[last].name]
		switch {
		case found:
			return v, present
		case keys[last].optional:
			return nil, absent
		}
		return nil, undecided
	}
}

func claimedText(claim valueOf) textOf {
	if claim == nil {
		return nil
	}
	return func(in *Input, _ string) (string, state) {
		v, s := claim(in)
		if s != present {
			return "", s
		}
		text, ok := v.(string)
		if !ok || len(text) > MaxClaim {
			return "", undecided
		}
		return text, present
	}
}

func claimedBool(claim valueOf) condition {
	if claim == nil {
		return nil
	}
	return func(in *Input, _ string) (bool, bool) {
		v, s := claim(in)
		b, ok := v.(bool)
		return b, ok && s == present
	}
}

// boolOr is the bool in an optional claim, or another one.
func (p *planner) boolOr(e, otherwise ast.Expr) condition {
	claim, other := p.optionalClaim(e), p.condition(otherwise)
	if claim == nil || other == nil {
		return nil
	}
	return func(in *Input, entry string) (bool, bool) {
		v, s := claim(in)
		if s == absent {
			return other(in, entry)
		}
		b, ok := v.(bool)
		return b, ok && s == present
	}
}

func hasValue(claim valueOf) condition {
	if claim == nil {
		return nil
	}
	return func(in *Input, _ string) (bool, bool) {
		_, s := claim(in)
		return s == present, s != undecided
	}
}

// has says whether a field or a claim is set.
func (p *planner) has(s ast.SelectExpr) condition {
	at, ok := p.selection(s.Operand())
	if !ok || at.isOptional() {
		return nil
	}
	who, keys := at.ofIdentity()
	switch {
	case who == nil:
		return nil
	case len(keys) > 0 && keys[0].name == "claims":
		return hasClaim(who, append(keys[1:len(keys):len(keys)], selectionKey{name: s.FieldName(), optional: true}))
	case len(keys) == 0:
		return hasField(who, s.FieldName())
	}
	return nil
}

func hasClaim(who identityOf, keys []selectionKey) condition { return hasValue(claimAt(who, keys)) }

func hasField(who identityOf, name string) condition {
	f := identityFields[name]
	if f == nil {
		return nil
	}
	var set func(in *Input) bool
	text, list := textsOfIdentity[name], listsOfIdentity[name]
	switch {
	case text != nil:
		set = func(in *Input) bool { return text(who(in)) != "" }
	case list != nil:
		set = func(in *Input) bool { return len(list(who(in))) > 0 }
	case name == "actor":
		set = func(in *Input) bool { return who(in).Actor != nil }
	case name == "claims":
		set = func(in *Input) bool { return len(who(in).Claims) > 0 }
	case name == "expiresAt":
		set = func(in *Input) bool { return !who(in).ExpiresAt.IsZero() }
	}
	return func(in *Input, _ string) (bool, bool) {
		if who(in) == nil {
			return false, false
		}
		return set(in), true
	}
}
