package expr

import (
	"unicode/utf8"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"

	"github.com/agentauth-dev/agentauth/authz"
)

// selection is a variable, and the names that lead to a value of it.
type selection struct {
	root string
	keys []selectionKey
}

// selectionKey is a name of a selection. With optional, a name that is absent is
// optional.none().
type selectionKey struct {
	name     string
	optional bool
}

// selection is the selection that a node is; ok is false for a node of another kind.
// Behind an optional name all names are optional.
func (p *planner) selection(e ast.Expr) (_ selection, ok bool) {
	switch e.Kind() {
	case ast.IdentKind:
		name := e.AsIdent()
		return selection{root: name}, name != p.variable
	case ast.SelectKind:
		s := e.AsSelect()
		of, ok := p.selection(s.Operand())
		return of.at(s.FieldName(), false), ok && !s.IsTestOnly() && !of.isOptional()
	case ast.CallKind:
		call := e.AsCall()
		name := call.FunctionName()
		if name != operators.Index && name != operators.OptIndex && name != operators.OptSelect {
			return selection{}, false
		}
		of, ok := p.selection(call.Args()[0])
		key, isText := literal(call.Args()[1])
		optional := name != operators.Index
		return of.at(key, optional), ok && isText && (optional || !of.isOptional())
	default:
		return selection{}, false
	}
}

func (p selection) at(name string, optional bool) selection {
	return selection{p.root, append(p.keys[:len(p.keys):len(p.keys)], selectionKey{name, optional})}
}

func (p selection) isOptional() bool { return len(p.keys) > 0 && p.keys[len(p.keys)-1].optional }

// is says whether a selection is that of a variable, of so many names.
func (p selection) is(root string, names int) bool { return p.root == root && len(p.keys) == names }

// identityOf finds an identity; nil if there is none.
type identityOf func(in *Input) *authz.Identity

// ofIdentity cuts a selection of an identity into the identity and the rest.
func (p selection) ofIdentity() (identityOf, []selectionKey) {
	switch {
	case p.root == "identity":
		return func(in *Input) *authz.Identity { return in.Identity }, p.keys
	case p.root == "identities" && len(p.keys) > 0 && !p.keys[0].optional:
		name := p.keys[0].name
		return func(in *Input) *authz.Identity { return in.identityBy(name) }, p.keys[1:]
	}
	return nil, nil
}

// identityBy is the identity of a method; nil if there is none.
func (in *Input) identityBy(method string) *authz.Identity {
	for _, i := range in.Identities {
		if i.Method == method {
			return i
		}
	}
	return nil
}

// boundedText is a text that can be read: not over its limit, and UTF-8.
func boundedText(s string, limit int) (string, state) {
	if len(s) > limit || !utf8.ValidString(s) {
		return "", undecided
	}
	return s, present
}

// read reads the text of a selection. A loop reads nothing of a request: CEL's way has a
// cache, so that it checks a long text once.
func (p *planner) read(e ast.Expr) textOf {
	at, ok := p.selection(e)
	if !ok || len(at.keys) == 0 || p.variable != "" && at.root == requestName {
		return nil
	}
	if at.root == requestName {
		return at.ofRequest()
	}
	if at.is("context", 1) {
		return at.ofContext()
	}
	who, keys := at.ofIdentity()
	switch {
	case who == nil || len(keys) == 0:
		return nil
	case keys[0].name == "claims" && !keys[0].optional:
		return claimedText(p.claim(e))
	case keys[0].name == "actor" && len(keys) == 2 && keys[0].optional == keys[1].optional:
		return ofActor(who, keys)
	case len(keys) == 1 && !keys[0].optional && textsOfIdentity[keys[0].name] != nil:
		get := textsOfIdentity[keys[0].name]
		return func(in *Input, _ string) (string, state) {
			if i := who(in); i != nil {
				return boundedText(get(i), MaxEntry)
			}
			return "", undecided
		}
	}
	return nil
}

func (p selection) ofRequest() textOf {
	switch field := p.keys[0]; {
	case field.optional:
	case len(p.keys) == 1 && textsOfRequest[field.name] != nil:
		get := textsOfRequest[field.name]
		return func(in *Input, _ string) (string, state) { return boundedText(get(in.Request), MaxValue) }
	case len(p.keys) != 2:
	case field.name == "source" && p.keys[1] == selectionKey{name: "address"}:
		return func(in *Input, _ string) (string, state) { return boundedText(in.Request.Source.Address, MaxValue) }
	case field.name == "source" && p.keys[1] == selectionKey{name: "principal"}:
		return func(in *Input, _ string) (string, state) { return boundedText(in.Request.Source.Principal, MaxValue) }
	case field.name == "headers":
		key := p.keys[1]
		return func(in *Input, _ string) (string, state) {
			return key.found(headers{(*request)(in)}.lookup(key.name))
		}
	case field.name == "query":
		key := p.keys[1]
		return func(in *Input, _ string) (string, state) {
			return key.found(query{(*request)(in)}.lookup(key.name))
		}
	}
	return nil
}

// found is a text under the name, as it was found.
func (k selectionKey) found(f found) (string, state) {
	switch {
	case f.err != nil:
		return "", undecided
	case f.present:
		return f.value, present
	}
	return k.missing()
}

func (k selectionKey) missing() (string, state) {
	if k.optional {
		return "", absent
	}
	return "", undecided
}

func (p selection) ofContext() textOf {
	key := p.keys[0]
	return func(in *Input, _ string) (string, state) {
		s, ok := in.Request.ContextExtensions[key.name]
		switch {
		case !ok:
			return key.missing()
		case len(s) > MaxClaim:
			return "", undecided
		}
		return s, present
	}
}

func ofActor(who identityOf, keys []selectionKey) textOf {
	get := func(a *authz.Actor) string { return a.Subject }
	switch keys[1].name {
	case "subject":
	case "issuer":
		get = func(a *authz.Actor) string { return a.Issuer }
	default:
		return nil
	}
	return func(in *Input, _ string) (string, state) {
		i := who(in)
		switch {
		case i == nil:
			return "", undecided
		case i.Actor == nil || keys[1].optional && get(i.Actor) == "":
			return keys[1].missing()
		case i.Actor.Unreadable:
			return "", undecided
		}
		return boundedText(get(i.Actor), MaxEntry)
	}
}
