package validate

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/expr"
)

// Expression warns of what an expression of the policy probably does not mean.
func Expression(spec *v1alpha1.PolicySpec, at *field.Path, p *expr.Program) (out []authz.Problem) {
	for _, w := range p.Warnings() {
		out = append(out, authz.Problem{Severity: authz.Warning, Lint: w.Lint, Field: at.String(), Message: w.Message})
	}
	for _, n := range p.MethodNames() {
		if slices.ContainsFunc(spec.Authentication.Methods, func(m v1alpha1.Method) bool { return m.Name == n.Name }) {
			continue
		}
		out = append(out, authz.Problem{Severity: authz.Warning, Lint: authz.UnknownMethodName, Field: at.String(),
			Message: fmt.Sprintf("%s: no method of the policy has the name %s: the methods are %s", n.At, brief(n.Name), methodNames(spec))})
	}
	return out
}

func methodNames(spec *v1alpha1.PolicySpec) string {
	var names []string
	for _, m := range upTo(spec.Authentication.Methods, 16) {
		names = append(names, m.Name)
	}
	return strings.Join(names, ", ")
}

// OpenMethods warns of request methods for which no rule is, though every rule has
// a condition and they tell requests apart by their method. A method that a
// condition names and excludes is meant to be open. whens are the conditions of
// the rules, nil for a rule without.
func OpenMethods(spec *v1alpha1.PolicySpec, whens []*expr.Program) []authz.Problem {
	if spec.Authorization == nil || spec.Authorization.Otherwise == v1alpha1.OtherwiseDeny || len(whens) == 0 || slices.Contains(whens, nil) {
		return nil
	}
	var open, ruled []string
	for _, method := range matched(spec.Routes) {
		if slices.ContainsFunc(whens, func(p *expr.Program) bool { return !p.NeverFor(method) }) {
			ruled = append(ruled, method)
		} else if !slices.ContainsFunc(whens, func(p *expr.Program) bool { return p.NamesMethod(method) }) {
			open = append(open, method)
		}
	}
	if open = forgotten(open, ruled); len(open) == 0 {
		return nil
	}
	return []authz.Problem{{Severity: authz.Warning, Lint: authz.RulesLeaveMethodsOpen, Field: "spec.authorization.rules",
		Message: fmt.Sprintf("no rule is for requests with the methods %s, so they are allowed with any credential: write `otherwise: Deny` beside rules, or a rule for them",
			strings.Join(open, ", "))}}
}

// forgotten are the methods that are open and not meant to be. Who has a rule for
// GET means to have one for all; who has rules for several methods that write means
// to have them for all that do. One such method alone is a restriction of its own.
func forgotten(open, ruled []string) (out []string) {
	writes := func(method string) bool { return slices.Contains([]string{"POST", "PUT", "PATCH", "DELETE"}, method) }
	several := 0
	for _, m := range ruled {
		if writes(m) {
			several++
		}
	}
	for _, m := range open {
		if slices.Contains(ruled, "GET") || several > 1 && writes(m) {
			out = append(out, m)
		}
	}
	return out
}

// matched are the methods of requests that routes can match: those that are usual
// where a match has no method.
func matched(routes []v1alpha1.Route) (out []string) {
	var named []string
	all := len(routes) == 0
	for _, r := range routes {
		all = all || len(r.Matches) == 0
		for _, m := range r.Matches {
			if m.Method == nil {
				all = true
			} else {
				named = append(named, string(*m.Method))
			}
		}
	}
	for _, method := range expr.Methods() {
		usual := method != "TRACE" && method != "CONNECT"
		if all && usual || slices.Contains(named, method) {
			out = append(out, method)
		}
	}
	return out
}
