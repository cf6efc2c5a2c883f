package validate

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
)

func (f *findings) introspection(at *field.Path, i *v1alpha1.Introspection) {
	f.asked(at.Child("endpoint"), i.Endpoint)
	f.clientCredentials(at.Child("clientCredentials"), i.ClientCredentials)
	issuer.optional(f, at.Child("issuer"), i.Issuer)
	set(f, at.Child("audiences"), i.Audiences, 16, audience)
	set(f, at.Child("scopes"), i.Scopes, 32, scope)
	if i.CacheTTL != nil {
		f.upToFiveMinutes(at.Child("cacheTTL"), *i.CacheTTL)
	}
	f.places(at.Child("from"), i.From)
	f.impliedScopes(at.Child("impliedScopes"), i.ImpliedScopes)
	f.proof(at, i.ProofOfPossession, i.From)
	f.claimMappings(at.Child("claimMappings"), i.ClaimMappings)
	f.caCertificates(at.Child("caCertificates"), i.CACertificates)
}

func (f *findings) clientCredentials(at *field.Path, c v1alpha1.ClientCredentials) {
	if c == (v1alpha1.ClientCredentials{}) {
		f.add(field.ErrorTypeRequired, at, "expected a Secret with the id and the secret of a client, got nothing")
		return
	}
	objectName.check(f, at.Child("secretRef", "name"), c.SecretRef.Name)
	label.optional(f, at.Child("secretRef", "namespace"), c.SecretRef.Namespace)
	oneOf(f, at.Child("authentication"), c.Authentication, v1alpha1.ClientBasic, v1alpha1.ClientPost, v1alpha1.ClientPrivateKeyJWT)
}
