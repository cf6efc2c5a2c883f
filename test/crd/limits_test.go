package crd

import (
	"fmt"
	"strings"
	"testing"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/validate"
)

// limit is the most of something, which set gives a policy n of.
type limit struct {
	path string
	most int
	set  func(s *v1alpha1.PolicySpec, n int)
}

// many makes a list of n.
func many[E any](n int, element func(i int) E) []E {
	out := make([]E, n)
	for i := range out {
		out[i] = element(i)
	}
	return out
}

func numbered(prefix string) func(int) string {
	return func(i int) string { return fmt.Sprintf("%s%d", prefix, i) }
}

func letters(n int) string { return strings.Repeat("a", n) }

func expr(n int) v1alpha1.Expression { return v1alpha1.Expression(letters(n)) }

var limits = []limit{
	{"spec.routes", 16, func(s *v1alpha1.PolicySpec, n int) {
		s.Routes = many(n, func(int) v1alpha1.Route { return s.Routes[0] })
	}},
	{"spec.targetRefs", 16, func(s *v1alpha1.PolicySpec, n int) {
		s.Routes, s.TargetRefs = nil, many(n, func(i int) v1alpha1.TargetReference { return target(numbered("r")(i)) })
	}},
	{"spec.targetRefs[0].name", 253, func(s *v1alpha1.PolicySpec, n int) {
		s.Routes, s.TargetRefs = nil, []v1alpha1.TargetReference{target(letters(n))}
	}},
	{"spec.targetRefs[0].sectionName", 253, func(s *v1alpha1.PolicySpec, n int) {
		s.Routes, s.TargetRefs = nil, []v1alpha1.TargetReference{target("a")}
		s.TargetRefs[0].SectionName = letters(n)
	}},
	{"spec.paths.allow", 3, func(s *v1alpha1.PolicySpec, n int) {
		s.Paths = &v1alpha1.Paths{Allow: many(n, func(i int) v1alpha1.PathForm {
			return []v1alpha1.PathForm{v1alpha1.PathFormEncodedSlash, v1alpha1.PathFormEmptySegment, v1alpha1.PathFormEncodedPercent, "Another"}[i]
		})}
	}},
	{"spec.routes[0].hostnames", 16, func(s *v1alpha1.PolicySpec, n int) {
		s.Routes[0].Hostnames = many(n, func(i int) v1alpha1.Hostname { return v1alpha1.Hostname(numbered("h")(i)) })
	}},
	{"spec.routes[0].hostnames[0]", 253, func(s *v1alpha1.PolicySpec, n int) {
		s.Routes[0].Hostnames = []v1alpha1.Hostname{v1alpha1.Hostname(letters(n))}
	}},
	{"spec.routes[0].matches", 64, func(s *v1alpha1.PolicySpec, n int) {
		s.Routes[0].Matches = make([]gatewayv1.HTTPRouteMatch, n)
	}},
	{"spec.routes[0].matches[0].path.value", 1024, func(s *v1alpha1.PolicySpec, n int) {
		*s.Routes[0].Matches[0].Path.Value = "/" + letters(n-1)
	}},
	{"spec.routes[0].matches[0].headers", 16, func(s *v1alpha1.PolicySpec, n int) {
		s.Routes[0].Matches[0].Headers = many(n, func(i int) gatewayv1.HTTPHeaderMatch {
			return gatewayv1.HTTPHeaderMatch{Name: gatewayv1.HTTPHeaderName(numbered("x")(i)), Value: "a"}
		})
	}},
	{"spec.routes[0].matches[0].headers[0].name", 256, func(s *v1alpha1.PolicySpec, n int) {
		s.Routes[0].Matches[0].Headers[0].Name = gatewayv1.HTTPHeaderName(letters(n))
	}},
	{"spec.routes[0].matches[0].headers[1].value", 4096, func(s *v1alpha1.PolicySpec, n int) {
		s.Routes[0].Matches[0].Headers[1].Value = letters(n)
	}},
	{"spec.routes[0].matches[0].queryParams", 16, func(s *v1alpha1.PolicySpec, n int) {
		s.Routes[0].Matches[0].QueryParams = many(n, func(i int) gatewayv1.HTTPQueryParamMatch {
			return gatewayv1.HTTPQueryParamMatch{Name: gatewayv1.HTTPHeaderName(numbered("q")(i)), Value: "a"}
		})
	}},
	{"spec.routes[0].matches[0].queryParams[0].name", 256, func(s *v1alpha1.PolicySpec, n int) {
		s.Routes[0].Matches[0].QueryParams[0].Name = gatewayv1.HTTPHeaderName(letters(n))
	}},
	{"spec.routes[0].matches[0].queryParams[1].value", 1024, func(s *v1alpha1.PolicySpec, n int) {
		s.Routes[0].Matches[0].QueryParams[1].Value = letters(n)
	}},
	{"spec.authentication.methods", 32, func(s *v1alpha1.PolicySpec, n int) {
		s.Authentication.Methods = many(n, func(i int) v1alpha1.Method {
			return v1alpha1.Method{Name: numbered("m")(i), Anonymous: &v1alpha1.Anonymous{}}
		})
	}},
	{"spec.authentication.methods[0].name", 63, func(s *v1alpha1.PolicySpec, n int) {
		s.Authentication.Methods[0].Name = letters(n)
	}},
	{"spec.authentication.methods[0].basic.users.secretRef.name", 253, func(s *v1alpha1.PolicySpec, n int) {
		s.Authentication.Methods[0].Basic.Users.SecretRef.Name = letters(n)
	}},
	{"spec.authentication.methods[0].basic.users.secretRef.namespace", 63, func(s *v1alpha1.PolicySpec, n int) {
		s.Authentication.Methods[0].Basic.Users.SecretRef.Namespace = letters(n)
	}},
	{"spec.authentication.methods[0].basic.users.secretRef.key", 253, func(s *v1alpha1.PolicySpec, n int) {
		s.Authentication.Methods[0].Basic.Users.SecretRef.Key = letters(n)
	}},
	{"spec.authentication.methods[0].basic.realm", 128, func(s *v1alpha1.PolicySpec, n int) {
		s.Authentication.Methods[0].Basic.Realm = letters(n)
	}},
	{"spec.authentication.methods[1].jwt.issuer", 2048, func(s *v1alpha1.PolicySpec, n int) {
		jwt(s).Issuer = strings.Repeat("é", n)
	}},
	{"spec.authentication.methods[1].jwt.audiences", 16, func(s *v1alpha1.PolicySpec, n int) {
		jwt(s).Audiences = many(n, numbered("a"))
	}},
	{"spec.authentication.methods[1].jwt.audiences[0]", 2048, func(s *v1alpha1.PolicySpec, n int) {
		jwt(s).Audiences[0] = strings.Repeat("é", n)
	}},
	{"spec.authentication.methods[1].jwt.scopes", 32, func(s *v1alpha1.PolicySpec, n int) {
		jwt(s).Scopes = many(n, numbered("s"))
	}},
	{"spec.authentication.methods[1].jwt.scopes[0]", 256, func(s *v1alpha1.PolicySpec, n int) {
		jwt(s).Scopes[0] = letters(n)
	}},
	{"spec.authentication.methods[1].jwt.algorithms", 10, func(s *v1alpha1.PolicySpec, n int) {
		all := []v1alpha1.Algorithm{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "EdDSA"}
		jwt(s).Algorithms = all[:n]
	}},
	{"spec.authentication.methods[1].jwt.tokenTypes", 8, func(s *v1alpha1.PolicySpec, n int) {
		jwt(s).TokenTypes = many(n, numbered("t"))
	}},
	{"spec.authentication.methods[1].jwt.tokenTypes[0]", 64, func(s *v1alpha1.PolicySpec, n int) {
		jwt(s).TokenTypes[0] = letters(n)
	}},
	{"spec.authentication.methods[1].jwt.from", 8, func(s *v1alpha1.PolicySpec, n int) {
		jwt(s).From = many(n, func(i int) v1alpha1.Place {
			return v1alpha1.Place{Cookie: &v1alpha1.NamedPlace{Name: numbered("c")(i)}}
		})
	}},
	{"spec.authentication.methods[1].jwt.from[0].header.name", 256, func(s *v1alpha1.PolicySpec, n int) {
		jwt(s).From[0].Header.Name = letters(n)
	}},
	{"spec.authentication.methods[1].jwt.from[0].header.scheme", 64, func(s *v1alpha1.PolicySpec, n int) {
		jwt(s).From[0].Header.Scheme = letters(n)
	}},
	{"spec.authentication.methods[1].jwt.from[3].cookie.name", 256, func(s *v1alpha1.PolicySpec, n int) {
		jwt(s).From[3].Cookie.Name = letters(n)
	}},
	{"spec.authentication.methods[1].jwt.from[4].query.name", 256, func(s *v1alpha1.PolicySpec, n int) {
		jwt(s).From[4].Query.Name = letters(n)
	}},
	{"spec.authentication.methods[1].jwt.jwks.uri", 2048, func(s *v1alpha1.PolicySpec, n int) {
		jwt(s).JWKS.URI = "https://a/" + letters(n-len("https://a/"))
	}},
	{"spec.authentication.methods[3].jwt.jwks.inline", 65536, func(s *v1alpha1.PolicySpec, n int) {
		s.Authentication.Methods[3].JWT.JWKS.Inline = letters(n)
	}},
	{"spec.authentication.methods[1].jwt.impliedScopes", 32, func(s *v1alpha1.PolicySpec, n int) {
		jwt(s).ImpliedScopes = v1alpha1.ImpliedScopes{}
		for i := range n {
			jwt(s).ImpliedScopes[numbered("s")(i)] = v1alpha1.NarrowScopes{"a"}
		}
	}},
	{"spec.authentication.methods[1].jwt.impliedScopes[a]", 32, func(s *v1alpha1.PolicySpec, n int) {
		jwt(s).ImpliedScopes = v1alpha1.ImpliedScopes{"a": many(n, numbered("s"))}
	}},
	{"spec.authentication.methods[1].jwt.impliedScopes[a][0]", 256, func(s *v1alpha1.PolicySpec, n int) {
		jwt(s).ImpliedScopes = v1alpha1.ImpliedScopes{"a": {letters(n)}}
	}},
	{"spec.authentication.methods[9].oauth2Introspection.impliedScopes[a]", 32, func(s *v1alpha1.PolicySpec, n int) {
		s.Authentication.Methods[9].Introspection.ImpliedScopes = v1alpha1.ImpliedScopes{"a": many(n, numbered("s"))}
	}},
	{"spec.authentication.methods[1].jwt.claimMappings.actor", 4096, func(s *v1alpha1.PolicySpec, n int) {
		jwt(s).ClaimMappings.Actor = expr(n)
	}},
	{"spec.authentication.methods[1].jwt.claimMappings.subject", 4096, func(s *v1alpha1.PolicySpec, n int) {
		jwt(s).ClaimMappings.Subject = expr(n)
	}},
	{"spec.authentication.methods[1].jwt.claimMappings.scopes", 4096, func(s *v1alpha1.PolicySpec, n int) {
		jwt(s).ClaimMappings.Scopes = expr(n)
	}},
	{"spec.authentication.methods[1].jwt.claimMappings.groups", 4096, func(s *v1alpha1.PolicySpec, n int) {
		jwt(s).ClaimMappings.Groups = expr(n)
	}},
	{"spec.authentication.methods[7].apiKey.selector.matchLabels", 16, func(s *v1alpha1.PolicySpec, n int) {
		labels := map[string]v1alpha1.LabelValue{}
		for i := range n {
			labels[numbered("l")(i)] = "a"
		}
		s.Authentication.Methods[7].APIKey.Selector.MatchLabels = labels
	}},
	{"spec.authentication.methods[7].apiKey.selector.matchLabels[team]", 63, func(s *v1alpha1.PolicySpec, n int) {
		s.Authentication.Methods[7].APIKey.Selector.MatchLabels["team"] = v1alpha1.LabelValue(letters(n))
	}},
	{"spec.authentication.methods[7].apiKey.from", 8, func(s *v1alpha1.PolicySpec, n int) {
		s.Authentication.Methods[7].APIKey.From = many(n, func(i int) v1alpha1.Place {
			return v1alpha1.Place{Query: &v1alpha1.NamedPlace{Name: numbered("q")(i)}}
		})
	}},
	{"spec.authentication.methods[9].oauth2Introspection.endpoint", 2048, func(s *v1alpha1.PolicySpec, n int) {
		s.Authentication.Methods[9].Introspection.Endpoint = "https://a/" + letters(n-len("https://a/"))
	}},
	{"spec.authentication.methods[9].oauth2Introspection.issuer", 2048, func(s *v1alpha1.PolicySpec, n int) {
		s.Authentication.Methods[9].Introspection.Issuer = strings.Repeat("é", n)
	}},
	{"spec.authentication.methods[9].oauth2Introspection.audiences", 16, func(s *v1alpha1.PolicySpec, n int) {
		s.Authentication.Methods[9].Introspection.Audiences = many(n, numbered("a"))
	}},
	{"spec.authentication.methods[9].oauth2Introspection.scopes", 32, func(s *v1alpha1.PolicySpec, n int) {
		s.Authentication.Methods[9].Introspection.Scopes = many(n, numbered("s"))
	}},
	{"spec.authentication.methods[9].oauth2Introspection.clientCredentials.secretRef.name", 253, func(s *v1alpha1.PolicySpec, n int) {
		s.Authentication.Methods[9].Introspection.ClientCredentials.SecretRef.Name = letters(n)
	}},
	{"spec.authentication.methods[9].oauth2Introspection.clientCredentials.secretRef.namespace", 63, func(s *v1alpha1.PolicySpec, n int) {
		s.Authentication.Methods[9].Introspection.ClientCredentials.SecretRef.Namespace = letters(n)
	}},
	{"spec.authorization.rules", 32, func(s *v1alpha1.PolicySpec, n int) {
		s.Authorization.Rules = many(n, func(i int) v1alpha1.Rule {
			return v1alpha1.Rule{Name: numbered("r")(i), Require: "true"}
		})
	}},
	{"spec.authorization.rules[0].name", 63, func(s *v1alpha1.PolicySpec, n int) {
		s.Authorization.Rules[0].Name = letters(n)
	}},
	{"spec.authorization.rules[0].when", 4096, func(s *v1alpha1.PolicySpec, n int) {
		s.Authorization.Rules[0].When = expr(n)
	}},
	{"spec.authorization.rules[0].require", 4096, func(s *v1alpha1.PolicySpec, n int) {
		s.Authorization.Rules[0].Require = expr(n)
	}},
	{"spec.response.upstream.headers", 16, func(s *v1alpha1.PolicySpec, n int) {
		s.Response.Upstream.Headers = many(n, func(i int) v1alpha1.UpstreamHeader {
			return v1alpha1.UpstreamHeader{Name: numbered("x")(i), Value: "''"}
		})
	}},
	{"spec.response.upstream.headers[0].name", 256, func(s *v1alpha1.PolicySpec, n int) {
		s.Response.Upstream.Headers[0].Name = letters(n)
	}},
	{"spec.response.upstream.headers[0].value", 4096, func(s *v1alpha1.PolicySpec, n int) {
		s.Response.Upstream.Headers[0].Value = expr(n)
	}},
	{"spec.response.metadata", 16, func(s *v1alpha1.PolicySpec, n int) {
		s.Response.Metadata = map[string]v1alpha1.Expression{}
		for i := range n {
			s.Response.Metadata[numbered("k")(i)] = "''"
		}
	}},
	{"spec.response.metadata", 63, func(s *v1alpha1.PolicySpec, n int) {
		s.Response.Metadata = map[string]v1alpha1.Expression{letters(n): "''"}
	}},
	{"spec.response.metadata[agent]", 4096, func(s *v1alpha1.PolicySpec, n int) {
		s.Response.Metadata["agent"] = expr(n)
	}},
	{"spec.response.unauthenticated.headers", 16, func(s *v1alpha1.PolicySpec, n int) {
		s.Response.Unauthenticated.Headers = many(n, func(i int) v1alpha1.DenialHeader {
			return v1alpha1.DenialHeader{Name: numbered("x")(i)}
		})
	}},
	{"spec.response.unauthenticated.headers[0].name", 256, func(s *v1alpha1.PolicySpec, n int) {
		s.Response.Unauthenticated.Headers[0].Name = letters(n)
	}},
	{"spec.response.unauthenticated.headers[0].value", 4096, func(s *v1alpha1.PolicySpec, n int) {
		s.Response.Unauthenticated.Headers[0].Value = letters(n)
	}},
	{"spec.response.unauthorized.body", 16384, func(s *v1alpha1.PolicySpec, n int) {
		*s.Response.Unauthorized.Body = strings.Repeat("é", n)
	}},
	{"spec.response.upstream.token.clientCredentials.tokenEndpoint", 2048, func(s *v1alpha1.PolicySpec, n int) {
		granted(s).TokenEndpoint = "https://idp.example.com/" + letters(n-24)
	}},
	{"spec.response.upstream.token.clientCredentials.audience", 2048, func(s *v1alpha1.PolicySpec, n int) {
		granted(s).Audience = letters(n)
	}},
	{"spec.response.upstream.token.clientCredentials.resource", 2048, func(s *v1alpha1.PolicySpec, n int) {
		granted(s).Resource = "urn:" + letters(n-4)
	}},
	{"spec.response.upstream.token.clientCredentials.scopes", 32, func(s *v1alpha1.PolicySpec, n int) {
		granted(s).Scopes = many(n, numbered("s"))
	}},
	{"spec.response.upstream.token.clientCredentials.scopes[0]", 256, func(s *v1alpha1.PolicySpec, n int) {
		granted(s).Scopes = []string{letters(n)}
	}},
	{"spec.response.upstream.token.secret.header", 256, func(s *v1alpha1.PolicySpec, n int) {
		keyOf(s).Header = letters(n)
	}},
	{"spec.response.upstream.token.secret.scheme", 64, func(s *v1alpha1.PolicySpec, n int) {
		keyOf(s).Scheme = letters(n)
	}},
	{"spec.response.upstream.token.signed.issuer", 2048, func(s *v1alpha1.PolicySpec, n int) {
		signedToken(s).Issuer = letters(n)
	}},
	{"spec.response.upstream.token.signed.audience", 2048, func(s *v1alpha1.PolicySpec, n int) {
		signedToken(s).Audience = letters(n)
	}},
	{"spec.response.upstream.token.signed.header", 256, func(s *v1alpha1.PolicySpec, n int) {
		signedToken(s).Header = letters(n)
	}},
	{"spec.response.upstream.token.signed.scheme", 64, func(s *v1alpha1.PolicySpec, n int) {
		signedToken(s).Scheme = letters(n)
	}},
	{"spec.response.upstream.token.signed.claims", 16, func(s *v1alpha1.PolicySpec, n int) {
		t := signedToken(s)
		t.Claims = map[string]v1alpha1.Expression{}
		for i := range n {
			t.Claims[numbered("c")(i)] = "''"
		}
	}},
}

