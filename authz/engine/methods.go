package engine

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/authn"
	"github.com/agentauth-dev/agentauth/authz/expr"
	"github.com/agentauth-dev/agentauth/authz/jwks"
	"github.com/agentauth-dev/agentauth/authz/policy"
	"github.com/agentauth-dev/agentauth/authz/reviews"
	"github.com/agentauth-dev/agentauth/authz/validate"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// methods compiles the authentication methods. Its switch is the one place,
// besides the files of authn, that knows the kinds.
func (b *building) methods(a v1alpha1.Authentication) []policy.Method {
	out := make([]policy.Method, len(a.Methods))
	for i := range a.Methods {
		src, at := &a.Methods[i], field.NewPath("spec", "authentication", "methods").Index(i)
		m := policy.Method{Name: src.Name, Required: src.Requirement == v1alpha1.Required}
		switch {
		case src.Basic != nil:
			m.Authenticator = b.basic(m.Name, src.Basic, at.Child("basic"))
		case src.JWT != nil:
			m.Authenticator, m.Scopes = b.jwt(m.Name, src.JWT, otherIssuers(a.Methods, i), at.Child("jwt")), src.JWT.Scopes
		case src.Introspection != nil:
			m.Authenticator, m.Scopes = b.introspection(m.Name, src.Introspection, a.Methods, at.Child("oauth2Introspection")), src.Introspection.Scopes
		case src.APIKey != nil:
			m.Authenticator = b.apiKey(m.Name, src.APIKey, i, at.Child("apiKey", "selector"))
		case src.ClientCertificate != nil:
			m.Authenticator = b.clientCertificate(m.Name, src.ClientCertificate, at.Child("clientCertificate"))
		case src.KubernetesToken != nil:
			m.Authenticator, m.Cluster = b.kubernetesToken(m.Name, src.KubernetesToken, a.Methods, at.Child("kubernetesToken")), true
		case src.Anonymous != nil:
			m.Authenticator = &authn.Anonymous{Method: m.Name}
		default: // a member of the union that has no case here
			b.reject(at.String(), "agentauth cannot compile this kind of method: a defect of this version; use another kind")
		}
		out[i] = m
	}
	b.keep(out)
	return out
}

// keep lets the methods keep what they verified.
func (b *building) keep(methods []policy.Method) {
	all := make([]authn.Authenticator, len(methods))
	for i := range methods {
		all[i] = methods[i].Authenticator
	}
	for i, a := range b.engine.deps.Verified.Around(b.Name.Namespace, all) {
		methods[i].Authenticator = a
	}
}

func (b *building) owner() work.Owner {
	return work.Owner{Namespace: b.Name.Namespace, Policy: b.Name.Name}
}

func (b *building) basic(name string, src *v1alpha1.Basic, at *field.Path) authn.Authenticator {
	users, missing := b.users(src.Users, at.Child("users", "secretRef"))
	return &authn.Basic{
		Method: name, Owner: b.owner(), Realm: src.Realm, AllowPlaintext: src.AllowPlaintext,
		Users: users, Missing: missing, Verifier: b.deps().Passwords,
	}
}

func (b *building) apiKey(name string, src *v1alpha1.APIKey, number int, at *field.Path) authn.Authenticator {
	s := selected{b.objects.Select(b.Name.Namespace, src.Selector.MatchLabels), name, number}
	b.uses(s)
	b.parts(s.Problems, authz.Problem{}, at)
	return &authn.APIKey{Method: name, From: places(src.From), Keys: s.Keys}
}

