package validate

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
)

// maxImplied is how many scopes a policy gives narrower ones, and how many to each.
const maxImplied = 32

func (f *findings) impliedScopes(at *field.Path, implied v1alpha1.ImpliedScopes) {
	f.count(at, len(implied), 0, maxImplied)
	for _, broad := range upTo(slices.Sorted(maps.Keys(implied)), maxImplied) {
		if scope.pattern.MatchString(broad) && len(broad) <= scope.max {
			set(f, at.Key(broad), implied[broad], maxImplied, scope)
		} else {
			f.invalid(at, "a scope is 1 to 256 visible ASCII characters without quotes or backslashes (RFC 6749 3.3), got %s", brief(broad))
		}
	}
}

// chainsOfScopes warns of scopes that are implied and imply others, which whoever has
// the first one does not get.
func chainsOfScopes(at *field.Path, methods []v1alpha1.Method) (warnings []authz.Problem) {
	for i, m := range methods {
		switch at := at.Index(i); {
		case m.JWT != nil:
			warnings = append(warnings, chains(at.Child("jwt", "impliedScopes"), m.JWT.ImpliedScopes)...)
		case m.Introspection != nil:
			warnings = append(warnings, chains(at.Child("oauth2Introspection", "impliedScopes"), m.Introspection.ImpliedScopes)...)
		}
	}
	return warnings
}

func chains(at *field.Path, implied v1alpha1.ImpliedScopes) (warnings []authz.Problem) {
	for _, broad := range slices.Sorted(maps.Keys(implied)) {
		for _, narrow := range implied[broad] {
			for _, further := range implied[narrow] {
				if further == broad || slices.Contains(implied[broad], further) {
					continue
				}
				warnings = append(warnings, authz.Problem{Severity: authz.Warning, Lint: authz.ImpliesNoFurther, Field: at.Key(broad).String(),
					Message: brief(broad) + " holds " + brief(narrow) + ", but not what that holds, " + brief(further) + ": what is implied implies nothing; list all that " + brief(broad) + " holds"})
				break
			}
		}
	}
	return warnings
}
