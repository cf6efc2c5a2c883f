package validate

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
)

func (f *findings) introspection(at *field.Path, i *v1alpha1.Introspection) {
	f.audienceOrAny(at, i.Audiences, i.AnyAudience)
	before := len(f.errs)
	fetchedURL.check(f, at.Child("endpoint"), i.Endpoint)
	if len(f.errs) == before && !parses(i.Endpoint) {
		f.invalid(at.Child("endpoint"), "expected %s, got %s", fetchedURL.what, brief(i.Endpoint))
	}
	credentials := at.Child("clientCredentials")
	objectName.check(f, credentials.Child("secretRef", "name"), i.ClientCredentials.SecretRef.Name)
	label.optional(f, credentials.Child("secretRef", "namespace"), i.ClientCredentials.SecretRef.Namespace)
	oneOf(f, credentials.Child("authentication"), i.ClientCredentials.Authentication, v1alpha1.ClientBasic, v1alpha1.ClientPost)
	issuer.optional(f, at.Child("issuer"), i.Issuer)
	set(f, at.Child("audiences"), i.Audiences, 16, audience)
	set(f, at.Child("scopes"), i.Scopes, 32, scope)
	if i.CacheTTL != nil {
		f.upToFiveMinutes(at.Child("cacheTTL"), *i.CacheTTL)
	}
	f.places(at.Child("from"), i.From)
	f.claimMappings(at.Child("claimMappings"), i.ClaimMappings)
	f.caCertificates(at.Child("caCertificates"), i.CACertificates)
}
