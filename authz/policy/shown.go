package policy

import (
	"slices"
	"strings"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/authn"
	"github.com/agentauth-dev/agentauth/authz/expr"
)

// maxShown is how many values of a rule are shown.
const maxShown = 8

// came is an expression of a rule and the values that it read, where a trace is
// asked for. Behind those of `require` come those of `when`. It is "" where
// that expression reads nothing.
func (s *rules) came(x *exchange, part string, rule *Rule, in *expr.Input) string {
	if x.trace == nil {
		return ""
	}
	first, second := rule.When, rule.Require
	if part == "require" {
		first, second = second, first
	}
	hidden := expr.Hidden{Name: s.hidesName, Text: x.hidesText}
	values := first.Shown(in, hidden)
	if len(values) > 0 && part == "require" {
		for _, v := range second.Shown(in, hidden) {
			if !slices.Contains(values, v) {
				values = append(values, v)
			}
		}
	}
	values = values[:min(len(values), maxShown)]
	if len(values) == 0 {
		return ""
	}
	return strings.Join(append([]string{first.Source()}, values...), "; ")
}

// secretive are parts of names that hold credentials, whether a method reads them
// or not.
var secretive = []string{
	"auth", "cookie", "token", "secret", "key", "password", "passwd", "pwd", "session", "credential", "signature",
	"client-cert", "jwt", "assertion", "dpop", "otp",
}

// hidesName says whether a header, a query parameter or a value of the proxy of
// this name may hold a credential.
func (s *rules) hidesName(in, name string) bool {
	folded := fold(name)
	if slices.ContainsFunc(secretive, func(part string) bool { return strings.Contains(folded, part) }) {
		return true
	}
	same := func(other string) bool { return fold(other) == folded || authz.IsAlternate(name, other) }
	switch in {
	case "headers":
		return slices.ContainsFunc(s.beside, same) ||
			slices.ContainsFunc(s.places, func(p authn.Place) bool { return p.In == authn.InHeader && same(p.Name) })
	case "query":
		return folded == "code" || folded == "sig" ||
			slices.ContainsFunc(s.places, func(p authn.Place) bool { return p.In == authn.InQuery && same(p.Name) })
	}
	return false
}

// fold is a name without letter case and punctuation.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, authz.Lower(name))
}

// minHidden is the length from which a credential is looked for in other texts. A
// shorter one is part of many words.
const minHidden = 6

// hidesText says whether a text has a token in it, or a credential that came.
func (x *exchange) hidesText(text string) bool {
	if slices.ContainsFunc(strings.FieldsFunc(text, apart), authz.IsJWT) {
		return true
	}
	for _, p := range x.credentials.found {
		if p != nil && p.Value != "" && (text == p.Value || len(p.Value) >= minHidden && strings.Contains(text, p.Value)) {
			return true
		}
	}
	return false
}

// apart are the runes that no token has.
func apart(r rune) bool { return strings.ContainsRune(" \t,;=\"'/?&", r) }
