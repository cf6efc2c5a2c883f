package policy

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/agentauth-dev/agentauth/authz/authn"
	"github.com/agentauth-dev/agentauth/authz/expr"
)

// Mapping makes subject, scopes and groups of a token's claims: by the policy's
// expressions, else by the usual claims (RFC 7519 4.1.2, RFC 8693 4.2, RFC 9068
// 2.2.3).
type Mapping struct{ SubjectBy, ScopesBy, GroupsBy *expr.Program }

var _ authn.Mapper = Mapping{}

// Subject implements authn.Mapper.
func (m Mapping) Subject(ctx context.Context, claims map[string]any) (string, error) {
	if m.SubjectBy != nil {
		return mapped(ctx, m.SubjectBy, claims, m.SubjectBy.ClaimString)
	}
	return textClaim("sub", claims["sub"])
}

// Scopes implements authn.Mapper.
func (m Mapping) Scopes(ctx context.Context, claims map[string]any) ([]string, error) {
	if m.ScopesBy != nil {
		return mapped(ctx, m.ScopesBy, claims, m.ScopesBy.ClaimScopes)
	}
	switch scope := claims["scope"].(type) {
	case string:
		return strings.Fields(scope), nil
	case nil:
	default:
		return nil, fmt.Errorf("scope is no string (RFC 8693 4.2)")
	}
	if scp, ok := claims["scp"].(string); ok {
		return strings.Fields(scp), nil
	}
	return listClaim("scp", claims["scp"])
}

// Groups implements authn.Mapper.
func (m Mapping) Groups(ctx context.Context, claims map[string]any) ([]string, error) {
	if m.GroupsBy != nil {
		return mapped(ctx, m.GroupsBy, claims, m.GroupsBy.ClaimStrings)
	}
	return listClaim("groups", claims["groups"])
}

// mapped evaluates an expression on claims within the budget of the decision.
func mapped[T any](ctx context.Context, p *expr.Program, claims map[string]any, eval func(context.Context, map[string]any) (T, error)) (v T, err error) {
	late := evaluate(ctx, p, func() { v, err = eval(ctx, claims) })
	if late != nil {
		var none T
		return none, late
	}
	return v, err
}

// textClaim is a string, or a whole number in decimal; an absent claim is "".
func textClaim(name string, v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	}
	return "", fmt.Errorf("%s is no string", name)
}

// listClaim is a list of texts, or one text; an absent claim is no list.
func listClaim(name string, v any) ([]string, error) {
	list, ok := v.([]any)
	if !ok {
		if v == nil {
			return nil, nil
		}
		list = []any{v}
	}
	out := make([]string, 0, len(list))
	for i, e := range list {
		if e == nil {
			return nil, fmt.Errorf("%s[%d] is null", name, i)
		}
		s, err := textClaim(fmt.Sprintf("%s[%d]", name, i), e)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}