func (b *building) jwt(name string, src *v1alpha1.JWT, others []string, at *field.Path) authn.Authenticator {
	auth := &authn.JWT{
		Method: name, Owner: b.owner(), From: places(src.From),
		Issuer: src.Issuer, AnyIssuer: src.AnyIssuer, OtherIssuers: others,
		Audiences: src.Audiences, AnyAudience: src.AnyAudience,
		Algorithms: algorithms(src),
		Scheduler:  b.deps().Scheduler,
		Cluster:    b.engine.deps.Remote.Cluster.IssuerIf(validate.TakesClusterTokens(b.spec)),
		Map:        b.mapping(src.ClaimMappings, src.ImpliedScopes, at.Child("claimMappings")),
		Proofs:     b.proofs(src.ProofOfPossession),
	}
	auth.ClockSkew = duration(src.ClockSkew)
	auth.TokenTypes, auth.NoType = tokenTypes(src.TokenTypes)
	if src.HMAC != nil {
		auth.Secret, auth.Missing = b.hmac(src.HMAC, auth.Algorithms, at.Child("hmac", "secretRef"))
	} else {
		auth.Keys, auth.Missing = b.keySet(src.Issuer, src.JWKS, src.CACertificates, at)
	}
	return auth
}

func (b *building) introspection(name string, src *v1alpha1.Introspection, all []v1alpha1.Method, at *field.Path) authn.Authenticator {
	auth := &authn.Introspection{
		Method: name, From: places(src.From), Issuer: src.Issuer,
		Audiences: src.Audiences, AnyAudience: src.AnyAudience,
		AcceptJWT: src.AcceptJWT, OtherIssuers: otherIssuers(all, -1),
		OthersOwnJWTs: slices.ContainsFunc(all, func(m v1alpha1.Method) bool { return m.JWT != nil && m.JWT.AnyIssuer }),
		Cluster:       b.engine.deps.Remote.Cluster.IssuerIf(validate.TakesClusterTokens(b.spec)),
		Map:           b.mapping(src.ClaimMappings, src.ImpliedScopes, at.Child("claimMappings")),
		CacheTTL:      duration(src.CacheTTL),
		Proofs:        b.proofs(src.ProofOfPossession),
	}
	auth.Server, auth.ServerID, auth.Missing = b.introspector(name, IntrospectionSource{Endpoint: src.Endpoint, Issuer: src.Issuer}, src.ClientCredentials, src.CACertificates, at)
	return auth
}

func (b *building) proofs(src *v1alpha1.ProofOfPossession) authn.Proofs {
	out := authn.Proofs{Owner: b.owner(), Scheduler: b.deps().Scheduler, Replay: b.deps().Replay, TrustXFCC: b.engine.options.TrustXFCC}
	if src != nil {
		out.DPoP = slices.Contains(src.Require, v1alpha1.ProofByDPoP)
		out.Certificate = slices.Contains(src.Require, v1alpha1.ProofByCertificate)
	}
	return out
}

func (b *building) kubernetesToken(name string, src *v1alpha1.KubernetesToken, all []v1alpha1.Method, at *field.Path) authn.Authenticator {
	auth := &authn.KubernetesToken{Method: name, From: places(src.From), Audiences: src.Audiences, CacheTTL: duration(src.CacheTTL),
		Issuer: b.engine.deps.Remote.Cluster.Issuer, OtherIssuers: otherIssuers(all, -1)}
	auth.Server, auth.ServerID, auth.Missing = b.reviewer(reviews.TokenReview, name, src.Audiences, at)
	return auth
}

func (b *building) clientCertificate(name string, src *v1alpha1.ClientCertificate, at *field.Path) authn.Authenticator {
	auth := &authn.ClientCertificate{Method: name, Owner: b.owner(), TrustDomains: src.TrustDomains, Scheduler: b.deps().Scheduler, From: authn.ConnectionCertificate}
	switch src.Source {
	case v1alpha1.PrincipalOfConnection:
		auth.From, auth.Missing = authn.ConnectionPrincipal, b.trusted(b.engine.options.TrustPrincipal, "--trust-principal", at)
		return auth
	case v1alpha1.ForwardedCertificate:
		auth.From, auth.Missing = authn.ForwardedCertificate, b.trusted(b.engine.options.TrustXFCC, "--trust-xfcc", at)
	case v1alpha1.CertificateOfConnection:
	}
	roots, missing := b.roots(src.CertificateAuthorities, at.Child("certificateAuthorities"))
	if err := authn.CheckAuthorities(roots.List); err != nil {
		kind, r := authoritiesIn(src.CertificateAuthorities)
		missing = b.unusable(kind, r, keyOr(r, "ca.crt"), err.Error(), at.Child("certificateAuthorities"))
	}
	auth.Authorities, auth.Digest, auth.Missing = roots.List, roots.Digest, cmp.Or(auth.Missing, missing)
	return auth
}