// granted is a token of a client, and keyOf one of a Secret, of a policy that had none.
func granted(s *v1alpha1.PolicySpec) *v1alpha1.ClientCredentialsToken {
	t := &v1alpha1.ClientCredentialsToken{TokenEndpoint: "https://idp.example.com/token",
		ClientCredentials: v1alpha1.ClientCredentials{SecretRef: v1alpha1.ObjectReference{Name: "client"}, Authentication: v1alpha1.ClientBasic}}
	s.Response.Upstream = &v1alpha1.Upstream{Credentials: v1alpha1.Strip, Token: &v1alpha1.UpstreamToken{ClientCredentials: t}}
	return t
}

func keyOf(s *v1alpha1.PolicySpec) *v1alpha1.SecretToken {
	t := &v1alpha1.SecretToken{SecretRef: v1alpha1.ObjectKeyReference{Name: "key"}, Header: "authorization"}
	s.Response.Upstream = &v1alpha1.Upstream{Credentials: v1alpha1.Strip, Token: &v1alpha1.UpstreamToken{Secret: t}}
	return t
}

func signedToken(s *v1alpha1.PolicySpec) *v1alpha1.SignedToken {
	ttl := gatewayv1.Duration("60s")
	t := &v1alpha1.SignedToken{SecretRef: v1alpha1.ObjectKeyReference{Name: "keys"}, Audience: "orders", Header: "authorization", TTL: &ttl}
	s.Response.Upstream = &v1alpha1.Upstream{Credentials: v1alpha1.Strip, Token: &v1alpha1.UpstreamToken{Signed: t}}
	return t
}

