package engine

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"testing"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/attach"
	"github.com/agentauth-dev/agentauth/authz/jwks"
)

// hot is an engine with 1,001 policies and a request with a token (RS256) of the
// policy that has scopes, a rule and three headers by CEL.
func hot(t testing.TB, token func(good string) string) (*Engine, authz.Raw) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	part := base64.RawURLEncoding.EncodeToString
	signed := part([]byte(`{"alg":"RS256","kid":"k"}`)) + "." +
		part([]byte(`{"iss":"`+idp+`","aud":"api","sub":"agent","scope":"read write","exp":1800000600}`))
	digest := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	e, w := newWorld(Options{})
	w.lookup = func(context.Context, string, string) ([]jwks.Key, error) {
		return []jwks.Key{{ID: "k", Algorithms: []string{"RS256"}, Public: key.Public()}}, nil
	}
	in, method := many(1000, false), partners(idp)
	method.JWT.Scopes = []string{"read"}
	p := onHost("hot", "api.example.com", method)
	p.Spec.Authorization = &v1alpha1.Authorization{Rules: []v1alpha1.Rule{
		{Name: "orders", Require: `request.method in ["GET", "POST"] && identity.subject != ""`},
	}}
	p.Spec.Response = &v1alpha1.Response{Upstream: &v1alpha1.Upstream{Headers: []v1alpha1.UpstreamHeader{
		{Name: "x-agent-id", Value: "identity.subject"}, {Name: "x-agent-method", Value: "identity.method"},
		{Name: "x-agent-issuer", Value: "identity.issuer"},
	}}}
	in.Policies = append(in.Policies, p)
	load(t, e, in)
	ask := get("api.example.com", "/v1/orders?page=2",
		header(":authority", "api.example.com"), header(":method", "GET"), header(":path", "/v1/orders?page=2"), header(":scheme", "https"),
		header("accept", "application/json"), header("user-agent", "agent/1.0"), header("x-request-id", "5b0a1e7c"),
		header("x-forwarded-for", "192.0.2.1"), header("x-forwarded-proto", "https"), header("content-type", "application/json"),
		header("authorization", "Bearer "+token(signed+"."+part(signature))))
	return e, ask
}

func sound(token string) string { return token }

// A token that was verified before, among 1,001 policies.
func BenchmarkDecideHot(b *testing.B) {
	e, ask := hot(b, sound)
	if d := e.Decide(b.Context(), ask); d.Outcome != authz.Allow {
		b.Fatalf("got %+v", d)
	}
	b.ReportAllocs()
	for b.Loop() {
		e.Decide(b.Context(), ask)
	}
}

// Tokens without a sound form, among 1,001 policies.
func BenchmarkDecideGarbage(b *testing.B) {
	e, ask := hot(b, func(string) string { return "garbage" })
	if d := e.Decide(b.Context(), ask); d.Outcome != authz.Deny || d.Status != 401 {
		b.Fatalf("got %+v", d)
	}
	b.ReportAllocs()
	for b.Loop() {
		e.Decide(b.Context(), ask)
	}
}

// A request of one of 1,000 routes of Gateway API, each the target of a policy.
func BenchmarkDecideRoute(b *testing.B) {
	in := Input{Objects: attach.Objects{Gateways: []*gatewayv1.Gateway{gatewayOf("edge", "*.example.com")}}}
	for i := range 1000 {
		name := fmt.Sprint("r", i)
		in.HTTPRoutes = append(in.HTTPRoutes, routeOn("shop", name, names(gatewayv1.Hostname(name+".example.com")), "edge"))
		in.Policies = append(in.Policies, targeting(onHost(name, "", anonymous()), "HTTPRoute", name, ""))
	}
	for name, route := range map[string]*authz.RouteRef{"found": nil, "named": {Kind: "HTTPRoute", Namespace: "shop", Name: "r77"}} {
		b.Run(name, func(b *testing.B) {
			e, _ := newWorld(Options{})
			load(b, e, in)
			ask := get("r77.example.com", "/v1/orders")
			ask.Route = route
			if d := e.Decide(b.Context(), ask); d.Policy != "shop/r77" {
				b.Fatalf("got %+v", d)
			}
			b.ReportAllocs()
			for b.Loop() {
				e.Decide(b.Context(), ask)
			}
		})
	}
}
