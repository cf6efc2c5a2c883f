package validate

import (
	"fmt"
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
)

// matches warns of matches that probably match less than is meant: a path with a
// `*` that stands for itself, and a match behind an equal or wider one.
func matches(at *field.Path, routes []v1alpha1.Route) (out []authz.Problem) {
	for i, r := range routes {
		for j := range r.Matches {
			at := at.Index(i).Child("matches").Index(j)
			if p := r.Matches[j].Path; p != nil && isLiteral(p) && strings.Contains(*p.Value, "*") {
				out = append(out, authz.Problem{Severity: authz.Warning, Lint: authz.LiteralWildcard, Field: at.Child("path", "value").String(),
					Message: wildcard(*p.Value)})
			}
			for k := range r.Matches {
				// Of two that are equal the first one stays.
				if k != j && covers(&r.Matches[k], &r.Matches[j]) && (k < j || !covers(&r.Matches[j], &r.Matches[k])) {
					out = append(out, authz.Problem{Severity: authz.Warning, Lint: authz.NeverDecides, Field: at.String(),
						Message: fmt.Sprintf("matches[%d] of the same route has every request that this one has: remove this one, or the wider one", k)})
					break
				}
			}
			if len(out) >= maxFindings {
				return out
			}
		}
	}
	return out
}

// isLiteral says whether a path is compared as it is written.
func isLiteral(p *gatewayv1.HTTPPathMatch) bool {
	return p.Value != nil && (p.Type == nil || *p.Type != gatewayv1.PathMatchRegularExpression)
}

func wildcard(path string) string {
	cure := "use type RegularExpression for patterns"
	if prefix, ok := strings.CutSuffix(path, "/*"); ok && !strings.Contains(prefix, "*") {
		if prefix == "" {
			prefix = "/"
		}
		cure = fmt.Sprintf("write type PathPrefix with the value %q", cut(prefix, 64))
	}
	return fmt.Sprintf("`*` stands for itself, so %s matches only requests whose path has a `*`: %s", brief(path), cure)
}

// covers says whether a has every request that b has. Both have their defaults.
// It says no where it does not know.
func covers(a, b *gatewayv1.HTTPRouteMatch) bool {
	return coversPath(a.Path, b.Path) &&
		(a.Method == nil || b.Method != nil && *a.Method == *b.Method) &&
		(len(a.Headers) == 0 || reflect.DeepEqual(a.Headers, b.Headers)) &&
		(len(a.QueryParams) == 0 || reflect.DeepEqual(a.QueryParams, b.QueryParams))
}

func coversPath(a, b *gatewayv1.HTTPPathMatch) bool {
	if a == nil || b == nil || a.Type == nil || b.Type == nil || a.Value == nil || b.Value == nil {
		return false
	}
	switch {
	case *a.Type == *b.Type && *a.Value == *b.Value:
		return true
	case *a.Type != gatewayv1.PathMatchPathPrefix || *b.Type == gatewayv1.PathMatchRegularExpression:
		return *a.Type == gatewayv1.PathMatchPathPrefix && *a.Value == "/"
	}
	rest, ok := strings.CutPrefix(*b.Value, strings.TrimSuffix(*a.Value, "/"))
	return ok && (rest == "" || rest[0] == '/')
}
