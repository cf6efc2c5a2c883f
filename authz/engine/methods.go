package engine

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/authn"
)

// authentication compiles the methods: the one switch that knows all kinds.
func (b *building) authentication(a v1alpha1.Authentication) {
	path := field.NewPath("spec", "authentication", "methods")
	for i := range a.Methods {
		src, at := &a.Methods[i], path.Index(i)
		m := method{name: src.Name, required: src.Requirement == v1alpha1.Required}
		switch {
		case src.Basic != nil:
			b.basic(&m, src.Basic, at.Child("basic"))
		case src.JWT != nil:
			b.jwt(&m, src.JWT, otherIssuers(a.Methods, i), at.Child("jwt"))
		case src.APIKey != nil:
			b.apiKey(&m, src.APIKey, at.Child("apiKey"))
		case src.Anonymous != nil:
			m.kind = anonymousKind
		}
		b.methods = append(b.methods, m)
	}
}

func (b *building) basic(m *method, src *v1alpha1.Basic, at *field.Path) {
	m.kind = basicKind
	m.challenge = `Basic realm="` + src.Realm + `", charset="UTF-8"`
	m.tlsOnly = !src.AllowPlaintext
	b.reads(m, []authn.Place{{In: authn.InHeader, Name: "authorization", Scheme: "basic"}})
	users, missing := b.users(src.Users, at.Child("users", "secretRef"))
	m.auth = &authn.Basic{
		Method: m.name, Tenant: b.name, AllowPlaintext: src.AllowPlaintext,
		Users: users, Missing: missing, Verifier: b.engine.deps.Passwords,
	}
}

func (b *building) apiKey(m *method, src *v1alpha1.APIKey, at *field.Path) {
	m.kind = apiKeyKind
	places := placesOf(src.From, authn.Place{In: authn.InHeader, Name: "x-api-key"})
	for i := range places {
		places[i].List = true
	}
	b.reads(m, places)
	m.challenge = keyChallenge(src.From)
	t := b.table(b.namespace, src.Selector.MatchLabels)
	b.origin.selected = append(b.origin.selected, t)
	for _, p := range t.problems {
		p.Field = at.Child("selector").String()
		b.problem(p)
	}
	m.auth = &authn.APIKey{Method: m.name, Keys: t.keys}
}

func (b *building) jwt(m *method, src *v1alpha1.JWT, others []string, at *field.Path) {
	m.kind, b.tokens = jwtKind, true
	m.challenge = "Bearer"
	m.scopes = src.Scopes
	b.reads(m, placesOf(src.From, authn.Place{In: authn.InHeader, Name: "authorization", Scheme: "bearer"}))
	auth := &authn.JWT{
		Method: m.name, Tenant: b.name,
		Issuer: src.Issuer, AnyIssuer: src.AnyIssuer, OtherIssuers: others,
		Audiences: src.Audiences, AnyAudience: src.AnyAudience,
		Algorithms: algorithms(src),
		Slow:       b.engine.deps.Slow,
		Map:        b.mapper(src.ClaimMappings, at.Child("claimMappings")),
	}
	if src.ClockSkew != nil {
		auth.ClockSkew, _ = time.ParseDuration(string(*src.ClockSkew)) // Validate parsed it
	}
	auth.TokenTypes, auth.NoType = tokenTypes(src.TokenTypes)
	if src.HMAC != nil {
		auth.Secret, auth.Missing = b.hmac(src.HMAC, auth.Algorithms, at.Child("hmac", "secretRef"))
	} else {
		auth.Keys, auth.Missing = b.keySet(src, at)
	}
	m.auth = auth
}

// reads enters the method's places among the policy's, each once.
func (b *building) reads(m *method, places []authn.Place) {
	for _, place := range places {
		i := slices.Index(b.places, place)
		if i < 0 {
			i = len(b.places)
			b.places = append(b.places, place)
		}
		if !slices.Contains(m.places, i) {
			m.places = append(m.places, i)
		}
	}
}

func placesOf(from []v1alpha1.Place, fallback authn.Place) []authn.Place {
	if len(from) == 0 {
		return []authn.Place{fallback}
	}
	out := make([]authn.Place, 0, len(from))
	for _, f := range from {
		switch {
		case f.Header != nil:
			out = append(out, authn.Place{In: authn.InHeader,
				Name: strings.ToLower(f.Header.Name), Scheme: strings.ToLower(f.Header.Scheme)})
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
			out[i] = string(a)
		}
		return out
	case src.HMAC != nil:
		return []string{"HS256"}
	}
	return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
}

// tokenTypes returns the accepted types in lower case without "application/",
// and whether a token need not have one.
func tokenTypes(src []string) (types []string, none bool) {
	if len(src) == 0 {
		return []string{"at+jwt", "jwt"}, true
	}
	for _, t := range src {
		types = append(types, strings.TrimPrefix(strings.ToLower(t), "application/"))
	}
	return types, false
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func keyOr(r v1alpha1.ObjectKeyReference, fallback string) string { return cmp.Or(r.Key, fallback) }
