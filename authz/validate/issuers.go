package validate

import "github.com/agentauth-dev/agentauth/api/v1alpha1"

// Issuers are the issuers whose credentials the methods of a policy accept; known is
// false if only a credential says of whom it is.
func Issuers(methods []v1alpha1.Method) (issuers []string, known bool) {
	for _, m := range methods {
		switch {
		case m.JWT != nil && !m.JWT.AnyIssuer:
			issuers = append(issuers, m.JWT.Issuer)
		case m.Introspection != nil && m.Introspection.Issuer != "":
			issuers = append(issuers, m.Introspection.Issuer)
		case m.Basic == nil && m.APIKey == nil && m.Anonymous == nil:
			return nil, false
		}
	}
	return issuers, true
}
