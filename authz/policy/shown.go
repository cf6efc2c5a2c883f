package policy

import (
	"context"
	"slices"
	"strings"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/authn"
	"github.com/agentauth-dev/agentauth/authz/expr"
)

// came is a condition that is false and the values that it read, where a trace is
// asked for.
func (s *rules) came(ctx context.Context, x *exchange, p *expr.Program, in *expr.Input) (shown string) {
	if x.trace == nil {
		return ""
	}
	if late := evaluate(ctx, p, func() { shown = p.Shown(ctx, in, s.hides) }); late != nil {
		return ""
	}
	return shown
}

// secretive are parts of the names of headers and parameters that hold
// credentials, also those that no method reads.
var secretive = []string{"auth", "cookie", "token", "secret", "key", "password", "passwd", "session", "credential", "signature", "client-cert", "jwt", "assertion", "code"}

// hides says whether a header or a query parameter may hold a credential.
func (s *rules) hides(in, name string) bool {
	folded := fold(name)
	if slices.ContainsFunc(secretive, func(part string) bool { return strings.Contains(folded, part) }) {
		return true
	}
	same := func(other string) bool { return fold(other) == folded }
	if in == "headers" && slices.ContainsFunc(s.beside, same) {
		return true
	}
	return slices.ContainsFunc(s.places, func(p authn.Place) bool { return same(p.Name) })
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
