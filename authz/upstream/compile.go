package upstream

import (
	"cmp"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/signing"
)

// Resolver resolves what a policy refers to. What is missing is said by a text for
// the operator; "" if nothing is.
type Resolver interface {
	// ProviderKey is the key of a provider in a Secret.
	ProviderKey(r v1alpha1.ObjectKeyReference, at *field.Path) (key []byte, missing string)
	// TokenServer asks for what the settings say, at the place of the policy. equal
	// stands for everything that the tokens depend on.
	TokenServer(s Settings, at Place) (source Source, equal [32]byte, missing string)
	// SigningKey is a private key in a Secret.
	SigningKey(r v1alpha1.ObjectKeyReference, at *field.Path) (key *signing.Key, missing string)
}

// Place is a part of a policy that names a token endpoint.
type Place struct {
	Credentials    v1alpha1.ClientCredentials
	CACertificates *v1alpha1.CACertificates
	Path           *field.Path
	// URL is the name of the field that has the URL.
	URL string
	// Actor stands for the Actor of the settings.
	Actor [32]byte
}

// Compile makes the source of a token of a policy of a namespace, and says in which header and behind which
// scheme it goes upstream; both may be "". A member of the union that has no case here
// has no source.
func Compile(t *v1alpha1.UpstreamToken, namespace string, at *field.Path, r Resolver) (source Source, header, scheme string) {
	switch {
	case t.Secret != nil:
		key, missing := r.ProviderKey(t.Secret.SecretRef, at.Child("secret", "secretRef"))
		if missing != "" {
			return Missing(missing), t.Secret.Header, t.Secret.Scheme
		}
		return Fixed(key), t.Secret.Header, t.Secret.Scheme
	case t.Signed != nil:
		return signed(t.Signed, namespace, at.Child("signed", "secretRef"), r), t.Signed.Header, t.Signed.Scheme
	case t.ClientCredentials != nil:
		source, _ = granted(t.ClientCredentials, at.Child("clientCredentials"), r)
	case t.Exchanged != nil:
		source = exchanged(t.Exchanged, at.Child("exchanged"), r)
	}
	return source, "", ""
}

func signed(t *v1alpha1.SignedToken, namespace string, at *field.Path, r Resolver) Source {
	key, missing := r.SigningKey(t.SecretRef, at)
	if missing != "" {
		return Missing(missing)
	}
	ttl, _ := time.ParseDuration(string(*t.TTL)) // which was validated
	source, err := NewSigned(SignedSettings{Key: key, Issuer: cmp.Or(t.Issuer, IssuerPrefix+namespace), Audience: t.Audience, TTL: ttl})
	if err != nil {
		return Missing(err.Error())
	}
	return source
}

func granted(t *v1alpha1.ClientCredentialsToken, at *field.Path, r Resolver) (Source, [32]byte) {
	s := Settings{Endpoint: t.TokenEndpoint, Audience: t.Audience, Resource: t.Resource, Scopes: t.Scopes}
	return ask(s, Place{Credentials: t.ClientCredentials, CACertificates: t.CACertificates, Path: at, URL: "tokenEndpoint"}, r)
}

func exchanged(t *v1alpha1.ExchangedToken, at *field.Path, r Resolver) Source {
	s := Settings{Endpoint: t.Endpoint, Audience: t.Audience, Resource: t.Resource, Scopes: t.Scopes,
		Exchanged: true, RequestedType: string(t.RequestedTokenType)}
	place := Place{Credentials: t.ClientCredentials, CACertificates: t.CACertificates, Path: at, URL: "endpoint"}
	if a := t.ActorToken; a != nil {
		s.Actor, place.Actor = granted(a.ClientCredentials, at.Child("actorToken", "clientCredentials"), r)
	}
	source, _ := ask(s, place, r)
	return source
}

func ask(s Settings, at Place, r Resolver) (Source, [32]byte) {
	source, equal, missing := r.TokenServer(s, at)
	if missing != "" {
		return Missing(missing), equal
	}
	return source, equal
}
