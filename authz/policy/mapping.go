package policy

import (
	"context"
	"fmt"
	"strings"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/authn"
	"github.com/agentauth-dev/agentauth/authz/expr"
)

// Mapping makes subject, scopes, groups and actor of a token's claims: by the policy's
// expressions, which can refuse the token, else by the usual claims (RFC 7519
// 4.1.2, RFC 8693 4.2, RFC 9068 2.2.3), as far as these can be read: a token is
// not refused for a claim that nobody may have asked for.
type Mapping struct {
	SubjectBy, ScopesBy, GroupsBy, ActorBy *expr.Program
	// Implied adds to the scopes, whichever way these are found.
	Implied Implied
}

var _ authn.Mapped = Mapping{}

// UsualMapping is by the usual claims alone. Methods share it.
var UsualMapping authn.Mapper = Mapping{}

// Texts implements authn.Mapped.
func (m Mapping) Texts() []string {
	return append([]string{m.SubjectBy.Text(), m.ScopesBy.Text(), m.GroupsBy.Text(), m.ActorBy.Text()}, m.Implied.texts()...)
}

// Subject implements authn.Mapper.
func (m Mapping) Subject(ctx context.Context, claims map[string]any) (string, error) {
	if m.SubjectBy != nil {
		return mapped(ctx, "subject", m.SubjectBy, claims, m.SubjectBy.ClaimString)
	}
	sub, _ := authn.ClaimText(claims["sub"])
	return sub, nil
}

// Scopes implements authn.Mapper.
func (m Mapping) Scopes(ctx context.Context, claims map[string]any) ([]string, error) {
	if m.ScopesBy == nil {
		return m.Implied.holds(usualScopes(claims)), nil
	}
	scopes, err := mapped(ctx, "scopes", m.ScopesBy, claims, m.ScopesBy.ClaimScopes)
	return m.Implied.holds(scopes), err
}

func usualScopes(claims map[string]any) []string {
	if scopes := words(claims["scope"]); len(scopes) > 0 {
		return scopes
	}
	return words(claims["scp"])
}

// words are the words of a text, or the entries of a list.
func words(v any) []string {
	if s, ok := v.(string); ok {
		return strings.Fields(s)
	}
	return listClaim(v)
}

// Groups implements authn.Mapper.
func (m Mapping) Groups(ctx context.Context, claims map[string]any) ([]string, error) {
	if m.GroupsBy != nil {
		return mapped(ctx, "groups", m.GroupsBy, claims, m.GroupsBy.ClaimStrings)
	}
	return listClaim(claims["groups"]), nil
}

// Actor implements authn.Mapper.
func (m Mapping) Actor(ctx context.Context, claims map[string]any) (*authz.Actor, error) {
	if m.ActorBy != nil {
		return mapped(ctx, "actor", m.ActorBy, claims, m.ActorBy.ClaimActor)
	}
	return authn.ActorOf(claims["act"])
}

// mapped evaluates an expression on claims within the budget of the decision.
func mapped[T any](ctx context.Context, name string, p *expr.Program, claims map[string]any, eval func(context.Context, map[string]any) (T, error)) (v T, err error) {
	late := evaluate(ctx, p, func() { v, err = eval(ctx, claims) })
	if late != nil {
		var none T
		return none, late
	}
	if err != nil {
		err = fmt.Errorf("claimMappings.%s failed: %w", name, err)
	}
	return v, err
}

// listClaim is a list of texts, or one text. An entry that is null is absent; with
// an entry of another kind the claim cannot be read, and so has nothing.
func listClaim(v any) []string {
	list, ok := v.([]any)
	if !ok && v != nil {
		list = []any{v}
	}
	var out []string
	for _, e := range list {
		if e == nil {
			continue
		}
		s, ok := authn.ClaimText(e)
		if !ok {
			return nil
		}
		out = append(out, s)
	}
	return out
}
