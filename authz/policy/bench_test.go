package policy

import (
	"context"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/authn"
	"github.com/agentauth-dev/agentauth/authz/expr"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// held is a kind whose credential was verified before.
type held struct {
	pass
	verified authn.Verified
}

func (h *held) Verify(context.Context, *authn.Presented) (*authn.Verified, error) {
	return &h.verified, nil
}

// BenchmarkDecide is what a policy costs without the verification: scopes, a rule and
// three headers.
func BenchmarkDecide(b *testing.B) {
	p, r, host := usualPolicy(b)
	b.ReportAllocs()
	deadline := time.Now().Add(time.Hour)
	for b.Loop() {
		c := work.Begin(b.Context(), deadline, nil)
		if d := p.Decide(c, r, host, nil); d.Outcome != authz.Allow {
			b.Fatalf("got %+v", d)
		}
		c.End()
	}
}

func usualPolicy(t testing.TB) (*Policy, *authz.Request, Host) {
	rule, err := expr.Compile(expr.Bool, `request.method in ["GET", "POST"] && identity.subject != ""`)
	if err != nil {
		t.Fatal(err)
	}
	kind := &held{pass: pass{places: []authn.Place{{In: authn.InHeader, Name: "authorization", Scheme: "bearer"}}, beside: []string{"dpop"}}}
	kind.verified.Identity = authz.Identity{Method: "held", Subject: "agent", Issuer: "https://idp.example.com", Scopes: []string{"read", "write"}}
	headers := []Value{{"x-agent-id", compiled(t, "identity.subject")}, {"x-agent-method", compiled(t, "identity.method")}, {"x-agent-issuer", compiled(t, "identity.issuer")}}
	p := New(Config{Name: "shop/p", Methods: []Method{{Name: "held", Scopes: []string{"read"}, Authenticator: kind}}, Headers: headers, Rules: []Rule{{Name: "orders", Require: rule}}})
	reservations := Reservations{}
	reservations.Add("api.example.com", "shop", NamesOf(headers))
	reserved := reservations.Covering(nil)["api.example.com"]
	r, err := authz.NewRequest(authz.Raw{Method: "GET", Scheme: "https", TLS: true, Host: "api.example.com", Path: "/v1/orders", Headers: []authz.Header{
		{Name: "accept", Value: "*/*"}, {Name: "user-agent", Value: "agent/1.0"}, {Name: "authorization", Value: "Bearer good"}, {Name: "x-request-id", Value: "5b0a1e7c"}}})
	if err != nil {
		t.Fatal(err)
	}
	return p, r, Host{Reserved: reserved, Shared: reserved, Namespace: "shop"}
}
