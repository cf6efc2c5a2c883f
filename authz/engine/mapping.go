package engine

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/authn"
	"github.com/agentauth-dev/agentauth/authz/expr"
)

// mapping makes an identity's values of a token's claims: by the policy's
// expressions, else by the names that are usual (RFC 7519 4.1.2, RFC 8693 4.2,
// RFC 9068 2.2.3). It implements authn.Mapper.
type mapping struct{ subject, scopes, groups *expr.Program }

var _ authn.Mapper = mapping{}

func (b *building) mapper(src *v1alpha1.ClaimMappings, at *field.Path) mapping {
	var m mapping
	if src == nil {
		return m
	}
	compile := func(kind expr.Kind, e v1alpha1.Expression, name string) *expr.Program {
		if e == "" {
			return nil
		}
		return b.expression(kind, e, at.Child(name))
	}
	m.subject = compile(expr.Subject, src.Subject, "subject")
	m.scopes = compile(expr.Claim, src.Scopes, "scopes")
	m.groups = compile(expr.Claim, src.Groups, "groups")
	return m
}

func (m mapping) Subject(ctx context.Context, claims map[string]any) (string, error) {
	if m.subject != nil {
		return m.subject.ClaimString(ctx, claims)
	}
	return textClaim("sub", claims["sub"])
}

func (m mapping) Scopes(ctx context.Context, claims map[string]any) ([]string, error) {
	if m.scopes != nil {
		return m.scopes.ClaimScopes(ctx, claims)
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

func (m mapping) Groups(ctx context.Context, claims map[string]any) ([]string, error) {
	if m.groups != nil {
		return m.groups.ClaimStrings(ctx, claims)
	}
	return listClaim("groups", claims["groups"])
}

// textClaim takes a string, or a whole number in decimal; nothing is "".
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

// listClaim takes a list of texts, or one text; nothing is an empty list.
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