func target(name string) v1alpha1.TargetReference {
	return v1alpha1.TargetReference{Group: v1alpha1.GatewayGroup, Kind: v1alpha1.TargetHTTPRoute, Name: name}
}

func jwt(s *v1alpha1.PolicySpec) *v1alpha1.JWT { return s.Authentication.Methods[1].JWT }

func TestBothGatesHaveTheSameLimits(t *testing.T) {
	g := serverGate(t)
	for _, l := range limits {
		t.Run(fmt.Sprintf("%s/%d", l.path, l.most), func(t *testing.T) {
			p := everything(t)
			l.set(&p.Spec, l.most)
			_, server := g.create(toObject(t, p))
			own := refusals(validate.Default(p))
			if len(server) > 0 || len(own) > 0 {
				t.Errorf("expected %d to be accepted, got %v from the API server and %v from Validate", l.most, server, own)
			}
			p = everything(t)
			l.set(&p.Spec, l.most+1)
			s := sample{path: l.path}
			_, server = g.create(toObject(t, p))
			if err := s.refused(problems(server), ""); err != nil {
				t.Errorf("API server, %d: %v", l.most+1, err)
			}
			if err := s.refused(refusals(validate.Default(p)), ""); err != nil {
				t.Errorf("engine, %d: %v", l.most+1, err)
			}
		})
	}
}
