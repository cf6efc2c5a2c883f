package validate

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
)

// matches warns of matches that probably match less than is meant: a path with a
// `*` that stands for itself, and a match that decides nothing.
func matches(at *field.Path, routes []v1alpha1.Route, admitted authz.PathForms) (out []authz.Problem) {
	earlier := earlierMatches{}
	warn := func(lint authz.Lint, at *field.Path, format string, args ...any) {
		if len(out) < maxFindings {
			out = append(out, authz.Problem{Severity: authz.Warning, Lint: lint, Field: at.String(), Message: fmt.Sprintf(format, args...)})
		}
	}
	for i, r := range routes {
		for j := range r.Matches {
			at, m := at.Index(i).Child("matches").Index(j), &r.Matches[j]
			if p := m.Path; p != nil && isLiteral(p) && strings.Contains(*p.Value, "*") {
				warn(authz.LiteralWildcard, at.Child("path", "value"), "%s", wildcard(*p.Value))
			}
			if where, why := never(at, m, admitted); why != "" {
				warn(authz.NeverDecides, where, "%s", why)
			}
			if equal := earlier.add(i, j, &r); equal != "" {
				warn(authz.NeverDecides, at, "%s is equal, and comes before this one: remove one of them, or correct it", equal)
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