// trusted tells of a source that the operator does not trust.
func (b *building) trusted(yes bool, flag string, at *field.Path) (missing string) {
	if yes {
		return ""
	}
	b.problem(authz.Problem{Severity: authz.Unresolved, Field: at.Child("source").String(), Reason: v1alpha1.ReasonRefNotPermitted,
		Message: "the operator does not let policies believe this source, so the method is unavailable; it needs " + flag + ", where proxies alone write it, or source: Connection"})
	return "the source of the certificate needs the operator's " + flag
}

func (b *building) mapping(src *v1alpha1.ClaimMappings, implied v1alpha1.ImpliedScopes, at *field.Path) authn.Mapper {
	m := policy.Mapping{Implied: policy.ImpliedBy(implied)}
	switch {
	case src == nil && m.Implied == nil:
		return policy.UsualMapping
	case src == nil:
		return m
	}
	compile := func(kind expr.Kind, e v1alpha1.Expression, name string) *expr.Program {
		if e == "" {
			return nil
		}
		return b.expression(kind, e, at.Child(name))
	}
	m.SubjectBy = compile(expr.Subject, src.Subject, "subject")
	m.ScopesBy = compile(expr.Claim, src.Scopes, "scopes")
	m.GroupsBy = compile(expr.Claim, src.Groups, "groups")
	m.ActorBy = compile(expr.Actor, src.Actor, "actor")
	return m
}

// duration is 0 where none is given; package validate parsed it.
func duration(d *gatewayv1.Duration) (out time.Duration) {
	if d != nil {
		out, _ = time.ParseDuration(string(*d))
	}
	return out
}

// places are the places that a policy names.
func places(from []v1alpha1.Place) []authn.Place {
	var out []authn.Place
	for _, f := range from {
		switch {
		case f.Header != nil:
			out = append(out, authn.Place{In: authn.InHeader, Name: strings.ToLower(f.Header.Name), Scheme: f.Header.Scheme})
		case f.Cookie != nil:
			out = append(out, authn.Place{In: authn.InCookie, Name: f.Cookie.Name})
		case f.Query != nil:
			out = append(out, authn.Place{In: authn.InQuery, Name: f.Query.Name})
		}
	}
	return out
}

// otherIssuers are the issuers that other methods of the policy name.
func otherIssuers(methods []v1alpha1.Method, self int) []string {
	var out []string
	for i, m := range methods {
		if i != self && m.JWT != nil && !m.JWT.AnyIssuer {
			out = append(out, m.JWT.Issuer)
		}
	}
	return out
}

func algorithms(src *v1alpha1.JWT) []string {
	switch {
	case len(src.Algorithms) > 0:
		out := make([]string, len(src.Algorithms))
		for i, a := range src.Algorithms {
			out[i] = jwks.Algorithm(string(a))
		}
		return out
	case src.HMAC != nil:
		return []string{"HS256"}
	}
	return signatures
}

// signatures are the algorithms of a method that names none. Methods share them.
var signatures = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

var usualTypes = []string{"at+jwt", "jwt"}

// tokenTypes are the accepted types in lower case without "application/"; none
// says that a token need not have a type.
func tokenTypes(src []string) (types []string, none bool) {
	if len(src) == 0 {
		return usualTypes, true
	}
	for _, t := range src {
		types = append(types, strings.TrimPrefix(strings.ToLower(t), "application/"))
	}
	return types, false
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func keyOr(r v1alpha1.ObjectKeyReference, fallback string) string { return cmp.Or(r.Key, fallback) }
